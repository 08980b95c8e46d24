"""All signatures of an export: their scores, their inputs, and what is wrong input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

import tf_ctr
from tests.support.exported import predict
from tests.support.frames import click_frame, click_schema
from tests.support.models import batch, small_dcn
from tf_ctr.data.examples import to_examples
from tf_ctr.export import ops_placement, placement_report
from tf_ctr.export.string_ids import integers
from tf_ctr.inference import group_by_route
from tf_ctr.inference.candidates import candidate_model
from tf_ctr.serving.reference import raw_columns
from tf_ctr.transfer import apg, autoft, ctnet

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


def test_text_that_is_no_integer_is_an_unseen_id():
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


class Rows(keras.layers.Layer):
    """Notes of how many rows it is called on."""

    seen = None

    def call(self, x):
        self.seen = x.shape[0]
        return x + 0.0


def test_the_user_part_is_computed_once():
    inputs = {n: keras.Input((1,), name=n) for n in ("user", "context", "item")}
    user_part, item_part, joint = Rows(), Rows(), Rows()
    user = user_part(inputs["user"] * inputs["context"])
    both = joint(keras.layers.Add()([user, item_part(inputs["item"])]))
    model = keras.Model(inputs, keras.layers.Add()([both, user]))
    values = {
        "user": np.array([[1.0], [2.0]]),
        "context": np.array([[10.0], [10.0]]),
        "item": np.arange(6.0)[:, np.newaxis],
    }
    scores = candidate_model(model, ["item"])(values).numpy()[:, 0]
    np.testing.assert_allclose(scores, [20, 21, 22, 43, 44, 45])
    assert (user_part.seen, item_part.seen, joint.seen) == (2, 6, 6)


def test_ids_that_are_repeated_stay_integers():
    """The history and the item share a lookup in AutoFT's table of both copies."""
    model = group_by_route(perturbed(autoft(small_dcn(), seed=0)))
    features, _ = batch(4)
    users = {name: features[name][:1] for name in ("user", "history")}
    items = {name: features[name] for name in ("item", "price")}
    once = candidate_model(model, ["item", "price"])(users | items, training=False)
    flat = {name: np.repeat(value, 4, axis=0) for name, value in users.items()}
    close(once, model(flat | items, training=False))


def test_a_score_of_the_user_alone_is_repeated():
    inputs = {n: keras.Input((1,), name=n) for n in ("user", "item")}
    model = keras.Model(inputs, inputs["user"] * 1.0)
    values = {"user": np.array([[1.0], [2.0]]), "item": np.zeros((4, 1))}
    scores = candidate_model(model, ["item"])(values).numpy()[:, 0]
    np.testing.assert_allclose(scores, [1, 1, 2, 2])


def perturbed(model):
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    return model


@pytest.mark.parametrize(
    "method",
    [autoft, ctnet, lambda m: apg(m, "user", rank=2)],
    ids=["autoft", "ctnet", "apg"],
)
def test_every_method_scores_candidates_as_rows(method):
    model = method(small_dcn(batch_norm=True))
    features, _ = batch(6)
    perturbed(model)
    users = {n: features[n][:2] for n in ("user", "history")}
    items = {n: features[n] for n in ("item", "price")}
    before = [len(layer.weights) for layer in model.layers]
    once = candidate_model(model, ["item", "price"])(users | items, training=False)
    flat = {n: np.repeat(value, 3, axis=0) for n, value in users.items()}
    close(once, model(flat | items, training=False))
    assert [len(layer.weights) for layer in model.layers] == before


def test_all_signatures_in_the_session_loader_with_their_methods(exported, rows):
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


def test_the_fingerprint_is_that_of_the_files(exported):
    version = exported[2]
    written, now = (
        fingerprint_pb2.FingerprintDef.FromString(content).signature_def_hash
        for content in (
            (version / "fingerprint.pb").read_bytes(),
            fingerprinting.CreateFingerprintDef(str(version)),
        )
    )
    assert written == now


# Placement


def test_the_dense_part_has_a_gpu_kernel_for_every_operation(exported):
    frame = ops_placement(exported[2])
    assert frame[frame.part == "predict_encoded"].gpu_kernel.all()
    assert {"MatMul", "ResourceGather"} <= set(frame[frame.gpu_kernel].op)
    encode = frame[frame.part == "encode"]
    assert not {"MatMul", "ResourceGather"} & set(encode.op)
    without = encode[~encode.gpu_kernel].set_index("op")["count"]
    # A table of users, one of items for two fields, one of tags; devices are hashed.
    assert (without["LookupTableFindV2"], without["StringToHashBucketFast"]) == (4, 1)
    # Integers are compared on a GPU, strings are not.
    assert {True, False} == set(encode[encode.op == "Const"].gpu_kernel)
    text = placement_report(exported[2])
    assert "predict_encoded: 0 of" in text and "LookupTableFindV2 (" in text


def test_the_lookups_are_placed_on_the_cpu_and_the_model_nowhere(exported):
    loaded = exported[3]
    devices = {
        part: {
            (node.op, node.device)
            for function in [getattr(loaded, part).concrete_functions[0].graph]
            for node in function.as_graph_def().node
        }
        for part in ("encode", "predict_encoded")
    }
    on = dict(devices["encode"])["LookupTableFindV2"]
    assert on.endswith("CPU:0")
    assert {device for _, device in devices["predict_encoded"]} == {""}


def test_the_dense_part_is_a_function_of_its_own(exported, rows):
    columns, expected, _ = rows
    loaded = exported[3]
    close(loaded.predict_encoded(loaded.encode(tensors(columns))), expected)


def test_a_saved_model_of_others_has_no_placement(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"))
    with pytest.raises(ValueError, match="the function 'encode'"):
        ops_placement(tmp_path / "1")
