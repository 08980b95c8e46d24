"""ProgressiveNN and PTU: against their equations in NumPy, and their starts."""

import keras
import numpy as np
import pytest

from tests.support.models import (
    batch,
    check_every_weight_learns,
    small_dcn,
    weights_by_layer,
)
from tf_ctr.layers import LateralAdapter, TransferUnit
from tf_ctr.surgery import Graph
from tf_ctr.transfer import progressive_nn, ptu


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "batch_norm"])
def source(request):
    features, labels = batch()
    model = small_dcn(batch_norm=request.param)
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(features, labels)
    return model


def with_random_weights(model, scale=0.5):
    """Moves all but the source tower, as training would."""
    rng = np.random.default_rng(7)
    for layer in model.layers:
        if layer.trainable:
            for weight in layer.weights:
                if "moving_" not in weight.name:
                    weight.assign(weight + rng.normal(scale=scale, size=weight.shape))
    return model


def embeddings(model, name, features):
    output = keras.Model(model.input, model.get_layer(name).output)
    return np.array(output(features))


def affine(x, kernel, bias, *norm):
    x = x @ kernel + bias
    if norm:
        gamma, beta, mean, variance = norm
        x = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    return x


def columns(model, source, features, lateral, mix):
    """A forward pass of both columns; `lateral` and `mix` join them at a site.

    `lateral(w, site, below)` is added before the activation of the target, and
    `mix(w, site, source, target)` replaces its output.
    """
    w, frozen = weights_by_layer(model), weights_by_layer(source)
    s0 = embeddings(source, "embeddings", features)
    x0 = embeddings(model, "embeddings", features)
    heads = []
    s, x = s0, x0
    for site in ("cross_0", "cross_1"):
        below, (kernel, bias) = s, frozen[site]
        s = s0 * (s @ kernel) + bias + s
        kernel, bias = w[site]
        x = x0 * (x @ kernel) + bias + x + lateral(w, site, below)
        x = mix(w, site, s, x)
    heads.append(x)
    s, x = s0, x0
    for site in ("deep_0", "deep_1"):
        below, s = s, relu(affine(s, *frozen[site]))
        x = relu(affine(x, *w[site]) + lateral(w, site, below))
        x = mix(w, site, s, x)
    kernel, bias = w["logit"]
    return sigmoid(np.hstack([*heads, x]) @ kernel + bias)


# ProgressiveNN


def test_progressive_nn_agrees_with_its_equations(source):
    features, _ = batch()
    model = with_random_weights(progressive_nn(source, rank=3, activation="tanh"))

    def lateral(w, site, below):
        scale, down, up = w[f"{site}_lateral"]
        assert down.shape[1] == 3
        return np.tanh((scale * below) @ down) @ up

    expected = columns(model, source, features, lateral, lambda w, site, s, t: t)
    np.testing.assert_allclose(model(features), expected, rtol=1e-4, atol=1e-6)


def test_lateral_adapter_agrees_with_hand_computed_numbers():
    layer = LateralAdapter(1, rank=2, scale=0.5)
    layer.build((None, 2))
    scale, *_ = layer.get_weights()
    down, up = np.array([[1.0, -1.0], [1.0, 0.0]]), np.array([[3.0], [4.0]])
    layer.set_weights([scale, down, up])
    # 0.5 [2, 4] -> relu([3, -1]) -> 9, 0.5 [-2, 0] -> relu([-1, 1]) -> 4.
    output = layer(np.array([[2.0, 4.0], [-2.0, 0.0]]))
    np.testing.assert_allclose(output, [[9.0], [4.0]])


def test_links_have_the_width_of_their_layer_by_default():
    shapes = {
        layer.name: [tuple(w.shape) for w in layer.weights]
        for layer in progressive_nn(small_dcn()).layers
        if isinstance(layer, LateralAdapter)
    }
    assert shapes == {
        "cross_0_lateral": [(), (13, 13), (13, 13)],
        "cross_1_lateral": [(), (13, 13), (13, 13)],
        "deep_0_lateral": [(), (13, 5), (5, 5)],
        "deep_1_lateral": [(), (5, 5), (5, 5)],
    }


def test_every_part_of_a_link_that_starts_exact_learns():
    check_every_weight_learns(progressive_nn(small_dcn()), "deep_0_lateral")


