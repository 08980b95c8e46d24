"""CTNet: against its equations in NumPy, its start, its towers and its adapters."""

import keras
import numpy as np
import pytest

from tests.support.frames import click_frame, click_schema
from tests.support.models import (
    batch,
    check_every_weight_learns,
    randomised,
    small_dcn,
    weights_by_layer,
)
from tf_ctr.backbones import taobao
from tf_ctr.data import from_frame
from tf_ctr.layers import GLUAdapter
from tf_ctr.surgery import Graph, copy_weights, inputs_like
from tf_ctr.surgery.towers import frozen_tower
from tf_ctr.transfer import autoft, ctnet

SHOP = {"number": "shop", "units": (5, 4)}  # The source domain.
APP = {"number": "price", "units": (3, 2)}  # The target domain.


def network(number, units, batch_norm=False, dropout=0.0, prefix="deep"):
    """A network on the user, a field of both domains, and on a number of its own."""
    user = keras.Input((), dtype="int64", name="user")
    value = keras.Input((1,), name=number)
    rows = keras.layers.Embedding(6, 3, "normal", name="user_embedding")(user)
    x = keras.layers.Concatenate(name="embeddings")([rows, value])
    for i, width in enumerate(units):
        x = _depth(width, batch_norm, dropout, f"{prefix}_{i}")(x)
    x = keras.layers.Dense(1, name="logit")(x)
    click = keras.layers.Activation("sigmoid", name="click")(x)
    return randomised(keras.Model({"user": user, number: value}, click, name=number))


def _depth(width, batch_norm, dropout, name):
    if not batch_norm and not dropout:
        return keras.layers.Dense(width, "leaky_relu", name=name)
    stack = [keras.layers.Dense(width, name="dense")]
    if batch_norm:
        stack.append(keras.layers.BatchNormalization(name="norm"))
    stack.append(keras.layers.Activation("leaky_relu", name="activation"))
    if dropout:
        stack.append(keras.layers.Dropout(dropout, name="dropout"))
    return keras.Sequential(stack, name=name)


def clicks(rows=8, seed=3):
    rng = np.random.default_rng(seed)
    return {
        "user": rng.integers(0, 6, rows),
        "shop": rng.normal(size=(rows, 1)).astype("float32"),
        "price": rng.normal(size=(rows, 1)).astype("float32"),
    }


def of(model, features):
    return np.array(model({name: features[name] for name in model.input}))


# The equations in NumPy


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def affine(x, kernel, bias, *norm):
    x = x @ kernel + bias
    if norm:
        gamma, beta, mean, variance = norm
        x = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    return x


def glu(a, value, gate=None):
    return a @ value if gate is None else (a @ value) * sigmoid(a @ gate)


def numpy_ctnet(weights, source_weights, features, site, where):
    """Spec 2.3: `z_l = f(BN(z W + b) + g)`, with `g` of `z^S` before or at depth l."""
    users = features["user"]
    s = np.hstack([source_weights["user_embedding"][0][users], features["shop"]])
    z = np.hstack([weights["user_embedding"][0][users], features["price"]])
    for depth in ("deep_0", "deep_1"):
        below, s = s, leaky(affine(s, *source_weights[depth]))
        g = glu(below if site == "prev" else s, *weights[f"{depth}_adapter"])
        z = affine(z, *weights[depth])
        z = leaky(z + g) if where == "before_activation" else leaky(z) + g
    kernel, bias = weights["logit"]
    return sigmoid(z @ kernel + bias)


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("site", ["prev", "same"])
@pytest.mark.parametrize(
    ("where", "adapter"),
    [("before_activation", "glu"), ("after_activation", "linear")],
)
def test_scores_agree_with_the_equations(batch_norm, site, where, adapter):
    source = network(**SHOP, batch_norm=batch_norm)
    target = network(**APP, batch_norm=batch_norm)
    model = ctnet(source, target, adapter=adapter, site=site, where=where)
    for layer in model.layers:
        if layer.trainable:
            for weight in layer.weights:
                weight.assign(weight + 0.3 * np.random.default_rng(5).random())
            if layer.name.endswith("_adapter"):
                randomised(layer)
    features = clicks()
    expected = numpy_ctnet(
        weights_by_layer(model), weights_by_layer(source), features, site, where
    )
    np.testing.assert_allclose(of(model, features), expected, rtol=2e-5)


