"""The layers over a history, against independent oracles."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import (
    DINAttention,
    ETAAttention,
    Newest,
    SIMAttention,
    TargetAttention,
    TransformerEncoder,
)

B, T, D = 6, 9, 4
LENGTHS = np.array([9, 7, 4, 1, 0, 9])
PRESENT = np.arange(T) < LENGTHS[:, None]


def history(seed=0):
    """Candidates, rows, ids, the candidates' categories, the history's."""
    rng = np.random.default_rng(seed)
    categories = rng.integers(1, 3, (B, T)) * PRESENT
    return (
        rng.normal(size=(B, D)).astype("float32"),
        rng.normal(size=(B, T, D)).astype("float32"),
        rng.integers(1, 50, (B, T)) * PRESENT,
        np.array([1, 2, 1, 2, 1, 3]),
        categories,
    )


def arguments_of(layer, values):
    """The first five, three or two of `values` that the layer takes."""
    query, rows, ids, category, categories = values
    if isinstance(layer, TransformerEncoder):
        return rows, ids
    if isinstance(layer, SIMAttention):
        return query, rows, ids, category, categories
    return query, rows, ids


LAYERS = {
    "target": lambda: TargetAttention(6, 2),
    "encoder": lambda: TransformerEncoder(6, 2, num_positions=5),
    "din": lambda: DINAttention((5,)),
    "din softmax": lambda: DINAttention((5,), softmax=True),
    "sim": lambda: SIMAttention(6, 2, top_k=2),
    "eta": lambda: ETAAttention(6, 2, top_k=3, bits=5),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS.keys())
def layer(request):
    keras.utils.set_random_seed(1)
    built = request.param()
    built(*arguments_of(built, history()))
    rng = np.random.default_rng(2)
    for weight in built.weights:
        weight.assign(rng.normal(size=weight.shape))
    return built


def apply(layer, values):
    """The output for a history, without the encoder's padding."""
    output = layer(*arguments_of(layer, values)).numpy()
    return output[:, :T] if isinstance(layer, TransformerEncoder) else output


# Padding and empty histories


def test_padding_appended_changes_nothing(layer):
    query, rows, ids, category, categories = history()
    extra = ((0, 0), (0, 4))
    longer = (
        query,
        np.pad(rows, (*extra, (0, 0)), constant_values=7.0),
        np.pad(ids, extra),
        category,
        np.pad(categories, extra),
    )
    np.testing.assert_allclose(apply(layer, longer), apply(layer, history()), atol=1e-5)


@pytest.mark.parametrize("garbage", [1e6, np.nan])
def test_garbage_at_padding_changes_neither_score_nor_gradient(layer, garbage):
    query, rows, ids, category, categories = history()
    dirty = np.where(PRESENT[..., None], rows, garbage).astype("float32")
    results = []
    for each in (rows, dirty):
        values = (tf.constant(query), tf.constant(each), ids, category, categories)
        with tf.GradientTape() as tape:
            tape.watch(values[:2])
            output = layer(*arguments_of(layer, values))
            loss = tf.reduce_sum(output**2)
        sources = [values[1], *layer.trainable_weights]
        gradients = tape.gradient(loss, [getattr(s, "value", s) for s in sources])
        results.append([output, *gradients])
    for clean, other in zip(*results, strict=True):
        np.testing.assert_allclose(clean, other, rtol=1e-5, atol=1e-5)


def test_an_empty_history_gives_zeros(layer):
    np.testing.assert_array_equal(apply(layer, history())[4], 0.0)


@pytest.mark.parametrize("build", [*LAYERS.values(), lambda: Newest(3)])
def test_a_served_batch_can_have_any_size(build):
    """An export traces the layers with a batch size that is unknown."""
    layer = build()
    values = history()
    arguments = (
        values[1:3] if isinstance(layer, Newest) else arguments_of(layer, values)
    )
    expected = layer(*arguments)
    signature = [
        tf.TensorSpec((None, *np.shape(a)[1:]), tf.as_dtype(a.dtype)) for a in arguments
    ]
    served = tf.function(layer, input_signature=signature)
    np.testing.assert_allclose(
        served(*map(tf.constant, arguments)), expected, atol=1e-6
    )


def test_a_gradient_reaches_every_trainable_weight_and_vector(layer):
    values = [tf.constant(v) for v in history()]
    with tf.GradientTape() as tape:
        tape.watch(values[:2])
        output = layer(*arguments_of(layer, values))
        loss = tf.reduce_sum(output * np.arange(np.size(output)).reshape(output.shape))
    sources = [values[1], *(w.value for w in layer.trainable_weights)]
    for gradient in tape.gradient(loss, sources):
        assert np.abs(gradient).max() > 1e-3


# Oracles


