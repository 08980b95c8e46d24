"""The files beside a model: warm-up requests, samples, the server's configuration."""

import json
import math
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

import tf_ctr
from tests.support.exported import tree, user_model, user_schema
from tf_ctr.backbones import dcn
from tf_ctr.export import export
from tf_ctr.serving.labels.models_config import read_labels, write_labels
from tf_ctr.serving.labels.pending import read_pending
from tf_ctr.serving.rules.batching import parse_batching_parameters
from tf_ctr.serving.wire.signatures import click_of

SIZES = (1, 3, 5)
SIGNATURES = [
    "serving_default",
    "predict_examples",
    "regress",
    "classify",
    "string_ids",
    "candidates",
]


def rows():
    return pd.DataFrame(
        {
            "user": ["ann", "bob", None],
            "item": pd.array([7, 2**60, None], "Int64"),
            "tags": [["a", "b"], [], ["b"]],
            "price": [0.1, float("nan"), 2.0],
        }
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    schema = tf_ctr.Schema(
        [
            tf_ctr.Categorical("user"),
            tf_ctr.Categorical("item"),
            tf_ctr.Categorical("tags", multivalent=True),
            tf_ctr.Numeric("price"),
        ],
        group="user",
    ).fit(rows())
    model = dcn(schema, embedding_dim=2, hidden_units=(2,), num_cross_layers=1)
    directory = tmp_path_factory.mktemp("savedmodels") / "dcn"
    version = export(
        model,
        schema,
        directory,
        rows(),
        fresh_process=False,
        verbose=False,
        item_fields=["tags", "item"],
        batch_sizes=SIZES,
    )
    return schema, version, tf.saved_model.load(str(version))


def logs(version):
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(path))
    return [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in records]


def request_of(log):
    return getattr(log, log.WhichOneof("log_type")).request


def test_every_signature_is_warmed_up_at_every_batch_size(exported):
    sizes = {}
    for log in logs(exported[1]):
        request = request_of(log)
        if isinstance(request, predict_pb2.PredictRequest):
            key = "examples" if "examples" in request.inputs else "item"
            size = request.inputs[key].tensor_shape.dim[-1].size
        else:
            size = len(request.input.example_list.examples)
        sizes.setdefault(request.model_spec.signature_name, []).append(size)
    assert sizes == {name: list(SIZES) for name in SIGNATURES}


def test_warm_up_rows_come_from_the_sample(exported):
    _, version, _ = exported
    five = request_of(logs(version)[-len(SIGNATURES)])
    users = tf.make_ndarray(five.inputs["user"]).tolist()
    assert users == [b"ann", b"bob", b"", b"ann", b"bob"]
    items = tf.make_ndarray(five.inputs["item"]).tolist()
    assert items == [7, 2**60, -1, 7, 2**60]
    text = request_of(logs(version)[-2])
    assert text.model_spec.signature_name == "string_ids"
    items = tf.make_ndarray(text.inputs["item"]).tolist()
    assert items == [b"7", b"%d" % 2**60, b"", b"7", b"%d" % 2**60]


def test_a_candidates_request_has_one_user(exported):
    request = request_of(logs(exported[1])[-1])
    assert request.model_spec.signature_name == "candidates"
    shapes = {n: tf.make_ndarray(t).shape for n, t in request.inputs.items()}
    assert shapes == {"user": (1,), "item": (1, 5), "tags": (1, 5, 2), "price": (1,)}


def sample(version, name):
    return version / "assets.extra" / "requests" / name


def test_samples_for_rest_are_the_first_rows(exported):
    _, version, _ = exported
    assert json.loads(sample(version, "serving_default_row.json").read_text())[
        "instances"
    ][0] == {"user": "ann", "item": 7, "tags": ["a", "b"], "price": 0.1}
    column = json.loads(sample(version, "string_ids_column.json").read_text())
    assert column["signature_name"] == "string_ids"
    assert column["inputs"]["item"] == ["7", str(2**60), ""]
    assert math.isnan(column["inputs"]["price"][1])
    assert column["inputs"]["tags"] == [["a", "b"], ["", ""], ["b", ""]]
    row = json.loads(sample(version, "candidates_row.json").read_text())
    assert row["instances"][0]["user"] == "ann"
    assert row["instances"][0]["item"] == [7, 2**60, -1]
    examples = json.loads(sample(version, "classify.json").read_text())["examples"]
    assert examples == [
        {"user": "ann", "item": 7, "tags": ["a", "b"], "price": 0.1},
        {"user": "bob", "item": 2**60},
        {"tags": ["b"], "price": 2.0},
    ]


def answer(message, loaded):
    if hasattr(message, "inputs"):
        inputs = {key: tf.make_ndarray(value) for key, value in message.inputs.items()}
    else:
        examples = message.input.example_list.examples
        inputs = {"inputs": np.array([e.SerializeToString() for e in examples], object)}
    signature = loaded.signatures[message.model_spec.signature_name]
    return signature(**{key: tf.constant(value) for key, value in inputs.items()})


