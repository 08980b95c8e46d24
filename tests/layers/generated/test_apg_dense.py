"""APGDense against the paper's equations, one example at a time, and by its limits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.inference import collapse
from tf_ctr.layers import APGDense, ConditionAttention
from tf_ctr.layers.core.ops import SMALL, vector_matrix

VERSIONS = ["v1", "v2", "v3", "v4", "v5"]
X = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
Z = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")
MANY = np.random.default_rng(2).normal(size=(6, 2, 3)).astype("float32")


def random_layer(z=Z, units=7, **arguments):
    """A built layer whose weights are all different from their start."""
    layer = APGDense(units, rank=arguments.pop("rank", 2), **arguments)
    layer.build(X.shape, z.shape)
    rng = np.random.default_rng(3)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def weights_of(layer):
    return {w.name: np.array(w, "float64") for w in layer.weights}


def model_of(layer, z=Z):
    inputs = {"x": keras.Input(X.shape[1:], name="x")}
    inputs["z"] = keras.Input(z.shape[1:], name="z")
    return keras.Model(inputs, layer(inputs["x"], inputs["z"]))


# The oracle: the paper's column form, Eqs. 1 to 7, in loops.


def generated(weights, part, z, suffix=""):
    """G(z) of one part, `reshape(MLP(z))`."""
    depth = 0
    while f"generator_{depth}{suffix}_kernel" in weights:
        name = f"generator_{depth}{suffix}"
        z = np.maximum(z @ weights[f"{name}_kernel"] + weights[f"{name}_bias"], 0)
        depth += 1
    bias = weights[f"{part}{suffix}_bias"]
    return (z @ weights[f"{part}{suffix}_kernel"]).reshape(bias.shape) + bias


def paper_kernel(layer, weights, z):
    """`W_i` of the paper, N x M, for one condition."""
    if layer.version == "v1":
        return generated(weights, "w", z).T
    s = generated(weights, "s", z).T
    if layer.version in ("v2", "v3"):
        v, u = generated(weights, "v", z).T, generated(weights, "u", z).T
    elif layer.version == "v4":
        v, u = weights["v"].T, weights["u"].T
    else:
        u = weights["u_left"].T @ weights["u_right"].T
        v = weights["v_left"].T @ weights["v_right"].T
    return u @ s @ v


@pytest.mark.parametrize("generator_units", [(), (4, 3)], ids=["single", "mlp"])
@pytest.mark.parametrize("bias", ["static", "generated", "none"])
@pytest.mark.parametrize("version", VERSIONS)
def test_outputs_agree_with_the_equations_of_the_paper(version, bias, generator_units):
    layer = random_layer(
        version=version, bias=bias, generator_units=generator_units, activation="tanh"
    )
    weights, expected = weights_of(layer), []
    for x, z in zip(X, Z, strict=True):
        y = paper_kernel(layer, weights, z) @ x
        if bias == "static":
            y += weights["bias"]
        elif bias == "generated":
            y += generated(weights, "bias", z)
        expected.append(np.tanh(y))
    np.testing.assert_allclose(layer(X, Z), expected, rtol=1e-4, atol=1e-5)


def attention_weights(weights, conditions):
    query, kernel = weights["attention_query"], weights["attention_kernel"]
    scores = np.exp([(np.tanh(z @ kernel) @ query)[0] for z in conditions])
    return scores / scores.sum()


@pytest.mark.parametrize("version", ["v4", "v5"])
@pytest.mark.parametrize("aggregation", ["concat", "mean", "attention"])
def test_aggregating_inputs_equals_aggregating_kernels(version, aggregation):
    layer = random_layer(
        MANY, version=version, aggregation=aggregation, bias="generated"
    )
    weights, expected = weights_of(layer), []
    shared = {k: v for k, v in weights.items() if k[0] in "uv"}
    if version == "v5":
        v, u = (shared[f"{m}_right"] @ shared[f"{m}_left"] for m in "vu")
    else:
        v, u = shared["v"], shared["u"]
    for x, conditions in zip(X, MANY, strict=True):
        share = np.full(2, 0.5)
        if aggregation == "attention":
            share = attention_weights(weights, conditions)
        y = 0.0
        for j, z in enumerate(conditions):
            s, bias = (generated(weights, part, z, f"_{j}") for part in ("s", "bias"))
            if aggregation == "concat":  # U projects the joined products.
                y = y + x @ v @ s @ u[2 * j : 2 * j + 2] + 0.5 * bias
            else:
                y = y + share[j] * (x @ v @ s @ u + bias)
        expected.append(y)
    np.testing.assert_allclose(layer(X, MANY), expected, rtol=1e-4, atol=1e-4)


def test_condition_attention_averages_by_the_softmax():
    layer = ConditionAttention()
    layer.build(MANY.shape)
    weights = weights_of(layer)
    expected = [attention_weights(weights, z) @ z for z in MANY.astype("float64")]
    np.testing.assert_allclose(layer(MANY), expected, rtol=1e-5)


@pytest.mark.parametrize("size", [1, SMALL, SMALL + 1])
def test_both_forms_of_the_product_agree(size):
    rng = np.random.default_rng(size)
    vectors, matrices = rng.normal(size=(4, size)), rng.normal(size=(4, size, size))
    expected = [v @ m for v, m in zip(vectors, matrices, strict=True)]
    np.testing.assert_allclose(vector_matrix(vectors, matrices), expected, rtol=1e-9)


# Limits and equivalences


@pytest.mark.parametrize("version", VERSIONS)
def test_a_constant_condition_makes_a_dense_layer(version):
    layer = random_layer(version=version)
    constant = np.tile(Z[:1], (6, 1))
    dense = keras.layers.Dense(7)
    dense.build((None, 5))
    bias = layer(np.zeros((6, 5)), constant)[0]
    basis = np.eye(6, 5)  # One row more than M, for a batch of Z.
    dense.set_weights([(layer(basis, constant) - bias)[:5], bias])
    np.testing.assert_allclose(layer(X, constant), dense(X), rtol=1e-3, atol=1e-4)


def test_v2_and_v3_give_equal_outputs():
    layers = [random_layer(version=v, bias="generated") for v in ("v2", "v3")]
    np.testing.assert_allclose(layers[0](X, Z), layers[1](X, Z), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_s_of_identity_makes_a_static_low_rank_layer(version):
    layer = random_layer(version=version)
    weights = dict(weights_of(layer), s_kernel=np.zeros((3, 4)), s_bias=np.eye(2))
    layer.set_weights([weights[w.name] for w in layer.weights])
    kernel = paper_kernel(layer, {**weights}, Z[0]).T
    np.testing.assert_allclose(
        layer(X, Z), X @ kernel + weights["bias"], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_at_a_zero_condition_identity_start_is_one_layer_and_glorot_start_is_zero(
    version,
):
    start = APGDense(7, 2, version=version)
    different = np.array(start(np.tile(X[:1], (6, 1)), Z))
    same = np.array(start(np.tile(X[:1], (6, 1)), 0 * Z))
    assert np.ptp(same, axis=0).max() == 0 < np.abs(same).max()
    assert 0 < np.ptp(different, axis=0).max()
    if version in ("v4", "v5"):
        np.testing.assert_array_equal(start.generate(0 * Z)["s"], [np.eye(2)] * 6)
    glorot = APGDense(7, 2, version=version, generator_start="glorot")
    assert np.abs(glorot(X, 0 * Z)).max() == 0 < np.abs(glorot(X, Z)).max()


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_the_initial_layer_keeps_the_variance_of_the_input(version):
    x = np.random.default_rng(4).normal(size=(500, 128))
    layer = APGDense(128, rank=64, version=version)
    assert 0.5 < np.var(layer(x, np.zeros((500, 2)))) < 2


def test_weights_of_the_same_shape_start_different():
    layer = APGDense(5, 2, over_parameter=5)
    layer(X, Z)
    weights = weights_of(layer)
    assert weights["v_right"].shape == weights["u_left"].shape
    assert not np.allclose(weights["v_right"], weights["u_left"])


@pytest.mark.parametrize("aggregation", [None, "concat", "attention"])
def test_collapsed_scores_equal_those_of_the_factors(aggregation):
    z = Z if aggregation is None else MANY
    layer = random_layer(z, over_parameter=11, aggregation=aggregation)
    model = model_of(layer, z)
    collapsed = collapse(model)
    assert {lay.version for lay in collapsed.layers[2:]} == {"v4"}
    features = {"x": X, "z": z}
    np.testing.assert_allclose(collapsed(features), model(features), rtol=1e-5)
    assert layer.version == "v5"


def test_collapsed_layer_has_as_many_parameters_as_in_the_paper():
    m, n, k, d = 5, 7, 2, 3
    collapsed = collapse(model_of(random_layer(units=n, over_parameter=11)))
    assert collapsed.count_params() == m * k + k * n + (d + 1) * k**2 + n
    v1 = model_of(random_layer(units=n, version="v1", bias="none"))
    assert v1.count_params() == (d + 1) * m * n  # 33 N M at D = 32, as in Table 5.


@pytest.mark.parametrize("version", VERSIONS)
def test_the_gradient_reaches_every_weight_and_the_condition(version):
    layer = random_layer(version=version)
    z = tf.constant(Z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = tf.reduce_sum(layer(X, z) ** 2)
    values = [w.value for w in layer.trainable_weights]
    for gradient in tape.gradient(loss, [z, *values]):
        assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)


def test_factors_are_multiplied_in_float32_under_mixed_precision():
    layer = random_layer(over_parameter=11)
    mixed = APGDense.from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})
    model = model_of(mixed)
    mixed.set_weights(layer.get_weights())
    features = {"x": X, "z": Z}
    np.testing.assert_array_equal(
        tf.cast(model(features), "float32"),
        tf.cast(collapse(model)(features), "float32"),
    )


def test_a_model_without_factors_is_returned_unchanged():
    model = model_of(random_layer(version="v4"))
    assert collapse(model) is model


def test_collapse_reaches_layers_in_models_and_keeps_frozen_ones_frozen(tmp_path):
    inner = model_of(random_layer())
    x, z = keras.Input((5,), name="x"), keras.Input((3,), name="z")
    inner.trainable = False
    model = keras.Model({"x": x, "z": z}, inner({"x": x, "z": z}))
    collapsed = collapse(model)
    assert not collapsed.trainable_variables
    assert {w.name for w in collapsed.weights} == {
        "v",
        "u",
        "s_kernel",
        "s_bias",
        "bias",
    }
    collapsed.save(tmp_path / "collapsed.keras")
    reloaded = keras.saving.load_model(tmp_path / "collapsed.keras")
    features = {"x": X, "z": Z}
    np.testing.assert_allclose(reloaded(features), model(features), rtol=1e-5)


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": "v6"}, "one of 'v5', 'v4', 'v3', 'v2', 'v1'"),
        ({"bias": True}, "one of 'static', 'generated', 'none'"),
        ({"generator_start": "zeros"}, "one of 'identity', 'glorot'"),
        ({"aggregation": "max"}, "one of None, 'concat', 'mean', 'attention'"),
        ({"rank": 0}, "`rank` to be a whole number of at least 1"),
        ({"generator_units": (4, 0)}, "`generator_units` to be a whole number"),
        ({"rank": 4, "over_parameter": 3}, "at least the rank .K. 4"),
        ({"version": "v4", "over_parameter": 9}, "for version v5 only"),
        ({"version": "v2", "aggregation": "mean"}, "share V and U"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_with_a_fix(arguments, message):
    with pytest.raises(ValueError, match=message):
        APGDense(4, **arguments)


@pytest.mark.parametrize(
    ("layer", "x", "z", "message"),
    [
        (APGDense(9, rank=6), X, Z, "a rank of at most 5"),
        (APGDense(3), X, Z, "a rank of at most 3"),
        (APGDense(9), X[0], Z, "x of shape .B, M."),
        (APGDense(9), X, MANY, "stack J conditions"),
        (APGDense(9, aggregation="mean"), X, Z, "z of shape .B, J, D."),
        (ConditionAttention(), Z, None, "conditions of shape .B, J, D."),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused_with_a_fix(layer, x, z, message):
    with pytest.raises(ValueError, match=message):
        layer(x) if z is None else layer(x, z)