def test_the_adapter_agrees_with_hand_computed_numbers():
    layer = GLUAdapter(1)
    layer.build((None, 2))
    layer.set_weights([np.array([[2.0], [1.0]]), np.array([[np.log(3.0)], [0.0]])])
    a = np.array([[1.0, 4.0], [0.0, 5.0]])  # Gates of 3/4 and 1/2.
    np.testing.assert_allclose(layer(a), [[6.0 * 0.75], [5.0 * 0.5]], rtol=1e-6)


def test_adapter_of_low_rank_is_a_product_and_starts_at_zero():
    layer = GLUAdapter(5, rank=2)
    layer.build((None, 3))
    shapes = {w.name: tuple(w.shape) for w in layer.weights}
    assert shapes == {
        "value_down_kernel": (3, 2),
        "value_kernel": (2, 5),
        "gate_down_kernel": (3, 2),
        "gate_kernel": (2, 5),
    }
    a = np.random.default_rng(0).normal(size=(4, 3))
    assert not np.any(layer(a))
    randomised(layer)
    down, up, gate_down, gate_up = layer.get_weights()
    expected = glu(a, down @ up, gate_down @ gate_up)
    np.testing.assert_allclose(layer(a), expected, rtol=1e-4, atol=1e-6)


# The start


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"adapter": "linear"},
        {"site": "same"},
        {"where": "after_activation"},
        {"rank": 2},
    ],
    ids=str,
)
def test_scores_at_the_start_are_those_of_the_target(arguments):
    source = network(**SHOP, batch_norm=True, dropout=0.2)
    target = network(**APP, batch_norm=True, dropout=0.2)
    features = clicks()
    model = ctnet(source, target, **arguments)
    np.testing.assert_allclose(
        of(model, features), of(target, features), rtol=0, atol=1e-6
    )


def test_a_small_start_is_near_the_target_but_not_equal():
    source, target, features = network(**SHOP), network(**APP), clicks()
    difference = of(ctnet(source, target, start="small"), features)
    difference -= of(target, features)
    assert 0 < np.abs(difference).max() < 1e-2


def test_every_part_of_an_adapter_that_starts_exact_learns():
    check_every_weight_learns(ctnet(small_dcn()), "deep_0_adapter")


# The towers


def test_inputs_cover_both_domains_and_each_tower_reads_its_own():
    source, target, features = network(**SHOP), network(**APP), clicks()
    model = ctnet(source, target)
    assert sorted(model.input) == ["price", "shop", "user"]
    scores = of(model, features)
    other = {**features, "shop": features["shop"] + 1}
    np.testing.assert_array_equal(of(model, other), scores)
    randomised(model.get_layer("deep_0_adapter"))
    assert np.all(of(model, other) != of(model, features))


def test_fields_that_differ_between_the_domains_need_two_names():
    with pytest.raises(ValueError, match="one shape and dtype for input 'user'"):
        two = keras.Input((2,), name="user")
        hidden = keras.layers.Dense(2, name="deep_0")(two)
        other = keras.Model({"user": two}, keras.layers.Dense(1)(hidden))
        ctnet(network(**SHOP), other)


def test_copy_weights_copies_a_newer_source():
    source, target, features = network(**SHOP), network(**APP), clicks()
    model = ctnet(source, target)
    for layer in ("deep_0_adapter", "deep_1_adapter"):
        randomised(model.get_layer(layer))
    before = weights_by_layer(model)
    newer = randomised(network(**SHOP), seed=9)
    report = copy_weights(newer, model, suffix="_source")
    assert set(report.copied) == {"user_embedding_source", "deep_0_source"}
    expected = numpy_ctnet(
        before, weights_by_layer(newer), features, "prev", "before_activation"
    )
    np.testing.assert_allclose(of(model, features), expected, rtol=2e-5)
    for name, weights in weights_by_layer(model).items():
        same = all(map(np.array_equal, weights, before[name]))
        assert same != name.endswith("_source")