def test_samples_for_grpc_are_answered(exported):
    _, version, loaded = exported
    expected = None
    for name in SIGNATURES[:5]:
        message = {
            "regress": regression_pb2.RegressionRequest,
            "classify": classification_pb2.ClassificationRequest,
        }.get(name, predict_pb2.PredictRequest)()
        text_format.Parse(sample(version, f"{name}.pbtxt").read_text(), message)
        assert message.model_spec.name == "dcn"
        click = click_of(answer(message, loaded))
        expected = click if expected is None else expected
        np.testing.assert_allclose(click, expected, rtol=0, atol=1e-6)
    assert len(list(sample(version, "").glob("*"))) == 3 * 2 + 3 + 6


def test_batching_parameters_have_the_batch_sizes_and_no_padding(exported):
    text = (exported[1] / "batching_params.pbtxt").read_text()
    parsed = parse_batching_parameters(text)
    assert parsed.max_execution_batch_size.value == 5
    # A larger request is cut, and all of it fits in the queue.
    assert parsed.max_batch_size.value == 8 * 5
    assert parsed.enable_large_batch_splitting.value
    assert parsed.max_enqueued_batches.value >= 8
    sizes = [line for line in text.splitlines() if line.startswith("allowed")]
    # Source: bundle_factory_util.cc, WrapSessionForBatching.
    assert sizes == [f"allowed_batch_sizes: {size}" for size in (*SIZES, 8 * 5)]
    # Without effect in a version: a flag sets it, by batching_pool.config.
    assert not parsed.HasField("num_batch_threads")
    assert "pad_variable_length_inputs: false" in text


def test_the_record_beside_the_version_says_what_was_exported(exported):
    _, version, _ = exported
    record = json.loads((version / "assets.extra" / "export.json").read_text())
    assert record["item_fields"] == ["item", "tags"]
    assert record["batch_sizes"] == list(SIZES)
    (differences,) = record["differences"].values()
    assert set(differences) == set(SIGNATURES)
    assert max(differences.values()) <= 1e-6


def config_of(directory):
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((directory / "models.config").read_text(), config)
    return config.model_config_list.config


def test_the_first_version_is_stable_and_the_newest_waits_to_be_the_canary(tmp_path):
    directory = tmp_path / "m"
    arguments = (user_model(), user_schema(), directory)
    options = {"fresh_process": False, "verbose": False, "batch_sizes": (1,)}
    export(*arguments, **options)
    (entry,) = config_of(directory)
    assert (entry.name, entry.base_path) == ("m", "/models/m")
    assert entry.model_platform == "tensorflow"
    assert read_labels(directory) == {"stable": 1, "canary": 1}
    (directory / "README.md").write_text("edited")
    export(*arguments, **options)
    assert read_labels(directory) == {"stable": 1, "canary": 1}
    assert read_pending(directory) == {"canary": 2}
    (entry,) = config_of(directory)
    assert entry.model_version_policy.HasField("all")
    assert (directory / "README.md").read_text() == "edited"

    (directory / "models.config").write_text("model_config_list { nonsense }")
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="ModelServerConfig"):
        export(*arguments, **options)
    assert tree(tmp_path) == before


def test_new_labels_keep_the_rest_of_the_configuration(tmp_path):
    directory = tmp_path / "m"
    directory.mkdir()
    (directory / "models.config").write_text(
        'model_config_list { config { name: "other" base_path: "/x" }\n'
        'config { name: "m" base_path: "/y" logging_config {} } }'
    )
    write_labels(directory, {"stable": 3})
    other, own = config_of(directory)
    assert (other.name, other.base_path, own.base_path) == ("other", "/x", "/y")
    assert own.HasField("logging_config")
    assert dict(own.version_labels) == {"stable": 3}
    assert own.model_version_policy.HasField("all")


@pytest.fixture
def without_the_extra(monkeypatch):
    """Hides the package `tensorflow-serving-api`."""
    for name in [n for n in sys.modules if n.startswith("tensorflow_serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)


def test_without_the_extra_the_other_files_are_written_and_a_line_says_so(
    without_the_extra, tmp_path, capsys
):
    directory = tmp_path / "m"
    version = export(user_model(), user_schema(), directory, fresh_process=False)
    [line] = [t for t in capsys.readouterr().out.splitlines() if "Left out" in t]
    assert "warm-up requests" in line and "pip install 'tf_ctr[serving]'" in line
    configs = ["monitoring.config", "session.config", "batching_pool.config"]
    names = [*configs, version.name]
    assert sorted(p.name for p in directory.iterdir()) == sorted(names)
    extra = version / "assets.extra"
    assert not list(extra.rglob("*.pbtxt")) and list(extra.rglob("regress.json"))
    assert (version / "batching_params.pbtxt").exists()
    assert json.loads((extra / "export.json").read_text())["left_out"] == line


def test_without_server_files_no_file_for_the_server_is_written(tmp_path, capsys):
    export(user_model(), user_schema(), tmp_path / "m", None, False, batch_sizes=None)
    assert "Left out" not in capsys.readouterr().out
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["1"]
    assert sorted(
        p.name for p in (tmp_path / "m" / "1" / "assets.extra").iterdir()
    ) == [
        "export.json",
        "manifest.json",
        "model.keras",
        "schema.json",
    ]