def multi_head(layer, query, rows, mask):
    """Keras's attention with the kernels of `layer`; `query` is `[B, Q, D]`."""
    heads, width = layer.num_heads, layer.units // layer.num_heads
    oracle = keras.layers.MultiHeadAttention(
        heads, width, use_bias=False, output_shape=layer._output.shape[1]
    )
    oracle(query, rows, attention_mask=mask)
    kernels = [layer._query, layer._key, layer._value]
    kernels = [k.numpy().reshape(-1, heads, width) for k in kernels]
    kernels.append(layer._output.numpy().reshape(heads, width, -1))
    # Keras keeps query, key, value, output in this order.
    oracle.set_weights(kernels)
    return oracle(query, rows, attention_mask=mask).numpy()


def test_target_attention_agrees_with_the_multi_head_attention_of_keras():
    query, rows, ids, *_ = history()
    layer = TargetAttention(6, 2)
    output = layer(query, rows, ids)
    expected = multi_head(layer, query[:, None], rows, PRESENT[:, None])[:, 0]
    some = LENGTHS > 0
    np.testing.assert_allclose(output[some], expected[some], atol=1e-5)


def numpy_norm(x, scale, offset):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + offset


def test_encoder_is_attention_and_feed_forward_with_skip_connections():
    _, rows, ids, *_ = history()
    layer = TransformerEncoder(6, 2, feed_forward_units=5, num_positions=6)
    layer(rows, ids)
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    weights = {w.name: w.numpy() for w in layer.weights}
    newer = np.clip(LENGTHS[:, None] - 1 - np.arange(T), 0, 5)
    x = (rows + weights["positions"][newer]).astype("float32")
    x = x + multi_head(layer, x, x, PRESENT[:, None])
    x = numpy_norm(x, weights["norm_0_scale"], weights["norm_0_offset"])
    hidden = x @ weights["feed_forward_0_kernel"] + weights["feed_forward_0_bias"]
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    x = x + hidden @ weights["feed_forward_1_kernel"] + weights["feed_forward_1_bias"]
    x = numpy_norm(x, weights["norm_1_scale"], weights["norm_1_offset"])
    np.testing.assert_allclose(
        layer(rows, ids), x * PRESENT[..., None], rtol=1e-4, atol=1e-4
    )


def test_encoder_counts_positions_from_the_newest_id_despite_padding():
    _, rows, ids, *_ = history()
    layer = TransformerEncoder(6, 2)
    after = layer(rows, ids).numpy()[2, :4]
    before = layer(np.roll(rows, T - 4, axis=1), np.roll(ids, T - 4, axis=1))
    np.testing.assert_allclose(before[2, -4:], after, atol=1e-5)


def test_the_gradient_of_the_positions_is_dense():
    _, rows, ids, *_ = history()
    layer = TransformerEncoder(6, 2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(rows, ids) ** 2)
    assert tf.is_tensor(tape.gradient(loss, layer._positions.value))


@pytest.mark.parametrize("softmax", [False, True])
def test_din_attention_agrees_with_its_equation(softmax):
    query, rows, ids, *_ = history()
    layer = DINAttention((5, 3), softmax=softmax)
    output = layer(query, rows, ids).numpy()
    weights = [w.numpy() for w in layer.weights]
    for b in range(B):
        scores = []
        for j in range(LENGTHS[b]):
            e, v = rows[b, j], query[b]
            x = np.concatenate([e, v, e - v, e * v])
            for i in range(2):
                x = 1 / (1 + np.exp(-(x @ weights[2 * i] + weights[2 * i + 1])))
            scores.append(x @ weights[4] + (0.0 if softmax else weights[5]))
        scores = np.reshape(scores, -1)
        if softmax and len(scores):
            scores = np.exp(scores) / np.exp(scores).sum()
        expected = scores @ rows[b, : len(scores)]
        np.testing.assert_allclose(output[b], expected, rtol=1e-4, atol=1e-5)


# Retrieval


def by_category(layer, values, b):
    """Positions that a person would take for example `b`, newest first."""
    _, _, ids, category, categories = values
    found = [j for j in range(T) if ids[b, j] and categories[b, j] == category[b]]
    return found[::-1][: layer.top_k]


def by_hamming(layer, values, b):
    """The same for ETA, one bit after the other."""
    query, rows, ids, *_ = values
    codes = rows[b] @ layer.projection.numpy() >= 0
    own = query[b] @ layer.projection.numpy() >= 0
    present = [j for j in range(T) if ids[b, j]]
    order = [
        (sum(x != y for x, y in zip(codes[j], own, strict=True)), -j, j)
        for j in present
    ]
    return [j for *_, j in sorted(order)][: layer.top_k]


