"""Every backbone against a twin in NumPy or keras-rs, written from the equations.

The twins start at the encoded features. All they know of a model is the names of its
weights.
"""

import keras
import keras_rs
import numpy as np
import pytest

from tests.support.frames import click_frame, click_schema
from tests.support.golden import SIZES
from tf_ctr import backbones
from tf_ctr.backbones import BACKBONES
from tf_ctr.data import from_frame
from tf_ctr.features import Categorical, Numeric, Schema


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


def dots(vectors, self_interaction=False):
    """All `<v_i, v_j>` by keras-rs: the lower triangle, row by row."""
    layer = keras_rs.layers.DotInteraction(self_interaction)
    return np.array(layer([vector.astype("float32") for vector in vectors]))


def attention(x, weights, heads, scale=1.0):
    query, key, value, residual = weights
    outputs = []
    for columns in np.split(np.arange(query.shape[1]), heads):
        q, k, v = (x @ kernel[:, columns] for kernel in (query, key, value))
        scores = np.exp(np.einsum("bmd,bkd->bmk", q, k) * scale)
        outputs.append(scores / scores.sum(2, keepdims=True) @ v)
    return relu(np.concatenate(outputs, axis=2) + x @ residual)


def assert_scores(model, features, logits):
    scores = model(features)[:, 0]
    np.testing.assert_allclose(scores, sigmoid(logits), rtol=1e-4, atol=1e-6)


def test_every_backbone_has_an_oracle():
    missing = [name for name in BACKBONES if f"test_{name}" not in globals()]
    assert not missing, f"write test_NAME, from the equations, for {missing}"


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
    fm = linear(schema, features, w).sum(1) + dots(np.moveaxis(x, 1, 0)).sum(1)
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
    assert_scores(
        model,
        features,
        bias + wide + dots(np.moveaxis(x * factors[..., None], 1, 0)).sum(1),
    )


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


def test_dcn(schema, features):
    model = backbones.dcn(schema, **SIZES, num_cross_layers=3)
    w = randomised(model)
    x = crossed = concatenated(schema, features, w)
    for i in range(3):
        kernel, bias = w[f"cross_{i}"]
        crossed = x * (crossed @ kernel) + bias + crossed
    interactions = np.concatenate([crossed, deep(x, w)], axis=1)
    assert_scores(model, features, logit(interactions, w))


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


@pytest.mark.parametrize("self_interaction", [False, True])
def test_dlrm(self_interaction, schema, features):
    model = backbones.dlrm(
        schema, **SIZES, bottom_units=(5,), self_interaction=self_interaction
    )
    w = randomised(model)
    vectors = field_vectors(schema, features, w, "embedding", alike=False)
    is_number = [field.table is None for field in schema.fields]
    numbers = [v for v, number in zip(vectors, is_number, strict=True) if number]
    bottom = deep(np.concatenate(numbers, axis=1), w, "bottom")
    factors = [bottom, *(v for v, n in zip(vectors, is_number, strict=True) if not n)]
    x = np.concatenate([bottom, upper_triangle(factors, self_interaction)], axis=1)
    assert_scores(model, features, logit(deep(x, w), w))


def upper_triangle(vectors, self_interaction=False):
    """The products of keras-rs, in the order (0, 1), (0, 2), ..."""
    pairs = [(j, i) for i in range(len(vectors)) for j in range(i + self_interaction)]
    order = sorted(range(len(pairs)), key=pairs.__getitem__)
    return dots(vectors, self_interaction)[:, order]


def test_dlrm_without_numbers_has_products_only(features):
    fields = [field for field in click_schema().fields if field.table is not None]
    schema = Schema(fields)
    model = backbones.dlrm(schema, **SIZES)
    w = randomised(model)
    assert not [name for name in w if name.startswith("bottom")]
    x = upper_triangle(field_vectors(schema, features, w, "embedding"))
    chosen = {field.name: features[field.name] for field in fields}
    assert_scores(model, chosen, logit(deep(x, w), w))


