"""SpotTune is AutoFT without the fields; NATR transfers the item embeddings only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.frames import click_frame, click_schema
from tests.support.models import batch, small_dcn, two_tower_inputs, weights_by_layer
from tf_ctr.backbones import BACKBONES
from tf_ctr.data import from_frame
from tf_ctr.layers import DomainGate, Embedding, HistoryAttention, MaskedPooling
from tf_ctr.transfer import autoft, natr, spottune

# SpotTune


def test_spottune_is_autoft_on_the_hidden_layers():
    arguments = {"seed": 3, "router": {"hidden_units": (7,), "budget": 0.5}}
    names, seeds = [], []
    for model in (
        spottune(small_dcn(), **arguments),
        autoft(small_dcn(), which=("cross", "deep"), **arguments),
    ):
        names.append({layer.name for layer in model.layers})
        router = model.get_layer("deep_router")
        seeds.append((router.seed, router.hidden_units, router.budget))
    assert names[0] == names[1]
    assert seeds[0] == seeds[1]
    assert "embedding_router" not in names[0]


def test_spottune_takes_no_components_and_needs_a_hidden_layer():
    with pytest.raises(TypeError, match="which"):
        spottune(small_dcn(), which="deep")
    inputs = {"price": keras.Input((1,), name="price")}
    linear = keras.Model(inputs, keras.layers.Dense(1, name="logit")(inputs["price"]))
    with pytest.raises(ValueError, match="a hidden layer to route"):
        spottune(linear)


# The layers of NATR


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def numpy_attention(layer, query, rows, ids):
    query_kernel, row_kernel, bias, score = layer.get_weights()
    hidden = (query @ query_kernel)[:, None] + rows @ row_kernel + bias
    scores = (np.maximum(hidden, 0) @ score)[..., 0]
    result = np.zeros((len(ids), rows.shape[2]))
    for i, present in enumerate(ids != 0):
        if present.any():
            result[i] = softmax(scores[i, present]) @ rows[i, present]
    return result


def numpy_gate(layer, own, transferred):
    (w,) = layer.get_weights()
    shares = softmax(np.concatenate([own @ w, transferred @ w], axis=1))
    return shares[:, :1] * own + shares[:, 1:] * transferred


def test_the_attention_agrees_with_its_equation_and_skips_padding():
    rng = np.random.default_rng(0)
    query, rows = rng.normal(size=(4, 5)), rng.normal(size=(4, 3, 2))
    ids = np.array([[3, 1, 2], [4, 0, 0], [0, 0, 0], [0, 7, 7]])
    layer = HistoryAttention(units=6)
    actual = layer(query, rows, ids)
    np.testing.assert_allclose(
        actual, numpy_attention(layer, query, rows, ids), atol=1e-6
    )
    np.testing.assert_array_equal(actual[2], np.zeros(2))


def test_gate_agrees_with_its_equation():
    rng = np.random.default_rng(0)
    own, transferred = rng.normal(size=(2, 4, 3))
    layer = DomainGate()
    actual = layer(own, transferred)
    np.testing.assert_allclose(actual, numpy_gate(layer, own, transferred), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HistoryAttention(0), "`units` to be a whole number"),
        (
            lambda: HistoryAttention()(
                np.ones((2, 3, 4)), np.ones((2, 3, 4)), np.ones((2, 3))
            ),
            "one query per example",
        ),
        (
            lambda: HistoryAttention()(
                np.ones((2, 4)), np.ones((2, 3, 4)), np.ones((2, 2))
            ),
            "ids that the vectors were looked up with",
        ),
        (
            lambda: DomainGate()(np.ones((2, 3)), np.ones((2, 4))),
            "two vectors of the same shape",
        ),
    ],
    ids=["units", "query", "ids", "widths"],
)
def test_bad_shapes_raise_errors_with_a_fix(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# NATR


def randomise(model):
    rng = np.random.default_rng(5)
    for layer in model.layers:
        if not layer.name.endswith("_frozen"):
            layer.set_weights(
                [rng.normal(size=w.shape) for w in layer.get_weights()],
            )


def test_natr_passes_the_user_and_item_vectors_to_the_backbone():
    features, _ = batch()
    source = small_dcn()
    model = natr(source, "item", "history", attention_units=6)
    randomise(model)
    user, item = (
        model.get_layer(f"{name}_embedding").get_weights()[0]
        for name in ("user", "item")
    )
    (transferred,) = source.get_layer("item_embedding").get_weights()
    ids = features["history"]
    mask = (ids > 0)[..., None]
    own = (item[ids] * mask).sum(1) / np.maximum(mask.sum(1), 1)
    u_source = numpy_attention(
        model.get_layer("history_source_attention"), own, transferred[ids], ids
    )
    expected = [
        user[features["user"]],
        numpy_gate(
            model.get_layer("item_gate"),
            item[features["item"]],
            transferred[features["item"]],
        ),
        numpy_gate(model.get_layer("history_gate"), own, u_source),
        features["price"],
    ]
    joined = keras.Model(model.input, model.get_layer("embeddings").output)
    np.testing.assert_allclose(
        joined(features), np.concatenate(expected, axis=1), atol=1e-5
    )


def test_natr_transfers_only_the_item_table(tmp_path):
    features, labels = batch()
    source = small_dcn()
    before = source.get_weights()
    model = natr(source, "item", "history")
    for layer in source.layers:
        for old, new in zip(
            layer.get_weights(),
            model.get_layer(layer.name).get_weights(),
            strict=True,
        ):
            assert not old.any() or not np.array_equal(old, new), layer.name
    start = weights_by_layer(model)
    model.compile("sgd", "binary_crossentropy")
    model.optimizer.learning_rate = 0.5
    for _ in range(3):
        model.train_on_batch(features, labels)
    for layer in model.layers:
        for old, new in zip(
            start.get(layer.name, []), layer.get_weights(), strict=True
        ):
            moved = not np.array_equal(old, new)
            assert moved != layer.name.endswith("_frozen"), layer.name
    for old, new in zip(before, source.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(features), model(features))
    assert not reloaded.get_layer("item_embedding_frozen").trainable_variables


@pytest.mark.parametrize("name", ["dnn", "deepfm", "din"])
def test_natr_works_on_backbones(name):
    schema = click_schema()
    source = BACKBONES[name](schema, embedding_dim=4, hidden_units=(8,))
    model = natr(source, "item", "history")
    features, _ = next(iter(from_frame(click_frame(), schema, batch_size=30)))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(features))
    gradients = tape.gradient(total, [w.value for w in model.trainable_variables])
    names = [w.path for w in model.trainable_variables]
    assert [n for n, g in zip(names, gradients, strict=True) if g is None] == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("item", "price"), "'price'.\nFix: use one of: history, item, user"),
        (("movie", "history"), "'movie'.\nFix: use one of: history, item, user"),
        (("item", "user"), "Sequence..user., of=.item.."),
        (("item", "item"), "another field than 'item'"),
    ],
    ids=["numeric", "unknown", "other table", "itself"],
)
def test_natr_needs_a_history_that_shares_the_item_table(fields, message):
    with pytest.raises(ValueError, match=message):
        natr(small_dcn(), *fields)


def test_natr_needs_one_vector_for_the_history():
    inputs = two_tower_inputs()
    table = Embedding(11, 4, name="item_embedding")
    item, history = table(inputs["item"]), table(inputs["history"])
    MaskedPooling(name="history_pooling")(history, inputs["history"])
    flat = keras.layers.Flatten(name="flat")(history)
    x = keras.layers.Concatenate()([item, flat])
    source = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    with pytest.raises(ValueError, match=r"\(None, 12\) of 'flat'"):
        natr(source, "item", "history")
