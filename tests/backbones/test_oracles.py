"""Every backbone against a twin in NumPy or keras-rs, written from the equations.

The twins start at the encoded features, and know a model by its weights' names only.
"""

import inspect

import keras_rs
import numpy as np
import pytest

from tests.support.frames import click_frame, click_schema
from tf_ctr import backbones
from tf_ctr.backbones import BACKBONES, factorization
from tf_ctr.data import from_frame
from tf_ctr.features import Categorical, Schema
from tf_ctr.layers import Embedding
from tf_ctr.surgery.graph import Graph

SIZES = {"embedding_dim": 4, "hidden_units": (8, 6)}
NEED_HISTORY = {"din", "taobao"}
NEEDS_DEEP = ["deepfm", "difm", "dnn", "fibinet", "finalmlp", "pnn", "wide_deep"]
NEEDS_DEEP += sorted(NEED_HISTORY)
# CTNet's paper states the sizes of its model.
OWN_DEFAULTS = {
    ("taobao", "hidden_units"): (1024, 512, 256),
    ("taobao", "activation"): "leaky_relu",
    ("taobao", "batch_norm"): True,
}


@pytest.fixture(scope="module")
def schema():
    return click_schema()


@pytest.fixture(scope="module")
def features(schema):
    batch, _ = next(iter(from_frame(click_frame(), schema, batch_size=30)))
    return {name: values.numpy() for name, values in batch.items()}