def test_dlrm_joins_the_numbers_at_the_bottom():
    fields = [Numeric(name, mean=0.0, std=1.0) for name in ("age", "price")]
    model = backbones.dlrm(Schema([Categorical("user", ["ann"]), *fields]))
    assert model.get_layer("bottom_0").kernel.shape == (2, 64)
    assert model.get_layer("bottom_1").units == 16


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


def test_finalmlp_gates_start_open_and_are_optional(schema, features):
    gated = backbones.finalmlp(schema, **SIZES)
    plain = backbones.finalmlp(
        schema, **SIZES, gate_fields=None, second_gate_fields=None
    )
    for layer in plain.layers:
        layer.set_weights(gated.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(gated(features), plain(features), rtol=1e-6)


# The attentions have oracles of their own, in tests/layers/history.


def output_of(model, layer, features):
    part = keras.Model(model.input, model.get_layer(layer).output)
    return np.array(part(features), "float64")


def test_din(schema, features):
    model = backbones.din(schema, **SIZES)
    w = randomised(model)
    vectors = field_vectors(schema, features, w, "embedding", alike=False)
    *others, _ = vectors  # The history comes last, and is not pooled.
    interest = output_of(model, "history_attention", features)
    x = np.concatenate([*others, interest], axis=1)
    assert_scores(model, features, logit(deep(x, w), w))


def test_taobao(schema, features):
    model = backbones.taobao(
        schema,
        **SIZES,
        attention_units=4,
        num_heads=2,
        recent_length=2,
        top_k=2,
        activation="relu",
        batch_norm=False,
    )
    w = randomised(model)
    *others, _ = field_vectors(schema, features, w, "embedding", alike=False)
    interests = [
        output_of(model, f"history_{attention}", features)
        for attention in ("attention", "eta")
    ]
    x = np.concatenate([*others, *interests], axis=1)
    assert_scores(model, features, logit(deep(x, w), w))


@pytest.mark.parametrize("hidden_units", [(), (8, 6)], ids=["fm", "deep"])
def test_fm(hidden_units, schema, features):
    model = backbones.fm(schema, 4, hidden_units)
    w = randomised(model)
    x = embeddings(schema, features, w)
    logits = linear(schema, features, w).sum(1) + dots(np.moveaxis(x, 1, 0)).sum(1)
    logits += logit(deep(flat(x), w), w) if hidden_units else w["logit"][0]
    assert_scores(model, features, logits)


def pairs_of(x):
    return [(i, j) for i in range(x.shape[1]) for j in range(x.shape[1]) if i < j]


@pytest.mark.parametrize("hidden_units", [(), (8, 6)], ids=["fwfm", "deep"])
def test_fwfm(hidden_units, schema, features):
    model = backbones.fwfm(schema, 4, hidden_units)
    w = randomised(model)
    x = embeddings(schema, features, w)
    (kernel, bias) = w["logit"]
    pairs = pairs_of(x)
    logits = linear(schema, features, w).sum(1) + bias
    for weight, (i, j) in zip(kernel[: len(pairs), 0], pairs, strict=True):
        logits += weight * (x[:, i] * x[:, j]).sum(1)
    if hidden_units:
        logits += (deep(flat(x), w) @ kernel[len(pairs) :])[:, 0]
    assert_scores(model, features, logits)


def test_nfm(schema, features):
    model = backbones.nfm(schema, **SIZES)
    w = randomised(model)
    x = embeddings(schema, features, w)
    products = sum(x[:, i] * x[:, j] for i, j in pairs_of(x))
    wide = linear(schema, features, w).sum(1)
    assert_scores(model, features, logit(deep(products, w), w) + wide)


@pytest.mark.parametrize("hidden_units", [(), (8, 6)], ids=["afm", "deep"])
def test_afm(hidden_units, schema, features):
    model = backbones.afm(schema, 4, hidden_units, attention_units=3)
    w = randomised(model)
    x = embeddings(schema, features, w)
    kernel, score, bias = w["attention_0"]
    products = np.stack([x[:, i] * x[:, j] for i, j in pairs_of(x)], axis=1)
    scores = np.exp(relu(products @ kernel + bias) @ score)
    pooled = (scores / scores.sum(1, keepdims=True) * products).sum(1)
    parts = [pooled] + ([deep(flat(x), w)] if hidden_units else [])
    wide = linear(schema, features, w).sum(1)
    assert_scores(model, features, logit(np.concatenate(parts, 1), w) + wide)


@pytest.mark.parametrize("structure", ["parallel", "stacked"])
def test_gdcn(structure, schema, features):
    model = backbones.gdcn(schema, **SIZES, num_cross_layers=2, structure=structure)
    w = randomised(model)
    x = crossed = concatenated(schema, features, w)
    for i in range(2):
        kernel, gate, bias = w[f"cross_{i}"]
        crossed = x * (crossed @ kernel + bias) * sigmoid(crossed @ gate) + crossed
    if structure == "stacked":
        interactions = deep(crossed, w)
    else:
        interactions = np.concatenate([crossed, deep(x, w)], axis=1)
    assert_scores(model, features, logit(interactions, w))


def layer_norm(x, scale, offset, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return scale * centred / np.sqrt(x.var(-1, keepdims=True) + epsilon) + offset


@pytest.mark.parametrize("structure", ["parallel", "serial"])
def test_masknet(structure, schema, features):
    model = backbones.masknet(
        schema, **SIZES, block_units=(5, 3), structure=structure, reduction_ratio=0.5
    )
    w = randomised(model)
    x = embeddings(schema, features, w)
    normed = outputs = flat(layer_norm(x, *w["embedding_norm"], epsilon=1e-3))
    found = []
    for i in range(2):
        a_kernel, a_bias, p_kernel, p_bias, kernel, scale, offset = w[f"mask_{i}"]
        mask = relu(flat(x) @ a_kernel + a_bias) @ p_kernel + p_bias
        masked = mask * (normed if structure == "parallel" else outputs)
        outputs = relu(layer_norm(masked @ kernel, scale, offset, 1e-6))
        found.append(outputs)
    hidden = np.concatenate(found, 1) if structure == "parallel" else outputs
    assert_scores(model, features, logit(deep(hidden, w), w))


@pytest.mark.parametrize("pooling", ["concat", "mean", "candidate"])
def test_bst(pooling, schema, features):
    model = backbones.bst(
        schema, **SIZES, attention_units=4, num_heads=2, pooling=pooling
    )
    w = randomised(model)
    *others, _ = field_vectors(schema, features, w, "embedding", alike=False)
    table = w["item_embedding"][0]
    ids = np.concatenate([features["history"], features["item"][:, None]], axis=1)
    # The encoder has an oracle of its own.
    encoder = model.get_layer("history_encoder")
    encoded = np.array(encoder(table[ids].astype("float32"), ids), "float64")
    present = (ids > 0).sum(1, keepdims=True)
    interest = {
        "concat": flat(encoded),
        "mean": encoded.sum(1) / np.maximum(present, 1),
        "candidate": encoded[:, -1],
    }[pooling]
    x = np.concatenate([*others, interest], axis=1)
    assert_scores(model, features, logit(deep(x, w), w))


@pytest.mark.parametrize("num_sums", [4, 5], ids=["as many", "more"])
def test_wukong(num_sums, schema, features):
    model = backbones.wukong(
        schema,
        **SIZES,
        num_layers=2,
        num_products=3,
        num_sums=num_sums,
        rank=2,
        product_units=5,
    )
    w = randomised(model)
    x = embeddings(schema, features, w)
    for i in range(2):
        project, *norm, u, u_bias, v, v_bias, sums = w[f"wukong_{i}"][:8]
        products = np.einsum("bfd,bgd->bfg", x, x) @ project
        hidden = relu(layer_norm(flat(products), *norm, 1e-6) @ u + u_bias)
        made = (hidden @ v + v_bias).reshape(len(x), 3, 4)
        joined = np.concatenate([made, np.einsum("bfd,fs->bsd", x, sums)], axis=1)
        if x.shape[1] != 3 + num_sums:
            x = np.einsum("bfd,fs->bsd", x, w[f"wukong_{i}"][8])
        x = layer_norm(joined + x, *w[f"wukong_{i}"][-2:], 1e-6)
    assert_scores(model, features, logit(deep(flat(x), w), w))


def personal_gate(x, condition, weights):
    w_kernel, w_bias, v_kernel, v_bias = weights
    hidden = relu(condition @ w_kernel + w_bias)
    return x * 2 * sigmoid(hidden @ v_kernel + v_bias)


@pytest.mark.parametrize("domain", [(), ("device",)], ids=["one", "domains"])
def test_pepnet(domain, schema, features):
    model = backbones.pepnet(
        schema, **SIZES, domain_fields=domain, personal_fields=["user", "item"]
    )
    w = randomised(model)
    names = [field.name for field in schema.fields]
    vectors = field_vectors(schema, features, w, "embedding", alike=False)
    vectors = dict(zip(names, vectors, strict=True))
    x = np.concatenate(list(vectors.values()), axis=1)
    if domain:
        condition = np.concatenate([vectors["device"], x], axis=1)
        x = personal_gate(x, condition, w["domain_gate"])
    condition = np.concatenate([vectors["user"], vectors["item"], x], axis=1)
    for i in range(2):
        kernel, bias = w[f"deep_{i}"]
        x = personal_gate(relu(x @ kernel + bias), condition, w[f"personal_{i}"])
    assert_scores(model, features, logit(x, w))


def test_the_gates_of_pepnet_do_not_train_the_embeddings(schema, features):
    model = backbones.pepnet(schema, **SIZES, personal_fields=["user"])
    condition = model.get_layer("personal_condition").input
    assert condition[0].shape == (None, 4)
    # All of the embeddings reach the gate through an operation without gradient.
    operation = condition[1]._keras_history.operation
    assert type(operation).__name__ == "StopGradient"


def gru(rows, present, weights, units, attention=None):
    """The states of a GRU, step by step and row by row."""
    kernel, state_kernel, bias = weights
    u, r, n = np.split(kernel, 3, axis=1)
    u_state, r_state, n_state = np.split(state_kernel, 3, axis=1)
    u_bias, r_bias, n_bias = np.split(bias, 3)
    states = np.zeros((*rows.shape[:2], units))
    for row in range(len(rows)):
        h = np.zeros(units)
        for t in range(rows.shape[1]):
            x = rows[row, t]
            if present[row, t]:
                update = sigmoid(x @ u + h @ u_state + u_bias)
                reset = sigmoid(x @ r + h @ r_state + r_bias)
                new = np.tanh(x @ n + reset * (h @ n_state) + n_bias)
                update = update if attention is None else attention[row, t] * update
                h = (1 - update) * h + update * new
            states[row, t] = h
    return states


def test_dien(schema, features):
    model = backbones.dien(schema, **SIZES, state_units=3)
    w = randomised(model)
    *others, _ = field_vectors(schema, features, w, "embedding", alike=False)
    table = w["item_embedding"][0]
    present = features["history"] > 0
    assert present.any() and not present.all()
    states = gru(table[features["history"]], present, w["history_extractor"], 3)
    attention_kernel, *weights = w["history_evolution"]
    query = table[features["item"]]
    scores = np.exp(np.einsum("btm,md,bd->bt", states, attention_kernel, query))
    scores = scores * present
    attended = scores / np.maximum(scores.sum(1, keepdims=True), 1e-9)
    interest = gru(states, present, weights, 3, attended)[:, -1]
    x = np.concatenate([*others, interest], axis=1)
    assert_scores(model, features, logit(deep(x, w), w))
