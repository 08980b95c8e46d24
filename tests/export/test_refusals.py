"""Arguments that an export refuses, and what a failure leaves behind: nothing."""

import os

import keras
import numpy as np
import pandas as pd
import pytest

import tf_ctr
from tests.support.exported import tree, user_model, user_schema
from tests.support.frames import click_schema
from tf_ctr.export import export, saved_model, server_files
from tf_ctr.export.checks import candidate_fields
from tf_ctr.layers import GumbelRouter
from tf_ctr.serving.loaders import process


def refused(error, match, *arguments, **options):
    with pytest.raises(error, match=match):
        export(*arguments, fresh_process=False, **options)


def refused_option(error, match, tmp_path, **options):
    refused(error, match, user_model(), user_schema(), tmp_path / "m", **options)
    assert tree(tmp_path) == []


def test_fields_and_inputs_must_be_the_same(tmp_path):
    schema = tf_ctr.Schema(
        [tf_ctr.Categorical("item", vocabulary=[1]), tf_ctr.Numeric("age")]
    ).fit(pd.DataFrame({"item": [1], "age": [2.0]}))
    match = r"without an input \['age', 'item'\].*without a field \['user'\]"
    refused(ValueError, match, user_model(), schema, tmp_path / "m")


def test_an_unfitted_schema_is_refused(tmp_path):
    schema = tf_ctr.Schema([tf_ctr.Categorical("user")])
    refused(ValueError, "fitted schema", user_model(), schema, tmp_path / "m")


@pytest.mark.parametrize("rows", [3, 5])
def test_a_table_for_another_vocabulary_is_refused(rows, tmp_path):
    match = f"4 rows in the table of 'user'(.|\n)*{rows} rows in 'user_embedding'"
    refused(ValueError, match, user_model(rows=rows), user_schema(), tmp_path / "m")


def test_a_table_of_any_name_that_is_too_small_is_refused(tmp_path):
    inputs = {"user": keras.Input((), dtype="int64", name="user")}
    logit = keras.layers.Embedding(3, 1, name="users")(inputs["user"])
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(logit))
    match = r"a table row for every id(.|\n)*largest ids {'user': 3}"
    refused(ValueError, match, model, user_schema(), tmp_path / "m")


def test_anything_but_a_functional_model_is_refused(tmp_path):
    for model in ("model", keras.Model(), keras.Sequential()):
        refused(TypeError, "functional", model, user_schema(), tmp_path / "m")


def test_several_outputs_are_refused(tmp_path):
    wide = user_model(between=keras.layers.Dense(2))
    refused(ValueError, "one output", wide, user_schema(), tmp_path / "m")
    both = keras.Model(wide.input, [wide.output, wide.output])
    refused(ValueError, "one output", both, user_schema(), tmp_path / "m")


@pytest.mark.parametrize("activation", ["linear", lambda x: x / 0.0])
def test_scores_that_are_not_probabilities_are_refused(tmp_path, activation):
    model = user_model(activation=activation)
    refused(ValueError, "probabilities", model, user_schema(), tmp_path / "m")
    assert tree(tmp_path) == []


def test_a_model_that_samples_at_inference_is_refused(tmp_path):
    model = user_model(between=GumbelRouter(1, sample_at_eval=True))
    match = "deterministic.*\n.*Random"
    refused(ValueError, match, model, user_schema(), tmp_path / "m")
    assert tree(tmp_path) == []


def test_a_sample_without_a_field_or_a_row_is_refused(tmp_path):
    arguments = (user_model(), user_schema(), tmp_path / "m")
    for sample in (pd.DataFrame({"item": [1]}), pd.DataFrame({"user": []})):
        refused(ValueError, "Expected", *arguments, sample=sample)
    assert tree(tmp_path) == []


def test_a_file_or_a_version_is_not_a_directory_of_versions(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    arguments = user_model(), user_schema()
    refused(NotADirectoryError, "the file", *arguments, tmp_path / "file")
    refused(ValueError, "one version", *arguments, tmp_path / "1")
    assert os.listdir(tmp_path / "1") == ["saved_model.pb"]


def test_user_fields_are_the_group_and_the_histories_by_default():
    schema = click_schema()
    items = ["item", "device", "tags", "price", "age"]
    assert candidate_fields(schema) == items
    assert candidate_fields(schema, "item") == ["item"]
    only = tf_ctr.Schema([tf_ctr.Categorical("user", vocabulary=["a"])])
    assert candidate_fields(only) == []


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (["itm"], "name of a field"),
        ([], "some fields of the items"),
        (["user", "item", "device", "tags", "price", "age", "history"], "of the user"),
    ],
)
def test_wrong_item_fields_are_refused(fields, match):
    with pytest.raises(ValueError, match=match):
        candidate_fields(click_schema(), fields)


@pytest.mark.parametrize("sizes", [(), (0,), (4, 2), (2, 2), (1.5,)])
def test_batch_sizes_must_increase(tmp_path, sizes):
    refused_option(ValueError, "batch sizes, incre", tmp_path, batch_sizes=sizes)


def test_a_name_that_no_url_can_hold_is_refused(tmp_path):
    arguments = user_model(), user_schema(), tmp_path / "my model"
    refused(ValueError, "named as the model", *arguments)


def test_a_failing_warm_up_leaves_no_version(tmp_path, monkeypatch):
    monkeypatch.setattr(
        server_files, "write_warmup", lambda path, *_: path.write_bytes(b"text" * 9)
    )
    refused_option(ValueError, "warm-up: .* no TFRecord", tmp_path)


class Drifting(keras.layers.Layer):
    """Adds to its input the number of times that it was traced."""

    traces = 0

    def call(self, x):
        self.traces += 1
        return x + 1e-3 * self.traces


def test_a_differing_score_is_an_error_and_keeps_the_earlier_versions(tmp_path):
    (tmp_path / "m" / "1").mkdir(parents=True)
    before = tree(tmp_path)
    model = user_model(between=Drifting())
    match = r"difference of 0\.\d+ \(v1 session, serving_default\)"
    refused(RuntimeError, match, model, user_schema(), tmp_path / "m")
    assert tree(tmp_path) == before


def test_a_failing_process_is_an_error_and_leaves_no_version(tmp_path, monkeypatch):
    (tmp_path / "script.py").write_text("raise SystemExit('no such op')")
    monkeypatch.setattr(process.c_program, "__file__", str(tmp_path / "script.py"))
    with pytest.raises(RuntimeError, match="exit status 1\\). no such op"):
        export(user_model(), user_schema(), tmp_path / "m")
    assert tree(tmp_path) == ["script.py"]


def test_a_differing_score_in_the_fresh_process_is_an_error(tmp_path, monkeypatch):
    class Nan(process.ProcessLoader):
        def __call__(self, name, inputs):
            outputs = super().__call__(name, inputs)
            if name == "regress":
                outputs["outputs"] = outputs["outputs"] * np.nan
            return outputs

    monkeypatch.setattr(process, "ProcessLoader", Nan)
    with pytest.raises(RuntimeError, match=r"nan \(C\+\+ loader, regress\)"):
        export(user_model(), user_schema(), tmp_path / "m", batch_sizes=None)
    assert tree(tmp_path) == []


def test_an_interrupted_export_leaves_no_version(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(saved_model, "compare_loaded", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export(user_model(), user_schema(), tmp_path / "m")
    assert tree(tmp_path) == []
