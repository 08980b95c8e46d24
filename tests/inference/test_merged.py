"""Models with fewer weights and the same scores, method by method."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.support.exported import predict, trained_dcn, tree
from tests.support.frames import click_frame, small_schema
from tests.support.models import batch, small_dcn
from tf_ctr.backbones import dcn
from tf_ctr.data import from_frame
from tf_ctr.export import export
from tf_ctr.export.served import fold_if_exact
from tf_ctr.inference import (
    fold_batch_norm,
    merge_equal_layers,
    merged,
    static_route,
)
from tf_ctr.metrics import exact_auc
from tf_ctr.serving.reference import training_scores
from tf_ctr.transfer import apg, autoft, ctnet, ptu


def perturbed(model, scale=0.3, seed=1):
    """Moves all weights, and keeps variances positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.name and weight.name != "temperature":
            weight.assign(abs(weight + scale * rng.normal(size=weight.shape)))
    return model


def norms(model):
    kind = layers.BatchNormalization
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def same_scores(model, other, atol=1e-6):
    features, _ = batch(12)
    expected = model(features, training=False)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(
        other(features, training=False), expected, rtol=0, atol=atol
    )


# BatchNorm


def chain(*parts, width=2):
    x = keras.Input((width,), name="x")
    y = x
    for part in parts:
        y = part(y)
    return keras.Model({"x": x}, y)


def test_a_norm_is_folded_into_numbers_computed_by_hand():
    dense, norm = layers.Dense(1, name="deep_0"), layers.BatchNormalization(epsilon=0)
    model = chain(dense, norm)
    dense.set_weights([np.array([[1.0], [2.0]]), np.array([5.0])])
    # gamma, beta, mean, variance.
    norm.set_weights([np.array([number]) for number in (3.0, 0.5, 4.0, 9.0)])
    folded = fold_batch_norm(model)
    kernel, bias = folded.get_layer("deep_0").get_weights()
    np.testing.assert_allclose(kernel, [[1.0], [2.0]])  # By 3 / sqrt(9).
    np.testing.assert_allclose(bias, [1.5])  # (5 - 4) * 1 + 0.5.
    np.testing.assert_allclose(folded({"x": np.array([[2.0, 1.0]])}), [[5.5]])
    assert [layer.name for layer in folded.layers] == ["x", "deep_0"]
    assert dense.get_weights()[1] == 5.0 and len(model.layers) == 3


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_dense_and_norm_need_neither_bias_nor_center_nor_scale(center, scale):
    model = chain(
        layers.Dense(3, use_bias=False),
        layers.BatchNormalization(center=center, scale=scale, axis=1),
        layers.Dense(1),
    )
    perturbed(model)
    folded, x = fold_batch_norm(model), {"x": np.array([[0.3, -2.0], [1.0, 4.0]])}
    assert not norms(folded)
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-6)