def test_a_fresh_column_uses_only_the_frozen_column_of_the_source(source):
    model = progressive_nn(source, fresh=True)
    ours, theirs = weights_by_layer(model), weights_by_layer(source)
    assert not np.array_equal(ours["logit"][0], theirs["logit"][0])
    for name, weights in ours.items():
        if name.endswith("_source"):
            pairs = zip(weights, theirs[name.removesuffix("_source")], strict=True)
            for new, old in pairs:
                np.testing.assert_array_equal(new, old)


def test_a_small_start_is_near_the_source_but_not_equal(source):
    features, _ = batch()
    difference = progressive_nn(source, start="small")(features) - source(features)
    assert 0 < np.abs(np.array(difference)).max() < 1e-2


# PTU


def transfer_unit(w, site, s, t):
    reset_s, reset_t, new_s, new_t, update_s, update_t = w[f"{site}_transfer"]
    reset = sigmoid(s @ reset_s + t @ reset_t)
    candidate = s @ new_s + (reset * t) @ new_t
    update = sigmoid(s @ update_s + t @ update_t)
    return update * candidate + (1 - update) * t


def weighted_sum(w, site, s, t):
    weight = sigmoid(w[f"{site}_transfer"][0])
    return weight * s + (1 - weight) * t


@pytest.mark.parametrize(
    ("gated", "unit"),
    [(True, transfer_unit), (False, weighted_sum)],
    ids=["gated", "weighted sum"],
)
def test_ptu_agrees_with_its_equations(source, gated, unit):
    features, _ = batch()
    model = with_random_weights(ptu(source, gated=gated), scale=0.2)
    expected = columns(model, source, features, lambda w, site, s: 0, unit)
    np.testing.assert_allclose(model(features), expected, rtol=1e-4, atol=1e-6)


def test_a_transfer_unit_starts_as_the_mean_of_source_and_target():
    rng = np.random.default_rng(0)
    s, t = rng.normal(size=(2, 5, 4)).astype("float32")
    for unit in (TransferUnit(), TransferUnit(gated=False)):
        np.testing.assert_allclose(unit(s, t), (s + t) / 2, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(unit(t, t), t)
    rectified = TransferUnit(activation="relu")
    np.testing.assert_array_equal(rectified(relu(t), relu(t)), relu(t))


def test_every_kernel_of_a_unit_that_starts_exact_learns():
    check_every_weight_learns(ptu(small_dcn()), "cross_0_transfer", steps=3)


def test_the_weighted_sum_starts_at_the_source(source):
    features, _ = batch()
    np.testing.assert_allclose(
        ptu(source, gated=False)(features), source(features), rtol=0, atol=1e-6
    )


def test_a_random_start_is_not_the_source(source):
    features, _ = batch()
    scores = np.array(ptu(source, start="random")(features))
    assert np.abs(scores - source(features)).max() > 1e-3


# Both


@pytest.mark.parametrize(
    ("method", "added"),
    [(progressive_nn, "_lateral"), (ptu, "_transfer")],
    ids=["progressive_nn", "ptu"],
)
def test_sites_are_all_crosses_and_depths_or_the_named_ones(method, added):
    def sites(model):
        return {
            layer.name.removesuffix(added)
            for layer in model.layers
            if layer.name.endswith(added)
        }

    source = small_dcn()
    assert sites(method(source)) == set(Graph(source).depths)
    assert sites(method(source, sites="deep_1")) == {"deep_1"}
    with pytest.raises(ValueError, match="sites=.'deep_9'.*\n.*'cross_0'"):
        method(source, sites=["deep_9"])
    with pytest.raises(ValueError, match="start from the model before it got a tower"):
        method(method(source))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LateralAdapter(0), "`units` to be a whole number"),
        (lambda: LateralAdapter(3, start="random"), "one of 'exact', 'small'"),
        (lambda: TransferUnit(start="small"), "one of 'exact', 'random'"),
        (
            lambda: TransferUnit()(np.ones((2, 3)), np.ones((2, 4))),
            "two activations of the same shape",
        ),
    ],
    ids=["units", "lateral start", "unit start", "shapes"],
)
def test_bad_arguments_raise_errors_with_a_fix(build, message):
    with pytest.raises(ValueError, match=message):
        build()
