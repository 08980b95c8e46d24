"""MMoE, PLE, STAR and MiNet against twins in NumPy, written from the equations."""

import keras
import numpy as np
import pytest

from tests.support.joint_models import (
    SOURCE,
    build,
    two_domain_frame,
    two_domain_schema,
)
from tf_ctr.data import from_frame


@pytest.fixture(scope="module")
def schema():
    return two_domain_schema()


@pytest.fixture(scope="module")
def features(schema):
    batch, _ = next(iter(from_frame(two_domain_frame(), schema, batch_size=40)))
    return {name: values.numpy() for name, values in batch.items()}


def weights_of(model):
    """`{layer: [weight, ...]}` in float64."""
    return {
        layer.name: [w.numpy().astype("float64") for w in layer.weights]
        for layer in model.layers
    }


def output_of(model, layer, features):
    part = keras.Model(model.input, model.get_layer(layer).output)
    return part(features).numpy().astype("float64")


def dense(x, weights, row=slice(None)):
    """One dense layer; of one domain, if its weights are stacked."""
    kernel, bias = (w[row] for w in weights)
    return x @ kernel + bias


def softmax(x):
    parts = np.exp(x - x.max())
    return parts / parts.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def tower(x, w, d):
    return sigmoid(dense(np.tanh(dense(x, w["tower_0"], d)), w["logit"], d))


def check(model, features, twin):
    """Compares scores with those of `twin(x, weights, domain)`, row by row."""
    weights = weights_of(model)
    x = output_of(model, "embeddings", features)
    domains = features["tab"]
    expected = [twin(row, weights, d) for row, d in zip(x, domains, strict=True)]
    np.testing.assert_allclose(model(features), expected, rtol=1e-4)


def test_mmoe_agrees_with_its_equations(schema, features):
    def twin(x, w, d):
        experts = [
            np.tanh(dense(np.tanh(dense(x, w[f"expert_{e}_0"])), w[f"expert_{e}_1"]))
            for e in range(3)
        ]
        gate = softmax(dense(x, w["gate"], d))
        return tower(sum(g * e for g, e in zip(gate, experts, strict=True)), w, d)

    check(build("mmoe", schema), features, twin)


def experts(x, weights, row, number):
    """The outputs of `number` experts that are columns of one dense layer."""
    return np.split(np.tanh(dense(x, weights, row)), number)


def mixed(gate, *experts):
    return sum(g * e for g, e in zip(gate, experts, strict=True))


@pytest.mark.parametrize("kinds", [(2, 2), (1, 3)], ids=str)
def test_ple_agrees_with_its_equations(schema, features, kinds):
    of_domain, of_all = kinds

    def level(own, shared, w, name, d):
        mine = experts(own, w[f"{name}_domain_experts"], d, of_domain)
        common = [
            np.tanh(dense(shared, w[f"{name}_shared_experts"], e))
            for e in range(of_all)
        ]
        gate = softmax(dense(own, w[f"{name}_domain_gates"], d))
        return mixed(gate, *mine, *common), mine, common

    def twin(x, w, d):
        everything = []
        for domain in range(4):
            path, mine, common = level(x, x, w, "level_0", domain)
            everything += mine
            if domain == d:
                own = path
        gate = softmax(dense(x, w["level_0_shared_gate"]))
        shared = mixed(gate, *everything, *common)
        return tower(level(own, shared, w, "level_1", d)[0], w, d)

    model = build("ple", schema, domain_experts=of_domain, shared_experts=of_all)
    check(model, features, twin)


