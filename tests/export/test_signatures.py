"""All signatures of an export: their scores, their inputs, and wrong inputs."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

import tf_ctr
from tests.support.exported import predict
from tests.support.frames import click_frame, click_schema
from tf_ctr.data.examples import to_examples
from tf_ctr.export.string_ids import integers
from tf_ctr.serving.reference import raw_columns

ITEMS = ("item", "device", "tags", "price", "age")
ROWS = 5


@pytest.fixture(scope="module")
def exported(exported_clicks):
    model, version = exported_clicks
    return model, click_schema(), version, tf.saved_model.load(str(version))


@pytest.fixture(scope="module")
def rows(exported):
    """New rows, their scores computed as in training, and the signatures."""
    model, schema, _, loaded = exported
    frame = click_frame(ROWS, seed=5)
    columns = raw_columns(schema, frame)
    return columns, predict(model, schema, frame), loaded.signatures


def tensors(columns):
    return {name: tf.constant(column) for name, column in columns.items()}


def serialized(columns, schema):
    examples = to_examples(columns, schema.fields)
    return tf.constant([example.SerializeToString() for example in examples])


def close(scores, expected):
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


def test_examples_give_the_scores_of_training(exported, rows):
    columns, expected, signatures = rows
    examples = serialized(columns, exported[1])
    close(signatures["predict_examples"](examples=examples)["click"], expected)
    close(signatures["regress"](inputs=examples)["outputs"], expected)
    classified = signatures["classify"](inputs=examples)
    assert set(classified) == {"classes", "scores"}
    close(classified["scores"], np.stack([1 - expected, expected], axis=1))
    assert classified["classes"].numpy().tolist() == [[b"no_click", b"click"]] * ROWS


def test_a_feature_that_an_example_lacks_is_a_missing_value(exported, rows):
    columns, _, signatures = rows
    missing = {
        "user": np.array([b""]),
        "item": np.array([-1]),
        "device": np.array([b""]),
        "tags": np.array([[b""]]),
        "price": np.array([np.nan], "float32"),
        "age": np.array([np.nan], "float32"),
        "history": np.array([[-1]]),
    }
    expected = signatures["serving_default"](**tensors(missing))["click"]
    empty = tf.constant([tf.train.Example().SerializeToString()])
    close(signatures["predict_examples"](examples=empty)["click"], expected)


def test_integer_ids_may_be_strings(exported, rows):
    columns, expected, signatures = rows
    text = {
        name: c if c.dtype.kind in "Sf" else np.char.encode(c.astype(str), "ascii")
        for name, c in columns.items()
    }
    close(signatures["string_ids"](**tensors(text))["click"], expected)


def test_text_that_does_not_spell_an_integer_is_an_unseen_id():
    item = tf_ctr.Categorical("item", vocabulary=[0, 7, 2**63 - 1], padding=1)
    largest, smallest = str(2**63 - 1), str(-(2**63))
    spelled = [largest, smallest, "-5", "007"]
    values = integers(tf.constant([spelled]), item).numpy().tolist()
    assert values == [[2**63 - 1, -(2**63), -5, 7]]
    # 2 is the first number that is neither an id nor padding.
    odd = ["", str(2**63), smallest[:-1] + "9", "9" * 30, "1.0", "nan", " 7", "x", "é"]
    odd += ["-"]
    assert integers(tf.constant(odd), item).numpy().tolist() == [1] + [2] * 9
    # Around each digit of the largest integer.
    for place in range(19):
        step = 10**place
        near = [str(2**63 - 1 - step), str(2**63 - 1 + step)]
        found = integers(tf.constant(near), item).numpy().tolist()
        assert found == [2**63 - 1 - step, 2]


def test_candidates_have_the_scores_of_rows(exported, rows):
    columns, _, signatures = rows
    users = {n: c[:2] for n, c in columns.items() if n not in ITEMS}
    items = {n: c[:4].reshape(2, 2, *c.shape[1:]) for n, c in columns.items()}
    items = {name: items[name] for name in ITEMS}
    click = signatures["candidates"](**tensors(users | items))["click"]
    # The candidates of a user one after the other, beside the user's own fields.
    flat = {n: np.repeat(c, 2, axis=0) for n, c in users.items()}
    flat |= {n: columns[n][:4] for n in ITEMS}
    expected = signatures["serving_default"](**tensors(flat))["click"]
    assert np.ptp(expected) > 0.01
    close(click, np.reshape(expected, (2, 2)))


def test_candidates_of_another_number_of_users_are_an_error_that_says_so(rows):
    columns, _, signatures = rows
    given = {n: c[np.newaxis] if n in ITEMS else c[:2] for n, c in columns.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match="a row per user"):
        signatures["candidates"](**tensors(given))


def test_the_session_loader_reads_all_signatures_with_their_methods(exported, rows):
    columns, expected, _ = rows
    _, schema, version, _ = exported
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        methods = {
            name: each.method_name.removeprefix("tensorflow/serving/")
            for name, each in meta.signature_def.items()
            if not name.startswith("__")
        }
        regress = meta.signature_def["regress"]
        examples = [e.SerializeToString() for e in to_examples(columns, schema.fields)]
        scores = session.run(
            regress.outputs["outputs"].name, {regress.inputs["inputs"].name: examples}
        )
    assert methods == {
        "serving_default": "predict",
        "string_ids": "predict",
        "candidates": "predict",
        "predict_examples": "predict",
        "regress": "regress",
        "classify": "classify",
    }
    close(scores, expected)


def test_the_fingerprint_matches_the_files(exported):
    version = exported[2]
    written, now = (
        fingerprint_pb2.FingerprintDef.FromString(content).signature_def_hash
        for content in (
            (version / "fingerprint.pb").read_bytes(),
            fingerprinting.CreateFingerprintDef(str(version)),
        )
    )
    assert written == now


def test_the_dense_part_is_a_separate_function(exported, rows):
    columns, expected, _ = rows
    loaded = exported[3]
    close(loaded.predict_encoded(loaded.encode(tensors(columns))), expected)
