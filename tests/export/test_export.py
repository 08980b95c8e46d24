"""Exported scores, the variables in a version, and what a failure leaves behind."""

import concurrent.futures
import os

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tf_ctr
from tests.support.exported import (
    predict,
    train,
    trained_dcn,
    tree,
    user_model,
    user_schema,
)
from tests.support.frames import click_frame, click_schema
from tf_ctr.backbones import dcn
from tf_ctr.data import from_frame
from tf_ctr.export import export, saved_model
from tf_ctr.inference.batch_norm import fold_batch_norm
from tf_ctr.inference.merged import merged
from tf_ctr.layers import GumbelRouter
from tf_ctr.serving import parity
from tf_ctr.serving.labels.versions import next_version, publish, staging
from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders.ways import in_this_process
from tf_ctr.serving.reference import raw_columns, scores_in_batches
from tf_ctr.transfer import autoft


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def raw_tensors(schema, frame):
    return {n: tf.constant(c) for n, c in schema.raw_columns(frame).items()}


def serve(version):
    loaded = tf.saved_model.load(str(version))  # Kept alive by the closure.
    return lambda **raw: loaded.signatures["serving_default"](**raw)["click"].numpy()


@pytest.fixture(scope="module")
def schema():
    return click_schema()


@pytest.fixture(scope="module", params=["dcn", "autoft"])
def exported(request, schema, tmp_path_factory):
    """A trained model and its version, checked in a fresh process too."""
    model = trained_dcn(schema)
    if request.param == "autoft":
        model = train(autoft(model, seed=0), schema)
    directory = tmp_path_factory.mktemp(request.param) / "models" / "dcn"
    return model, export(model, schema, directory, sample=click_frame())


def test_scores_by_hand(tmp_path):
    version = export(user_model(), user_schema(), tmp_path / "m", fresh_process=False)
    # Row 0 is missing, row 1 unseen, then the vocabulary.
    scores = serve(version)(user=tf.constant(["", "eve", "ann", "bob"]))
    np.testing.assert_allclose(scores, sigmoid([0, 1, 2, 3]), rtol=1e-6)
    assert scores.dtype == np.float32


@pytest.mark.parametrize(
    "rows", [click_frame(40, seed=9), click_schema().example_rows(40)]
)
def test_scores_equal_the_training_path_on_rows_never_seen(exported, schema, rows):
    model, version = exported
    expected = predict(model, schema, rows)
    assert np.ptp(expected) > 0.1
    scores = serve(version)(**raw_tensors(schema, rows))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_scores_do_not_depend_on_the_batch(exported, schema):
    _, version = exported
    score, raw = serve(version), raw_tensors(schema, click_frame(5, seed=3))
    together = score(**raw)
    np.testing.assert_array_equal(score(**raw), together)
    single = [score(**{n: t[i : i + 1] for n, t in raw.items()}) for i in range(5)]
    np.testing.assert_allclose(np.concatenate(single), together, rtol=0, atol=1e-6)
    assert score(**{n: t[:0] for n, t in raw.items()}).shape == (0,)


def test_padding_of_a_request_does_not_move_the_score(exported, schema):
    _, version = exported
    score, raw = serve(version), raw_tensors(schema, click_frame(5, seed=3))
    wider = {
        **raw,
        "tags": tf.pad(raw["tags"], [[0, 0], [2, 3]], constant_values=""),
        "history": tf.pad(raw["history"], [[0, 0], [4, 1]], constant_values=-1),
    }
    np.testing.assert_array_equal(score(**wider), score(**raw))


def test_signature_has_the_raw_names_dtypes_and_ranks(exported, schema):
    loaded = tf.saved_model.load(str(exported[1]))
    _, inputs = loaded.signatures["serving_default"].structured_input_signature
    expected = schema.raw_signature()
    assert {n: (s.dtype, s.shape.rank) for n, s in inputs.items()} == {
        n: (s.dtype, s.shape.rank) for n, s in expected.items()
    }


def test_a_request_without_a_field_is_an_error_that_names_it(exported, schema):
    raw = raw_tensors(schema, click_frame(2))
    del raw["device"]
    with pytest.raises(TypeError, match="device"):
        serve(exported[1])(**raw)