def test_a_norm_is_folded_inside_and_outside_of_nested_models():
    inside = keras.Sequential(
        [
            layers.Dense(4, name="dense"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("relu", name="activation"),
        ],
        name="deep_0",
    )
    model = perturbed(chain(inside, layers.Dense(3), layers.BatchNormalization()))
    folded, x = fold_batch_norm(model), {"x": np.array([[0.3, -2.0], [1.0, 4.0]])}
    assert not norms(folded) and len(norms(model)) == 2
    assert [layer.name for layer in folded.get_layer("deep_0").layers] == [
        "dense",
        "activation",
    ]
    np.testing.assert_allclose(folded(x), model(x), rtol=1e-5)


def shared_norm():
    norm = layers.BatchNormalization()
    return chain(layers.Dense(2), norm, layers.Dense(2), norm)


def output_and_norm():
    x = keras.Input((2,), name="x")
    dense = layers.Dense(2)(x)
    return keras.Model({"x": x}, [dense, layers.BatchNormalization()(dense)])


def two_uses():
    x = keras.Input((2,), name="x")
    dense = layers.Dense(2)(x)
    both = layers.Add()([dense, layers.BatchNormalization()(dense)])
    return keras.Model({"x": x}, both)


@pytest.mark.parametrize(
    "make",
    [
        lambda: chain(layers.Dense(2, "relu"), layers.BatchNormalization()),
        lambda: chain(layers.BatchNormalization(), layers.Dense(2)),
        lambda: chain(
            layers.Reshape((2, 1)), layers.Dense(3), layers.BatchNormalization(axis=1)
        ),
        shared_norm,
        output_and_norm,
        two_uses,
    ],
    ids=["activated", "before", "other_axis", "shared", "output", "two_uses"],
)
def test_a_norm_stays_where_folding_would_be_wrong(make):
    model = make()
    assert fold_batch_norm(model) is model


@pytest.mark.parametrize("method", [lambda m: m, autoft, ctnet, ptu])
def test_the_norms_of_every_method_are_folded(method):
    model = perturbed(method(small_dcn(batch_norm=True)), scale=0.1)
    folded = fold_batch_norm(model)
    assert norms(model) and not norms(folded)
    same_scores(model, folded)


def test_a_norm_is_kept_when_folding_changes_the_rounding_too_much():
    schema = small_schema()
    model = trained_dcn(schema)
    columns = schema.raw_columns(click_frame(10))
    scores = training_scores(model, schema, columns)
    folded, text = fold_if_exact(model, schema, columns, scores)
    assert not norms(folded) and "is folded" in text
    kept, text = fold_if_exact(model, schema, columns, scores, tolerance=-1.0)
    assert kept is model and "is kept" in text
    assert fold_if_exact(folded, schema, columns, scores) == (folded, "")


# Equal layers


def test_the_equal_parts_of_two_towers_are_computed_once():
    model = perturbed(ctnet(small_dcn(batch_norm=True)), scale=0.2)
    assert merge_equal_layers(model) is model
    for field in ("user", "item"):
        table = model.get_layer(f"{field}_embedding")
        model.get_layer(f"{field}_embedding_source").set_weights(table.get_weights())
    once = merge_equal_layers(model)
    gone = {layer.name for layer in model.layers} - {
        layer.name for layer in once.layers
    }
    # Layers that depend on the tables only go with them.
    assert gone == {
        "user_embedding",
        "item_embedding",
        "history_pooling",
        "embeddings",
    }
    same_scores(model, once, atol=0)


def test_equal_layers_on_different_inputs_stay_two_calls():
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y")
    one, other = layers.Dense(2, name="one"), layers.Dense(2, name="other")
    model = keras.Model({"x": x, "y": y}, layers.Subtract()([one(x), other(y)]))
    other.set_weights(one.get_weights())
    values = {"x": np.ones((1, 2)), "y": np.zeros((1, 2))}
    np.testing.assert_array_equal(merge_equal_layers(model)(values), model(values))
    # Equal weights with another activation make another layer.
    relu = layers.Dense(2, "relu", name="other")
    both = keras.Model({"x": x}, layers.Subtract()([one(x), relu(x)]))
    relu.set_weights(one.get_weights())
    assert merge_equal_layers(both) is both


def test_ctnet_serves_shared_attention_once():
    """Attention with the source's weights on the source's inputs runs only once."""
    inputs = {
        "item": keras.Input((3,), name="item"),
        "user": keras.Input((2,), name="user"),
    }
    seen = layers.Dense(4, "tanh", name="history_sim")(inputs["item"])
    x = layers.Concatenate(name="embeddings")([seen, inputs["user"]])
    x = layers.Dense(3, "relu", name="deep_0")(x)
    source = keras.Model(inputs, layers.Dense(1, "sigmoid", name="click")(x))
    rng = np.random.default_rng(0)
    values = {"item": rng.normal(size=(5, 3)), "user": rng.normal(size=(5, 2))}
    for shared in (False, True):
        model = ctnet(source, share_attention=shared)
        served = merged(model)
        attention = [
            layer.name for layer in served.layers if "history_sim" in layer.name
        ]
        assert attention == ["history_sim_source"]
        np.testing.assert_array_equal(served(values), model(values))


# AutoFT


def test_equal_copies_are_served_once_and_the_others_stay_routed():
    model = autoft(small_dcn(batch_norm=True), seed=0)
    perturbed(model.get_layer("deep_0"))
    perturbed(model.get_layer("deep_router"))
    served = merged(model)
    routes = {layer.name for layer in served.layers if layer.name.endswith("_route")}
    assert routes == {"deep_0_route"}
    frozen = {layer.name for layer in served.layers if "_frozen" in layer.name}
    assert frozen == {"deep_0_frozen"}
    same_scores(model, served)


def test_apg_is_served_without_factors():
    model = perturbed(apg(small_dcn(), "user", rank=2, over_parameter=19), scale=0.1)
    served = merged(model)
    assert not [w for w in served.weights if 19 in w.shape]
    same_scores(model, served, atol=1e-5)


def test_a_model_with_nothing_to_merge_is_returned_unchanged():
    model = small_dcn()
    assert merged(model) is model


@pytest.fixture(scope="module")
def routed():
    schema = small_schema()
    return perturbed(autoft(trained_dcn(schema), seed=0), scale=0.2), schema


def test_the_most_frequent_route_is_served_and_its_auc_loss_printed(
    routed, tmp_path, capsys
):
    model, schema = routed
    frame = click_frame()
    version = export(
        model,
        schema,
        tmp_path / "m",
        frame,
        fresh_process=False,
        served="static_routes",
        batch_sizes=(1,),
    )
    static = static_route(model, from_frame(frame, schema, labelled=False))
    aucs = [
        exact_auc(frame["click"], predict(each, schema, frame))
        for each in (model, static)
    ]
    extra = version / "assets.extra"
    record = json.loads((extra / "export.json").read_text())
    assert record["static_routes_auc_loss"] == pytest.approx(aucs[0] - aucs[1])
    assert f"lower by {aucs[0] - aucs[1]:.5f}" in capsys.readouterr().out

    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    raw = {n: tf.constant(c) for n, c in schema.raw_columns(frame).items()}
    scores = signature(**raw)["click"]
    np.testing.assert_allclose(scores, predict(static, schema, frame), atol=1e-6)
    kept, served = (
        keras.saving.load_model(extra / name)
        for name in ("model.keras", "served.keras")
    )
    assert kept.count_params() == model.count_params()
    assert served.count_params() == static.count_params() < model.count_params()


@pytest.mark.parametrize(
    ("sample", "match"),
    [
        (None, "no sample"),
        (click_frame().drop(columns="click"), "no such labels"),
        (click_frame().assign(click=1), "no such labels"),
    ],
)
def test_static_routes_need_labels(routed, tmp_path, sample, match):
    model, schema = routed
    with pytest.raises(ValueError, match=match):
        export(model, schema, tmp_path / "m", sample, served="static_routes")
    assert tree(tmp_path) == []


def test_static_routes_need_routes(routed, tmp_path):
    _, schema = routed
    options = {"served": "static_routes", "sample": click_frame()}
    with pytest.raises(ValueError, match="a model with routes"):
        export(dcn(schema, 4), schema, tmp_path / "m", **options)