@pytest.mark.parametrize("auxiliary", [None, (), (3,)], ids=str)
def test_star_agrees_with_its_equations(schema, features, auxiliary):
    def layer(x, w, d):
        shared_kernel, kernel, shared_bias, bias = w
        return x @ (shared_kernel * kernel[d]) + shared_bias + bias[d]

    def twin(x, w, d):
        gamma, beta, gammas, betas, mean, variance, _ = w["norm"]
        h = (x - mean[d]) / np.sqrt(variance[d] + 1e-3)
        h = gamma * gammas[d] * h + beta + betas[d]
        for i in range(2):
            h = np.tanh(layer(h, w[f"star_{i}"], d))
        logit = layer(h, w["logit"], d)
        if auxiliary is not None:
            a = np.concatenate([w["tab_embedding"][0][d], x[:4]])
            if auxiliary:
                a = np.tanh(dense(a, w["auxiliary_0"]))
            logit += dense(a, w["auxiliary_logit"])
        return sigmoid(logit)

    fields = ["user"] if auxiliary is not None else []
    model = build("star", schema, auxiliary_units=auxiliary, auxiliary_fields=fields)
    norm = [w.path.split("/")[-1] for w in model.get_layer("norm").weights]
    assert norm == [
        *("gamma", "beta", "domain_gamma", "domain_beta"),
        *("moving_mean", "moving_variance", "batches"),
    ]
    star = [w.path.split("/")[-1] for w in model.get_layer("star_0").weights]
    assert star == ["shared_kernel", "kernel", "shared_bias", "bias"]
    check(model, features, twin)


def attended(rows, ids, q, p, weights):
    """MiNet's item-level attention, for one example."""
    history, candidate, user, product, query, *transfer = weights
    rows = rows[ids > 0]
    if not len(rows):
        return np.zeros(rows.shape[1])
    carried = rows @ transfer[0] @ transfer[1] if transfer else rows
    scores = [
        np.maximum(r @ history + q @ candidate + p @ user + (c * q) @ product, 0)
        @ query[:, 0]
        for r, c in zip(rows, carried, strict=True)
    ]
    return softmax(np.array(scores)) @ rows


def minet_row(row, w):
    """MiNet's score of one encoded example."""
    table = w["item_embedding"][0]
    q, tab = table[row["item"]], w["tab_embedding"][0][row["tab"]]
    p = np.concatenate([w["user_embedding"][0][row["user"]], row["age"]])
    r, s = (
        attended(table[row[name]], row[name], q, p, w[f"{name}_attention"])
        for name in ("target_clicks", "source_clicks")
    )
    if row["tab"] == 2:  # The source.
        h = np.concatenate([q, tab, p])
        prefix, logit = "source_deep", "source_logit"
    else:
        z, interests = np.concatenate([q, p, r, s]), []
        for name, vector in (("user", p), ("target", r), ("source", s)):
            hidden = np.maximum(z @ w[f"interest_{name}"][0], 0)
            interests.append(np.exp(dense(hidden, w[f"{name}_interest"])) * vector)
        h = np.concatenate([q, tab, *interests])
        prefix, logit = "deep", "target_logit"
    for i in range(2):
        h = np.tanh(dense(h, w[f"{prefix}_{i}"]))
    return sigmoid(dense(h, w[logit]))


def test_minet_agrees_with_its_equations(schema, features):
    model = build("minet", schema)
    weights = weights_of(model)
    rows = [{k: v[i] for k, v in features.items()} for i in range(40)]
    assert {row["tab"] for row in rows} == {2, 3}
    expected = [minet_row(row, weights) for row in rows]
    np.testing.assert_allclose(model(features), expected, rtol=1e-4)


def test_mlp_plus_plus_shares_only_the_users(schema, features):
    model = build("mlp_plus_plus", schema)
    w = weights_of(model)
    x = output_of(model, "embeddings", features)
    sides = np.where(two_domain_frame().tab == SOURCE, "source", "target")
    for i, side in enumerate(sides):
        items = w[f"item_{side}_embedding"][0]
        np.testing.assert_allclose(
            x[i, :4], w["user_embedding"][0][features["user"][i]], rtol=1e-6
        )
        np.testing.assert_allclose(x[i, 4:8], items[features["item"][i]], rtol=1e-6)
        clicks = features["target_clicks"][i]
        clicks = items[clicks[clicks > 0]]
        pooled = clicks.mean(0) if len(clicks) else np.zeros(4)
        np.testing.assert_allclose(x[i, 13:17], pooled, rtol=1e-5, atol=1e-7)