SEARCHES = {
    "sim": (lambda k: SIMAttention(6, 2, top_k=k), by_category),
    "eta": (lambda k: ETAAttention(6, 2, top_k=k, bits=4), by_hamming),
}


@pytest.mark.parametrize("top_k", [1, 2, 3, 20])
@pytest.mark.parametrize(("build", "oracle"), SEARCHES.values(), ids=SEARCHES.keys())
def test_retrieval_equals_attention_to_the_rows_found_by_brute_force(
    build, oracle, top_k
):
    layer, values = build(top_k), history(seed=3)
    query, rows, ids, *_ = values
    output = layer(*arguments_of(layer, values))
    chosen = np.zeros_like(ids)
    for b in range(B):
        chosen[b, oracle(layer, values, b)] = 1
    full = TargetAttention(6, 2)
    full(query, rows, ids)
    full.set_weights(layer.get_weights()[:4])
    np.testing.assert_allclose(output, full(query, rows, chosen), atol=1e-5)


@pytest.mark.parametrize(("build", "oracle"), SEARCHES.values(), ids=SEARCHES.keys())
def test_the_gradient_flows_only_through_the_retrieved_rows(build, oracle):
    layer, values = build(3), history(seed=3)
    rows = tf.constant(values[1])
    with tf.GradientTape() as tape:
        tape.watch(rows)
        output = layer(*arguments_of(layer, (values[0], rows, *values[2:])))
        loss = tf.reduce_sum(output**2)
    moved = np.any(tape.gradient(loss, rows).numpy() != 0, axis=2)
    for b in range(B):
        assert set(np.flatnonzero(moved[b])) == set(oracle(layer, values, b))


def test_eta_that_retrieves_all_rows_is_full_attention():
    query, rows, ids, *_ = history()
    layer, full = ETAAttention(6, 2, top_k=T), TargetAttention(6, 2)
    output = layer(query, rows, ids)
    full(query, rows, ids)
    full.set_weights(layer.get_weights()[:4])
    np.testing.assert_allclose(output, full(query, rows, ids), atol=1e-5)


def test_sim_finds_nothing_when_the_candidate_has_no_category():
    query, rows, ids, category, categories = history()
    layer = SIMAttention(6, 2)
    output = layer(query, rows, ids, 0 * category, 0 * categories)
    np.testing.assert_array_equal(output, np.zeros((B, 6)))


def test_projection_of_eta_is_not_trained_and_is_copied_with_the_weights():
    query, rows, ids, *_ = history()
    layer, other = ETAAttention(6, 2), ETAAttention(6, 2)
    layer(query, rows, ids), other(query, rows, ids)
    assert all(w is not layer.projection for w in layer.trainable_weights)
    assert not np.array_equal(layer.projection, other.projection)
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer.projection, other.projection)


def test_newest_keeps_the_order_and_the_rows_of_the_ids():
    _, rows, ids, *_ = history()
    kept = Newest(3)(ids, ids).numpy()
    for b in range(B):
        newest = ids[b, : LENGTHS[b]][-3:]
        assert kept[b].tolist() == [0] * (3 - len(newest)) + newest.tolist()
    vectors = Newest(3)(rows, ids).numpy()
    np.testing.assert_array_equal(vectors[2], rows[2, 1:4])
    np.testing.assert_array_equal(vectors[3], [[0] * D, [0] * D, rows[3, 0]])
    assert Newest(20)(rows, ids).shape == (B, T, D)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda q, r, i, c, h: TargetAttention()(q, r, i[:, 1:]), "ids that the vec"),
        (lambda q, r, i, c, h: TargetAttention()(r, r, i), "one vector per candidate"),
        (lambda q, r, i, c, h: ETAAttention()(q[:, 1:], r, i), "table of the history"),
        (lambda q, r, i, c, h: DINAttention()(q[:, 1:], r, i), "table of the history"),
        (lambda q, r, i, c, h: SIMAttention()(q, r, i, c, h[:, 1:]), "same max_length"),
        (lambda q, r, i, c, h: Newest(2)(r[:, 1:], i), "values for the ids"),
        (lambda *_: TargetAttention(10, 4), "units that num_heads divides"),
        (
            lambda *_: TransformerEncoder(num_positions=0),
            "`num_positions` to be a whole",
        ),
        (lambda *_: SIMAttention(top_k=0), "`top_k` to be a whole"),
        (lambda *_: ETAAttention(bits=0), "`bits` to be a whole"),
        (lambda *_: Newest(0), "`length` to be a whole"),
        (
            lambda *_: ETAAttention()(
                keras.Input((D,)), keras.Input((None, D)), keras.Input((None,))
            ),
            "history of known length T",
        ),
    ],
)
def test_errors_say_how_to_fix_them(call, message):
    with pytest.raises(ValueError, match=message):
        call(*history())