def test_reloaded_model_of_two_domains_stays_frozen_and_takes_a_newer_source(
    tmp_path,
):
    source, target = (network(**n, batch_norm=True, dropout=0.5) for n in (SHOP, APP))
    features, model = clicks(), ctnet(source, target)
    randomised(model.get_layer("deep_1_adapter"))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(reloaded.trainable_variables) == len(model.trainable_variables)
    newer = randomised(network(**SHOP, batch_norm=True, dropout=0.5), seed=9)
    for refreshed in (model, reloaded):
        copy_weights(newer, refreshed, suffix="_source")
    np.testing.assert_array_equal(of(reloaded, features), of(model, features))
    before = weights_by_layer(reloaded)
    reloaded.compile("sgd", "binary_crossentropy", run_eagerly=True)
    reloaded.train_on_batch({n: features[n] for n in reloaded.input}, np.ones(8))
    for name, weights in weights_by_layer(reloaded).items():
        moved = not all(map(np.array_equal, weights, before[name]))
        assert moved != name.endswith("_source"), name


def test_tower_is_in_inference_mode_while_the_model_is_trained():
    source = network(**SHOP, batch_norm=True, dropout=0.5)
    inputs = inputs_like(source)
    tower = frozen_tower(source, inputs)
    assert sorted(tower.inputs) == ["deep_0", "deep_1"]
    model = keras.Model(inputs, tower.outputs["deep_1"])
    copy_weights(source, model, suffix="_source")
    features = clicks()
    below = keras.Model(source.input, source.get_layer("deep_1").output)
    for training in (False, True):
        output = model({n: features[n] for n in inputs}, training=training)
        np.testing.assert_allclose(output, of(below, features), atol=1e-6)
    assert not model.trainable_variables
    assert source.get_layer("deep_0").get_layer("dropout").rate == 0.5
    assert len(source.trainable_variables) == 11


@pytest.mark.parametrize(
    "noise",
    [
        keras.layers.GaussianNoise(1.0, name="noise"),
        keras.layers.GaussianDropout(0.5, name="noise"),
        keras.layers.AlphaDropout(0.5, name="noise"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_tower_has_no_noise_while_the_model_is_trained(noise):
    inputs = {"price": keras.Input((1,), name="price")}
    x = keras.layers.Dense(4, name="deep_0")(inputs["price"])
    x = keras.layers.Dense(4, name="deep_1")(noise(x))
    model = ctnet(keras.Model(inputs, keras.layers.Dense(1, name="logit")(x)))
    tower = keras.Model(
        inputs=model.input, outputs=model.get_layer("noise_source").output
    )
    price = {"price": np.ones((8, 1))}
    outputs = [np.array(tower(price, training=mode)) for mode in (True, False)]
    np.testing.assert_array_equal(*outputs)
    assert max(vars(noise).get(name, 0) for name in ("rate", "stddev")) > 0


def test_routers_of_the_source_do_not_sample_while_the_model_is_trained(tmp_path):
    source, (features, _) = randomised(autoft(small_dcn(), seed=1)), batch(64)
    model = ctnet(source, sites=("deep_1",))
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        gates = each.get_layer("embedding_router_source").output
        gates = keras.Model(each.input, gates)
        one, other = (np.array(gates(features, training=mode)) for mode in (1, 0))
        np.testing.assert_array_equal(one, other)
        assert 0 < other.mean() < 1


def test_operations_without_a_layer_are_in_each_tower_once(tmp_path):
    user = keras.Input((2,), name="user")
    x = keras.ops.concatenate([user, user * 2.0], axis=1)
    x = keras.layers.Dense(3, "relu", name="hidden_0")(x)
    x = keras.layers.Dense(3, "relu", name="hidden_1")(keras.ops.sigmoid(x))
    logit = keras.layers.Dense(1, name="logit")(x)
    source = randomised(keras.Model({"user": user}, logit))
    model = ctnet(source)
    assert Graph(model).depths[:2] != Graph(source).depths
    names = [layer.name for layer in model.layers]
    assert len(names) == len(set(names))
    features = {"user": np.array([[1.0, 2.0], [3.0, -1.0]])}
    randomised(model.get_layer("hidden_1_adapter"))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(features), model(features))
    assert np.all(np.array(model(features)) != np.array(source(features)))


# Sites


def test_sites_are_chosen_by_name():
    model = ctnet(small_dcn(), sites=("cross_0", "deep_1"))
    names = [layer.name for layer in model.layers if layer.name.endswith("_adapter")]
    assert sorted(names) == ["cross_0_adapter", "deep_1_adapter"]


def test_hidden_layers_of_other_names_are_found():
    model = ctnet(network(**SHOP, prefix="hidden"), network(**APP, prefix="hidden"))
    assert {"hidden_0_adapter", "hidden_1_adapter"} <= {
        layer.name for layer in model.layers
    }


@pytest.mark.parametrize(
    ("source", "sites"),
    [({"units": (5,)}, None), ({"units": (5, 4, 3)}, None), ({}, ("deep_7",))],
    ids=["target deeper", "source deeper", "unknown"],
)
def test_depths_without_a_partner_list_both_models(source, sites):
    with pytest.raises(ValueError, match="hidden layers .'deep_0'.* of the source"):
        ctnet(network(**{**SHOP, **source}), network(**APP), sites=sites)


def test_a_second_source_tower_is_refused():
    with pytest.raises(ValueError, match="to refresh a tower, use copy_weights"):
        ctnet(ctnet(small_dcn()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"adapter": "mlp"}, "`adapter` to be one of 'glu', 'linear'"),
        ({"site": "next"}, "`site` to be one of 'prev', 'same'"),
        ({"where": "inside"}, "`where` to be one of 'before_activation'"),
        ({"start": "zero"}, "`start` to be one of 'exact', 'small'"),
        ({"rank": 0}, "`rank` to be a whole number of at least 1"),
        ({"share_attention": True}, "the layers .. of the target"),
    ],
    ids=str,
)
def test_bad_arguments_raise_errors_with_a_fix(arguments, message):
    with pytest.raises(ValueError, match=message):
        ctnet(small_dcn(), **arguments)