def test_scores_in_the_session_loader_of_tf_serving(exported, schema):
    model, version = exported
    rows = click_frame(20, seed=4)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = meta.signature_def["serving_default"]
        feed = schema.raw_columns(rows)
        scores = session.run(
            signature.outputs["click"].name,
            {signature.inputs[name].name: column for name, column in feed.items()},
        )
    expected = predict(model, schema, rows)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    assert signature.method_name == "tensorflow/serving/predict"


def test_each_inference_weight_is_stored_once_and_nothing_else(exported):
    model, version = exported
    # An AutoFT model has these too; sampling needs them, inference does not.
    training_only = {w.name for w in model.non_trainable_variables} & {
        "temperature",
        "seed_generator_state",
    }
    assert training_only or "dcn" in str(version)
    served = fold_batch_norm(merged(model))
    inference = [w for w in served.weights if w.name != "temperature"]
    loaded = tf.saved_model.load(str(version))
    names = sorted(w.name.split("/")[-1] for w in loaded.weights)
    assert names == sorted(w.value.name.split("/")[-1] for w in inference)

    stored = tf.train.list_variables(str(version / "variables" / "variables"))
    shapes = [tuple(s) for n, s in stored if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    assert sorted(shapes) == sorted(tuple(w.shape) for w in inference)
    floats = (version / "variables" / "variables.data-00000-of-00001").stat().st_size
    # The graph of objects and functions is in the same file.
    overhead = 1000 + 200 * len(loaded.weights)
    assert floats < sum(4 * np.prod(shape) for shape in shapes) + overhead


def test_nothing_is_compiled_by_xla_in_the_export(tmp_path):
    schema = tf_ctr.Schema([tf_ctr.Numeric("age")])
    schema.fit(pd.DataFrame({"age": [20.0, 40.0]}))
    age = keras.Input((1,), name="age")
    model = keras.Model({"age": age}, keras.layers.Dense(1, "sigmoid")(age))
    model.compile("sgd", "binary_crossentropy", jit_compile=True)
    version = export(model, schema, tmp_path / "m", fresh_process=False)
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((version / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    assert len(functions) > 1
    assert not any(f.attr["_XlaMustCompile"].b for f in functions)


def test_a_model_that_samples_at_inference_is_refused(tmp_path):
    model = user_model(between=GumbelRouter(1, sample_at_eval=True))
    with pytest.raises(ValueError, match="deterministic.*\n.*Random"):
        export(model, user_schema(), tmp_path / "m", fresh_process=False)
    assert tree(tmp_path) == []


def test_training_goes_on_from_the_files_beside_it(exported, schema):
    model, version = exported
    extra = version / "assets.extra"
    again = keras.saving.load_model(extra / "model.keras")
    learned = tf_ctr.Schema.load(extra / "schema.json")
    frame = click_frame()
    np.testing.assert_array_equal(
        predict(again, learned, frame), predict(model, schema, frame)
    )
    assert again.optimizer.iterations == model.optimizer.iterations
    again.fit(from_frame(frame, learned), shuffle=False, verbose=0)


def test_reduced_precision_is_served_as_float32(schema, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = dcn(schema, embedding_dim=4, hidden_units=(8,))
    finally:
        keras.config.set_dtype_policy("float32")
    version = export(model, schema, tmp_path / "m", fresh_process=False)
    assert serve(version)(**raw_tensors(schema, click_frame(3))).dtype == np.float32


def test_strings_reach_the_fresh_process_as_they_are():
    frame = pd.DataFrame({"user": ["ann", "Ólafur", None, "", "x y"]})
    column = raw_columns(user_schema(), frame)["user"]
    assert column.dtype.kind == "S"
    assert [text.decode() for text in column] == ["ann", "Ólafur", "", "", "x y"]


def test_scores_in_batches_cover_every_row_once():
    columns = {"x": np.arange(5.0)}
    scores = scores_in_batches(lambda raw: raw["x"].numpy(), columns, 2)
    np.testing.assert_array_equal(scores, columns["x"])


class Drifting(keras.layers.Layer):
    """Adds to its input the number of times that it was traced."""

    traces = 0

    def call(self, x):
        self.traces += 1
        return x + 1e-3 * self.traces


def test_a_differing_score_is_an_error_and_leaves_the_versions_alone(tmp_path):
    (tmp_path / "m" / "1").mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(RuntimeError, match=r"difference of 0\.\d+ \(this process"):
        export(user_model(between=Drifting()), user_schema(), tmp_path / "m")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "code", ["raise SystemExit('no such op')", "import os; os.abort()"]
)
def test_a_failing_fresh_process_is_an_error(tmp_path, monkeypatch, code):
    (tmp_path / "script.py").write_text(code)
    monkeypatch.setattr(run_signatures, "__file__", str(tmp_path / "script.py"))
    with pytest.raises(RuntimeError, match="fresh process(.|\n)*(no such op|code -6)"):
        export(user_model(), user_schema(), tmp_path / "m")
    assert tree(tmp_path) == ["script.py"]


def test_a_differing_score_in_the_fresh_process_is_an_error(tmp_path, monkeypatch):
    def nan(version, feeds):
        outputs = in_this_process(version, feeds)
        outputs["regress"]["outputs"] *= np.nan
        return outputs

    monkeypatch.setitem(parity.WAYS, "fresh process", nan)
    with pytest.raises(RuntimeError, match=r"nan \(fresh process, regress\)"):
        export(user_model(), user_schema(), tmp_path / "m")
    assert tree(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(saved_model, "compare_ways", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export(user_model(), user_schema(), tmp_path / "m")
    assert tree(tmp_path) == []


def test_each_export_takes_the_next_number_and_says_so(tmp_path, capsys):
    for name in ("9", "10", "latest", ".11", "12.bak", "-13"):
        (tmp_path / "m" / name).mkdir(parents=True)
    version = export(user_model(), user_schema(), tmp_path / "m", fresh_process=False)
    assert version == tmp_path / "m" / "11"
    assert f"saved_model_cli show --dir {version}" in capsys.readouterr().out
    again = export(
        user_model(), user_schema(), str(tmp_path / "m"), None, False, verbose=False
    )
    assert again.name == "12"
    assert capsys.readouterr().out == ""
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_version_can_be_read_by_whom_a_new_directory_can(tmp_path):
    (tmp_path / "plain").mkdir()
    with staging(tmp_path / "m") as workspace:
        (workspace / "version").mkdir()
        version = publish(workspace / "version", tmp_path / "m")
    assert version.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_next_version_of_a_missing_directory_is_one(tmp_path):
    assert next_version(tmp_path / "missing") == 1


def test_exports_at_once_take_different_numbers(tmp_path):
    def publish_one(i):
        with staging(tmp_path / "m") as workspace:
            (workspace / "version").mkdir()
            (workspace / "version" / "saved_model.pb").write_text(str(i))
            return publish(workspace / "version", tmp_path / "m")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(publish_one, range(40)))
    assert sorted(int(v.name) for v in versions) == list(range(1, 41))
    written = {int((v / "saved_model.pb").read_text()) for v in versions}
    assert written == set(range(40))


def test_another_error_of_the_rename_is_not_retried(tmp_path):
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", tmp_path / "m")


def refused(error, match, *arguments, **options):
    with pytest.raises(error, match=match):
        export(*arguments, fresh_process=False, **options)


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
def test_a_table_of_another_vocabulary_is_refused(rows, tmp_path):
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
def test_scores_that_are_no_probabilities_are_refused(tmp_path, activation):
    model = user_model(activation=activation)
    refused(ValueError, "probabilities", model, user_schema(), tmp_path / "m")
    assert tree(tmp_path) == []


def test_a_sample_without_a_field_or_a_row_is_refused(tmp_path):
    arguments = (user_model(), user_schema(), tmp_path / "m")
    for sample in (pd.DataFrame({"item": [1]}), pd.DataFrame({"user": []})):
        refused(ValueError, "Expected", *arguments, sample=sample)
    assert tree(tmp_path) == []


def test_a_file_or_a_version_is_no_directory_of_versions(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    arguments = user_model(), user_schema()
    refused(NotADirectoryError, "the file", *arguments, tmp_path / "file")
    refused(ValueError, "one version", *arguments, tmp_path / "1")
    assert os.listdir(tmp_path / "1") == ["saved_model.pb"]
