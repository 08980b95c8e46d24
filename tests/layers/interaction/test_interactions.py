"""The interaction layers, each against an oracle or its equations."""

import keras_rs
import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import (
    Bias,
    BilinearFusion,
    BilinearInteraction,
    CompressedInteraction,
    CrossLayer,
    CrossLayerV2,
    FieldAttention,
)

FLOATS = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(4, 3)
FIELDS = np.linspace(0.0, 1.0, 24, dtype="float32").reshape(4, 2, 3)


def random_weights(layer, seed=0):
    """Draws the weights of a built layer; returns them in float64."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    return weights


def test_cross_layer_agrees_with_the_matrix_form_of_keras_rs():
    """Its `x0 * (x W)` with every column of W equal to w is the vector form."""
    layer = CrossLayer()
    layer.build((None, 3), (None, 3))
    oracle = keras_rs.layers.FeatureCross(use_bias=False)
    oracle(FLOATS, FLOATS)
    oracle.weights[0].assign(np.tile(layer.kernel.numpy(), (1, 3)))
    np.testing.assert_allclose(
        layer(FLOATS, FLOATS + 1), oracle(FLOATS, FLOATS + 1), rtol=1e-6
    )


def cross_chain(layers, x0):
    x = x0
    for layer in layers:
        x = layer(x0, x)
    return x


def test_a_chain_of_cross_layers_has_the_values_and_gradients_of_its_equation():
    """Wang et al. (arXiv 1708.05123), Eq. 3, in float64; central differences."""
    layers = [CrossLayer() for _ in range(3)]
    cross_chain(layers, FLOATS)
    weights = [random_weights(layer, seed) for seed, layer in enumerate(layers)]

    def equation(x0, weights):
        x = x0
        for kernel, bias in weights:
            x = x0 * (x @ kernel) + bias + x
        return x

    x0 = tf.constant(FLOATS)
    with tf.GradientTape() as tape:
        tape.watch(x0)
        output = tf.function(lambda x: cross_chain(layers, x))(x0)
        loss = tf.reduce_sum(output**2)
    variables = [variable.value for layer in layers for variable in layer.weights]
    gradients = tape.gradient(loss, [x0, *variables])
    np.testing.assert_allclose(output, equation(FLOATS, weights), rtol=1e-5)
    values = [FLOATS.astype("float64"), *(v for pair in weights for v in pair)]
    for value, gradient in zip(values, gradients, strict=True):
        expected = np.empty_like(value)
        for index in np.ndindex(value.shape):
            kept, losses = value[index], []
            for step in (1e-5, -1e-5):
                value[index] = kept + step
                losses.append((equation(values[0], weights) ** 2).sum())
            value[index] = kept
            expected[index] = (losses[0] - losses[1]) / 2e-5
        np.testing.assert_allclose(gradient, expected, rtol=1e-4)


def test_a_graph_of_a_chain_computes_no_output_but_the_last():
    layers = [CrossLayer() for _ in range(4)]
    cross_chain(layers, FLOATS)
    traced = tf.function(lambda x: cross_chain(layers, x)).get_concrete_function(
        tf.TensorSpec((None, 3))
    )
    needed, found = [traced.graph.outputs[0].op], set()
    while needed:
        op = needed.pop()
        if op not in found:
            found.add(op)
            needed += [tensor.op for tensor in op.inputs]
    wide = [op for op in found if op.outputs[0].shape.as_list() == [None, 3]]
    computed = sorted(
        op.type for op in wide if op.type not in ("Placeholder", "Identity")
    )
    assert computed == ["AddV2", "Mul"]  # The last `x0 * scale`, and `+ offset`.


def test_a_cross_layer_of_another_x0_reads_its_x():
    first, second = CrossLayer(), CrossLayer(kernel_initializer="ones")
    x = first(FLOATS, FLOATS)
    other = FLOATS + 1
    expected = other * x.numpy().sum(1, keepdims=True) + x.numpy()
    np.testing.assert_allclose(second(other, x), expected, rtol=1e-6)


@pytest.mark.parametrize("rank", [None, 2], ids=["full", "low rank"])
def test_cross_layer_v2_agrees_with_keras_rs(rank):
    layer = CrossLayerV2(rank)
    oracle = keras_rs.layers.FeatureCross(projection_dim=rank)
    x0, x = FLOATS, FLOATS[:, ::-1] + 1
    layer(x0, x), oracle(x0, x)
    oracle.set_weights(random_weights(layer))
    np.testing.assert_allclose(layer(x0, x), oracle(x0, x), rtol=1e-5)


def test_cross_layer_v2_factors_start_different():
    layer = CrossLayerV2(rank=3)
    layer(FLOATS, FLOATS)
    down, up = layer.get_weights()[:2]
    assert not np.array_equal(down, up)


@pytest.mark.parametrize("mode", ["all", "each", "interaction"])
def test_bilinear_interaction_goes_through_the_pairs(mode):
    x = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    layer = BilinearInteraction(mode)
    layer(x)
    (kernel,) = random_weights(layer)
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert len(kernel) == {"all": 1, "each": 3, "interaction": 6}[mode]
    for p, (i, j) in enumerate(pairs):
        matrix = kernel[{"all": 0, "each": i, "interaction": p}[mode]]
        np.testing.assert_allclose(
            layer(x)[:, p], (x[:, i] @ matrix) * x[:, j], rtol=1e-4, atol=1e-6
        )


def test_bilinear_interaction_with_the_identity_is_dot_interaction():
    x = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    layer = BilinearInteraction("all")
    layer(x)
    layer.set_weights([np.eye(3)[None]])
    oracle = keras_rs.layers.DotInteraction()([x[:, i] for i in range(4)])
    # DotInteraction lists the lower triangle: (1, 0), (2, 0), (2, 1), ...
    order = [0, 1, 3, 2, 4, 5]
    dots = np.sum(layer(x), axis=-1)
    np.testing.assert_allclose(dots, np.array(oracle)[:, order], rtol=1e-4)


def test_each_bilinear_matrix_starts_as_glorot_normal():
    layer = BilinearInteraction("interaction")
    layer.build((None, 12, 20))  # 66 matrices of 20 x 20.
    # Glorot: variance 2 / (20 + 20); 4 standard errors of 26400 draws are 3.5 %.
    assert np.std(layer.kernel) == pytest.approx(20**-0.5, rel=0.035)


def test_compressed_interaction_sums_weighted_products():
    rng = np.random.default_rng(1)
    x0, x = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 4, 2))
    layer = CompressedInteraction(5)
    layer(x0, x)
    (kernel,) = random_weights(layer)
    expected = np.zeros((2, 5, 2))
    for u, h, f in np.ndindex(5, 4, 3):
        expected[:, u] += kernel.reshape(4, 3, 5)[h, f, u] * x[:, h] * x0[:, f]
    np.testing.assert_allclose(layer(x0, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scaled", [False, True])
def test_field_attention_agrees_with_its_equations(scaled):
    x = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    layer = FieldAttention(num_heads=2, head_dim=5, scaled=scaled)
    layer(x)
    query, key, value, residual = random_weights(layer)
    heads = []
    for columns in (slice(0, 5), slice(5, 10)):
        scores = (x @ query[:, columns]) @ (x @ key[:, columns]).swapaxes(1, 2)
        a = np.exp(scores / (5**0.5 if scaled else 1))
        heads.append(a / a.sum(-1, keepdims=True) @ (x @ value[:, columns]))
    expected = np.maximum(np.concatenate(heads, axis=-1) + x @ residual, 0)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_field_attention_does_not_depend_on_the_order_of_the_fields():
    x = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    layer = FieldAttention(num_heads=2, head_dim=5)
    np.testing.assert_allclose(layer(x[:, ::-1]), layer(x)[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("num_heads", [1, 2])
def test_bilinear_fusion_adds_linear_and_bilinear_terms(num_heads):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(3, 6))
    layer = BilinearFusion(num_heads)
    layer(x, y)
    w_x, w_y, fusion, bias = random_weights(layer)
    expected = x @ w_x + y @ w_y + bias
    kernels = fusion.reshape(num_heads, 4 // num_heads, 6 // num_heads)
    parts = [np.split(z, num_heads, axis=1) for z in (x, y)]
    for x_h, y_h, kernel in zip(*parts, kernels, strict=True):
        expected += np.sum(x_h @ kernel * y_h, axis=1, keepdims=True)
    np.testing.assert_allclose(layer(x, y), expected, rtol=1e-4)


def test_bias_starts_at_zero_and_is_added():
    layer = Bias()
    np.testing.assert_array_equal(layer(FLOATS), FLOATS)
    layer.set_weights([np.array([1.0, 0.0, -1.0])])
    np.testing.assert_allclose(layer(FLOATS), FLOATS + [1, 0, -1], atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        (CrossLayerV2(), (FLOATS, FLOATS[:, :2]), "same shape .B, N."),
        (BilinearFusion(2), (FLOATS, FLOATS[:, :2]), "heads dividing M and N"),
        (BilinearFusion(), (FLOATS, FIELDS), "x .B, M. and y .B, N."),
        (BilinearInteraction(), (FIELDS[:, :1],), "at least 2 fields"),
        (CompressedInteraction(2), (FIELDS, FIELDS[..., :2]), "same embedding dim"),
        (CompressedInteraction(2), (FLOATS, FIELDS), "stack the embeddings"),
        (FieldAttention(), (FLOATS,), "stack the embeddings"),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused_with_a_fix(layer, arguments, message):
    with pytest.raises(ValueError, match=message):
        layer(*arguments)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CrossLayerV2(rank=0), "`rank` to be a whole"),
        (lambda: BilinearInteraction("some"), "one of 'interaction', 'each', 'all'"),
        (lambda: BilinearFusion(0), "`num_heads` to be a whole"),
        (lambda: CompressedInteraction(0), "`units` to be a whole"),
        (lambda: FieldAttention(0), "`num_heads` to be a whole"),
    ],
    ids=["rank", "mode", "fusion heads", "units", "attention heads"],
)
def test_wrong_arguments_are_refused_with_a_fix(build, message):
    with pytest.raises(ValueError, match=message):
        build()
