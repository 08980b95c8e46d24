"""The backbones with attention over histories: DIN and taobao."""

import keras
import numpy as np
import pandas as pd
import pytest

import tf_ctr
from tf_ctr.backbones import din, taobao
from tf_ctr.surgery.graph import Graph
from tf_ctr.transfer import autoft, fine_tune

SIZES = {"embedding_dim": 4, "hidden_units": (6,)}
SMALL = {**SIZES, "attention_units": 8, "num_heads": 2, "bits": 6}
CATEGORIES = {"history": ("history_category", "category")}


def schema(max_length=6, of_categories=6, **names):
    return tf_ctr.Schema(
        [
            tf_ctr.Categorical("user", ["a", "b"]),
            tf_ctr.Categorical("item", list(range(20))),
            tf_ctr.Categorical("category", list(range(4))),
            tf_ctr.Sequence("history", of="item", max_length=max_length),
            tf_ctr.Sequence(
                "history_category", of="category", max_length=of_categories
            ),
        ],
        **names,
    )


def features(fitted, rows=8):
    """Encoded features; the first history is empty, all have at most 6 items."""
    rng = np.random.default_rng(0)
    histories = [list(rng.integers(0, 20, n)) for n in [0, 6, *rng.integers(1, 7, 6)]]
    frame = pd.DataFrame(
        {
            "user": rng.choice(["a", "b"], rows),
            "item": rng.integers(0, 20, rows),
            "history": histories,
        }
    )
    frame["category"] = frame["item"] % 4
    frame["history_category"] = [[i % 4 for i in ids] for ids in histories]
    return fitted.encode(fitted.raw_columns(frame))


def randomise(model):
    rng = np.random.default_rng(4)
    for weight in model.weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape) ** 2)
    return model


@pytest.mark.parametrize(
    "build",
    [
        lambda s: din(s, **SIZES),
        lambda s: taobao(s, categories=CATEGORIES, top_k=2, recent_length=3, **SMALL),
        lambda s: taobao(s, categories=CATEGORIES, **SMALL),
    ],
    ids=["din", "taobao, cut", "taobao"],
)
def test_scores_do_not_depend_on_max_length_beyond_the_history(build):
    short, long = schema(6, 6), schema(11, 11)
    model, longer = randomise(build(short)), build(long)
    longer.set_weights(model.get_weights())
    scores = model(features(short)).numpy()
    assert np.all(np.isfinite(scores)) and len(np.unique(scores)) > 1
    np.testing.assert_allclose(longer(features(long)), scores, atol=1e-5)


def test_taobao_attends_with_item_to_history_and_category_to_its_history():
    fitted = schema()
    model = randomise(taobao(fitted, categories=CATEGORIES, top_k=2, **SMALL))
    batch = features(fitted)
    outputs = {
        name: model.get_layer(name).output for name in ("history_sim", "history_eta")
    }
    found = keras.Model(model.input, outputs)(batch)
    item = model.get_layer("item_embedding")
    rows = item(batch["history"]), batch["history"]
    categories = batch["category"], batch["history_category"]
    query = item(batch["item"])
    sim = model.get_layer("history_sim")(query, *rows, *categories)
    np.testing.assert_allclose(found["history_sim"], sim, atol=1e-6)
    eta = model.get_layer("history_eta")(query, *rows)
    np.testing.assert_allclose(found["history_eta"], eta, atol=1e-6)


def test_attentions_are_depths_and_replace_the_pooling():
    model = taobao(schema(), categories=CATEGORIES, recent_length=3, **SMALL)
    assert Graph(model).depths == [
        name
        for name in [layer.name for layer in model.layers]
        if name.endswith(("_encoder", "_attention", "_sim", "_eta", "deep_0"))
    ]
    names = {layer.name for layer in model.layers}
    assert {"history_sim", "history_newest", "history_category_eta"} <= names
    # A history of categories has no categories of its own.
    assert not {"history_pooling", "history_category_sim"} & names


def test_named_histories_are_attended_and_the_others_are_pooled():
    for build in (din, taobao):
        model = build(schema(), histories={"history": "item"})
        names = {layer.name for layer in model.layers}
        assert {"history_attention", "history_category_pooling"} <= names
        assert "history_category_attention" not in names


@pytest.mark.parametrize("method", [fine_tune, autoft])
def test_taobao_with_all_attentions_transfers(method):
    fitted = schema()
    source = randomise(taobao(fitted, categories=CATEGORIES, recent_length=3, **SMALL))
    batch, before = features(fitted), source.get_weights()
    model = method(source)
    np.testing.assert_allclose(model(batch), source(batch), rtol=0, atol=1e-6)
    frozen = [w for w in model.weights if w.path.split("/")[0].endswith("_frozen")]
    start = [w.numpy() for w in [*frozen, model.get_layer("history_eta").projection]]
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(batch, np.ones(8))
    fixed = [*frozen, model.get_layer("history_eta").projection]
    for weight, old in zip(fixed, start, strict=True):
        np.testing.assert_array_equal(weight, old)
    for old, new in zip(before, source.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    moved = np.abs(np.ravel(model(batch)) - np.ravel(source(batch)))
    assert moved.max() > 1e-6


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: din(schema(), histories={}), "use dnn"),
        (
            lambda: din(tf_ctr.Schema([tf_ctr.Categorical("item", [1])])),
            "a history to attend to",
        ),
        (
            lambda: din(schema(), histories={"item": "item"}),
            "name of a sequence field.\nReceived: 'item'.\nFix: use one of: history,",
        ),
        (
            lambda: taobao(schema(), histories={"history": "itm"}),
            "categorical field.\nReceived: 'itm'",
        ),
        (
            lambda: taobao(schema(), categories={"past": ("history", "item")}),
            "history that is attended to.\nReceived: 'past'",
        ),
        (
            lambda: taobao(schema(6, 5), categories=CATEGORIES),
            "a Sequence of 'category' with max_length=6",
        ),
        (
            lambda: taobao(schema(), categories={"history": ("user", "category")}),
            "a Sequence of 'category'",
        ),
        (
            lambda: din(
                tf_ctr.Schema(
                    [
                        tf_ctr.Categorical("item", [1]),
                        tf_ctr.Categorical("history_sim", [1]),
                        tf_ctr.Sequence("history", of="item"),
                    ]
                )
            ),
            "the field 'history_sim'",
        ),
    ],
)
def test_backbones_raise_errors_with_a_fix(build, message):
    with pytest.raises(ValueError, match=message):
        build()