# Shared attention


def with_attention(number, seed, width=3):
    user = keras.Input((), dtype="int64", name="user")
    value = keras.Input((1,), name=number)
    past = keras.Input((2,), name="history")
    rows = keras.layers.Embedding(6, 3, name="user_embedding")(user)
    interest = keras.layers.Dense(width, "tanh", name="history_sim")(past)
    x = keras.layers.Concatenate(name="embeddings")([rows, value, interest])
    x = keras.layers.Dense(4, "relu", name="deep_0")(x)
    inputs = {"user": user, number: value, "history": past}
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid", name="click")(x))
    return randomised(model, seed)


@pytest.mark.parametrize("share", [True, ("history_*",)], ids=["default", "pattern"])
def test_shared_attention_is_that_of_the_source(share):
    source, target = with_attention("shop", 1), with_attention("price", 2)
    features = {**clicks(), "history": np.ones((8, 2)) * np.arange(8)[:, None]}
    model = ctnet(source, target, share_attention=share)
    names = [layer.name for layer in model.layers]
    assert "history_sim" not in names
    assert "history_sim_source" in names
    attention = source.get_layer("history_sim").get_weights()
    assert np.any(of(model, features) != of(target, features))
    target.get_layer("history_sim").set_weights(attention)
    np.testing.assert_allclose(of(model, features), of(target, features), atol=1e-6)


def test_attention_of_another_width_is_not_shared():
    with pytest.raises(ValueError, match="one shape of 'history_sim' .*\n.*3.*, t.*2"):
        ctnet(
            with_attention("shop", 1),
            with_attention("price", 2, width=2),
            share_attention=True,
        )


def test_production_model_shares_its_long_attention():
    schema = click_schema()
    source = taobao(
        schema, 4, (8, 6), attention_units=8, num_heads=2, recent_length=2, top_k=2
    )
    model = ctnet(source, share_attention=True)
    names = {layer.name for layer in model.layers}
    assert {"history_eta_source", "history_attention_source"} <= names
    assert "history_attention" in names
    assert "history_eta" not in names
    features, _ = next(iter(from_frame(click_frame(), schema)))
    np.testing.assert_allclose(model(features), source(features), rtol=0, atol=1e-6)