def randomised(model, seed=0):
    """Draws all weights; returns them as `{layer: [weight, ...]}` in float64."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(scale=0.4, size=weight.shape))
    return {
        layer.name: [np.array(w, "float64") for w in layer.weights]
        for layer in model.layers
    }


def field_vectors(schema, features, weights, kind, alike=True):
    """One vector per field: of its embedding, or of its linear weights."""
    vectors = []
    for field in schema.fields:
        x = features[field.name]
        if field.table is None:
            vectors.append(x @ weights[f"{field.name}_{kind}"][0] if alike else x)
            continue
        owner = field.table if kind == "embedding" else field.name
        rows = weights[f"{owner}_{kind}"][0][x]
        if field.multivalent:
            known = x[..., None] > 0
            rows = (rows * known).sum(1) / np.maximum(known.sum(1), 1)
        vectors.append(rows)
    return vectors


def embeddings(schema, features, weights):
    """`[B, F, D]`, numbers included."""
    return np.stack(field_vectors(schema, features, weights, "embedding"), axis=1)


def concatenated(schema, features, weights):
    """`[B, N]`, numbers as they are."""
    return np.concatenate(
        field_vectors(schema, features, weights, "embedding", alike=False), axis=1
    )


def linear(schema, features, weights):
    """`[B, F]`."""
    return np.concatenate(field_vectors(schema, features, weights, "linear"), axis=1)


def flat(x):
    return x.reshape(len(x), -1)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def deep(x, weights, name="deep"):
    for i in range(2):
        kernel, bias = weights[f"{name}_{i}"]
        x = relu(x @ kernel + bias)
    return x


def logit(x, weights):
    kernel, bias = weights["logit"]
    return (x @ kernel + bias)[:, 0]


def dots(x):
    """All `<v_i, v_j>` by keras-rs: the lower triangle, row by row."""
    layer = keras_rs.layers.DotInteraction()
    return np.array(layer([x[:, i].astype("float32") for i in range(x.shape[1])]))


def attention(x, weights, heads, scale=1.0):
    query, key, value, residual = weights
    outputs = []
    for columns in np.split(np.arange(query.shape[1]), heads):
        q, k, v = (x @ kernel[:, columns] for kernel in (query, key, value))
        scores = np.exp(np.einsum("bmd,bkd->bmk", q, k) * scale)
        outputs.append(scores / scores.sum(2, keepdims=True) @ v)
    return relu(np.concatenate(outputs, axis=2) + x @ residual)


def assert_scores(model, features, logits):
    scores = model.predict(features, verbose=0, batch_size=30)[:, 0]
    np.testing.assert_allclose(scores, sigmoid(logits), rtol=1e-4, atol=1e-6)


def test_dnn(schema, features):
    model = backbones.dnn(schema, **SIZES)
    w = randomised(model)
    x = concatenated(schema, features, w)
    assert_scores(model, features, logit(deep(x, w), w))


def test_wide_deep(schema, features):
    model = backbones.wide_deep(schema, **SIZES)
    w = randomised(model)
    hidden = deep(concatenated(schema, features, w), w)
    wide = linear(schema, features, w).sum(1)
    assert_scores(model, features, logit(hidden, w) + wide)


def test_deepfm(schema, features):
    model = backbones.deepfm(schema, **SIZES)
    w = randomised(model)
    x = embeddings(schema, features, w)
    fm = linear(schema, features, w).sum(1) + dots(x).sum(1)
    assert_scores(model, features, logit(deep(flat(x), w), w) + fm)


@pytest.mark.parametrize("product", ["inner", "outer", "both"])
def test_pnn(product, schema, features):
    model = backbones.pnn(schema, **SIZES, product=product)
    w = randomised(model)
    x = embeddings(schema, features, w)
    fields = range(x.shape[1])
    signals = [flat(x)]
    if product != "outer":
        pairs = [(i, j) for i in fields for j in fields if i < j]
        signals.append(np.stack([(x[:, i] * x[:, j]).sum(1) for i, j in pairs], 1))
    if product != "inner":  # The sum over all ordered pairs.
        signals.append(
            flat(
                sum(
                    np.einsum("bd,be->bde", x[:, i], x[:, j])
                    for i in fields
                    for j in fields
                )
            )
        )
    hidden = deep(np.concatenate(signals, axis=1), w)
    assert_scores(model, features, logit(hidden, w))


@pytest.mark.parametrize("bilinear", ["all", "each", "interaction"])
def test_fibinet(bilinear, schema, features):
    model = backbones.fibinet(schema, **SIZES, bilinear=bilinear, reduction_ratio=2)
    w = randomised(model)
    x = embeddings(schema, features, w)
    (squeeze,), (excite,) = w["senet_0"], w["senet_1"]
    assert squeeze.shape == (7, 3)
    importance = relu(relu(x.mean(2) @ squeeze) @ excite)
    assert importance.any()
    products = []
    for vectors, name in [(x, "bilinear_0"), (x * importance[..., None], "bilinear_1")]:
        pairs = [(i, j) for i in range(7) for j in range(7) if i < j]
        for p, (i, j) in enumerate(pairs):
            kernel = w[name][0][{"all": 0, "each": i, "interaction": p}[bilinear]]
            products.append((vectors[:, i] @ kernel) * vectors[:, j])
    hidden = deep(np.concatenate(products, axis=1), w)
    wide = linear(schema, features, w).sum(1)
    assert_scores(model, features, logit(hidden, w) + wide)


def test_difm(schema, features):
    model = backbones.difm(schema, **SIZES, num_heads=2, head_dim=3)
    w = randomised(model)
    x = embeddings(schema, features, w)
    attended = attention(x, w["attention_0"], heads=2, scale=3**-0.5)
    factors = deep(flat(x), w) @ w["bit_factors"][0]
    factors += flat(attended) @ w["vector_factors"][0]
    (bias,) = w["logit"]
    wide = (factors * linear(schema, features, w)).sum(1)
    assert_scores(model, features, bias + wide + dots(x * factors[..., None]).sum(1))


@pytest.mark.parametrize("hidden_units", [(8, 6), ()], ids=["deep", "attention only"])
def test_autoint(hidden_units, schema, features):
    model = backbones.autoint(
        schema, 4, hidden_units, num_attention_layers=2, num_heads=2, head_dim=3
    )
    w = randomised(model)
    x = embeddings(schema, features, w)
    attended = attention(attention(x, w["attention_0"], 2), w["attention_1"], 2)
    parts = [flat(attended)] + ([deep(flat(x), w)] if hidden_units else [])
    assert_scores(model, features, logit(np.concatenate(parts, axis=1), w))


@pytest.mark.parametrize("rank", [None, 2], ids=["full", "low rank"])
@pytest.mark.parametrize("structure", ["stacked", "parallel"])
def test_dcn_v2(rank, structure, schema, features):
    model = backbones.dcn_v2(
        schema, **SIZES, num_cross_layers=2, rank=rank, structure=structure
    )
    w = randomised(model)
    x0 = concatenated(schema, features, w).astype("float32")
    crossed = x0
    for i in range(2):
        layer = keras_rs.layers.FeatureCross(projection_dim=rank)
        layer(x0, x0)
        layer.set_weights(w[f"cross_{i}"])
        crossed = np.array(layer(x0, crossed))
    if structure == "stacked":
        interactions = deep(crossed, w)
    else:
        interactions = np.concatenate([crossed, deep(x0, w)], axis=1)
    assert_scores(model, features, logit(interactions, w))


def test_xdeepfm(schema, features):
    model = backbones.xdeepfm(schema, **SIZES, cin_units=(5, 3))
    w = randomised(model)
    x0 = x = embeddings(schema, features, w)
    parts = []
    for i, units in enumerate((5, 3)):
        kernel = w[f"cin_{i}"][0].reshape(x.shape[1], 7, units)
        x = np.einsum("hfu,bhd,bfd->bud", kernel, x, x0)
        parts.append(x.sum(2))
    parts.append(deep(flat(x0), w))
    wide = linear(schema, features, w).sum(1)
    assert_scores(model, features, logit(np.concatenate(parts, 1), w) + wide)


@pytest.mark.parametrize("num_heads", [1, 2])
def test_finalmlp(num_heads, schema, features):
    model = backbones.finalmlp(
        schema,
        **SIZES,
        second_hidden_units=(7, 4),
        second_gate_fields=["item", "price"],
        gate_units=(5,),
        num_heads=num_heads,
    )
    w = randomised(model)
    x = concatenated(schema, features, w)
    names = [field.name for field in schema.fields]
    vectors = field_vectors(schema, features, w, "embedding", alike=False)
    context = [vectors[names.index("item")], vectors[names.index("price")]]
    (kernel, bias), (kernel_1, bias_1) = w["gate_b_0"], w["gate_b_1"]
    hidden = relu(np.concatenate(context, axis=1) @ kernel + bias)
    first = deep(2 * sigmoid(w["gate_0"][0]) * x, w)
    second = deep(2 * sigmoid(hidden @ kernel_1 + bias_1) * x, w, "deep_b")
    w_x, w_y, fusion, b = w["logit"]
    logits = (first @ w_x + second @ w_y + b)[:, 0]
    blocks = fusion.reshape(num_heads, 6 // num_heads, 4 // num_heads)
    heads = np.split(first, num_heads, 1), np.split(second, num_heads, 1)
    for a, c, block in zip(*heads, blocks, strict=True):
        logits += np.einsum("bm,mn,bn->b", a, block, c)
    assert_scores(model, features, logits)


def test_finalmlp_gates_start_open_and_can_be_left_out(schema, features):
    gated = backbones.finalmlp(schema, **SIZES)
    plain = backbones.finalmlp(
        schema, **SIZES, gate_fields=None, second_gate_fields=None
    )
    for layer in plain.layers:
        layer.set_weights(gated.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(
        *(m.predict(features, verbose=0) for m in (gated, plain)), rtol=1e-6
    )


# Pieces


def test_products_agree_with_keras_rs():
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    expected = dots(x)
    np.testing.assert_allclose(
        factorization.factorization_machine(x)[:, 0], expected.sum(1), rtol=1e-4
    )
    # The upper triangle row by row is the lower one column by column.
    order = [0, 1, 3, 2, 4, 5]
    np.testing.assert_allclose(
        factorization.inner_products(x), expected[:, order], rtol=1e-4
    )


def test_history_and_item_share_embeddings_but_not_linear_weights(schema):
    names = {layer.name for layer in backbones.deepfm(schema, **SIZES).layers}
    assert {"history_linear", "item_linear", "item_embedding"} <= names
    assert "history_embedding" not in names


def test_one_field_is_enough_but_for_products():
    schema = Schema([Categorical("user", ["ann", "bob"])])
    features = {"user": np.array([2, 0])}
    # Keras itself warns of attention over one field.
    more = {"pnn", "fibinet", "autoint", "difm"} | NEED_HISTORY
    for name in BACKBONES.keys() - more:
        assert BACKBONES[name](schema, **SIZES)(features).shape == (2, 1)
    for name in NEED_HISTORY:
        with pytest.raises(ValueError, match="a history to attend to"):
            BACKBONES[name](schema, **SIZES)
    for name in ("pnn", "fibinet"):
        with pytest.raises(ValueError, match="at least 2 fields"):
            BACKBONES[name](schema, **SIZES)


# Arguments


@pytest.mark.parametrize("build", BACKBONES.values(), ids=BACKBONES.keys())
def test_common_arguments_have_one_name_and_default(build):
    common = inspect.signature(backbones.dnn).parameters
    own = inspect.signature(build).parameters
    assert list(own)[:3] == ["schema", "embedding_dim", "hidden_units"]
    for name in common:
        expected = OWN_DEFAULTS.get((build.__name__, name), common[name].default)
        assert own[name].default == expected
    with pytest.raises(TypeError, match="hidden_unit"):
        build(None, hidden_unit=(8,))


@pytest.mark.parametrize("build", BACKBONES.values(), ids=BACKBONES.keys())
def test_penalties_cover_kernels_and_batch_rows(build, schema, features):
    assert build(schema, **SIZES).losses == []
    model = build(schema, **SIZES, l2=0.1, embedding_l2=0.1)
    model(features)
    kernels = [w for w in model.weights if "kernel" in w.name]
    linear_tables = [
        layer
        for layer in model.layers
        if layer.name.endswith("_linear") and isinstance(layer, Embedding)
    ]
    lookups = len(Graph(model).tables_by_field) + len(linear_tables)
    assert len(model.losses) == len(kernels) + lookups


@pytest.mark.parametrize("name", NEEDS_DEEP)
def test_no_hidden_layer_guides(name, schema):
    with pytest.raises(ValueError, match="at least one hidden layer"):
        BACKBONES[name](schema, hidden_units=())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("autoint", {"num_attention_layers": 0}, "an attention or a deep part"),
        ("dcn_v2", {"num_cross_layers": 0}, "a cross or a deep part"),
        ("xdeepfm", {"cin_units": ()}, "an interaction or a deep part"),
    ],
)
def test_parts_can_be_left_out_but_not_all(name, arguments, message, schema):
    assert BACKBONES[name](schema, embedding_dim=4, **arguments)
    with pytest.raises(ValueError, match=message):
        BACKBONES[name](schema, hidden_units=(), **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("pnn", {"product": "cross"}, "use one of: both, inner, outer"),
        ("fibinet", {"bilinear": "some"}, "one of 'interaction', 'each', 'all'"),
        ("fibinet", {"reduction_ratio": 0}, "reduction_ratio >= 1"),
        ("dcn_v2", {"structure": "mixed"}, "use one of: parallel, stacked"),
        ("finalmlp", {"gate_fields": ["usr"]}, "use one of: age, device, history"),
        ("finalmlp", {"num_heads": 5}, "5 heads dividing M and N"),
    ],
)
def test_bad_options_guide(name, arguments, message, schema):
    with pytest.raises(ValueError, match=message):
        BACKBONES[name](schema, **SIZES, **arguments)


def test_parallel_dcn_v2_without_crosses_is_a_dnn(schema, features):
    model = backbones.dcn_v2(schema, **SIZES, num_cross_layers=0, structure="parallel")
    twin = backbones.dnn(schema, **SIZES)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        *(m.predict(features, verbose=0) for m in (model, twin))
    )
