"""AutoFT with one branch per example, with fixed routes, and exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.frames import click_frame, small_schema
from tests.support.models import batch, small_dcn
from tf_ctr.backbones import BACKBONES, dcn
from tf_ctr.data import from_frame
from tf_ctr.evaluation import auc_loss, predict
from tf_ctr.export import export
from tf_ctr.inference import fix_routes, group_by_route, static_route
from tf_ctr.layers import (
    GumbelRouter,
    Route,
)
from tf_ctr.metrics import exact_auc
from tf_ctr.transfer import autoft, fine_tune, gate_model, route_shares, spottune

FIELDS = ("user_embedding", "item_embedding", "history_embedding")
SITES = (*FIELDS, "cross_0", "cross_1", "deep_0", "deep_1")


def perturbed(model, seed=3, scale=0.3):
    """Moves the trainable weights, so that the two copies differ."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(weight + scale * rng.normal(size=weight.shape))
    return model


def routed(make=autoft, **options):
    return perturbed(make(small_dcn(), seed=0, **options))


@pytest.fixture(scope="module")
def adaptive():
    """A model with routes, which no test may change."""
    return routed()


def decided(model, choices):
    """Makes the policies decide `{site: whether frozen}` for any input."""
    for layer in model.layers:
        if isinstance(layer, GumbelRouter):
            *kernels, bias, temperature = layer.get_weights()
            own = FIELDS if layer.name.startswith("embedding") else layer.name[:4]
            sites = {
                route.decision: route.name.removesuffix("_route")
                for route in model.layers
                if isinstance(route, Route) and route.name.startswith(own)
            }
            frozen = [choices[sites[i]] for i in range(layer.num_decisions)]
            bias = np.ravel([[50.0, -50.0] if f else [-50.0, 50.0] for f in frozen])
            zeros = [np.zeros_like(w) for w in kernels]
            layer.set_weights([*zeros, bias, temperature])
    return model


def names(model):
    return {layer.name for layer in model.layers}


def assert_same_scores(model, other, features, atol=1e-6):
    expected = np.array(model(features))
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(other(features), expected, rtol=0, atol=atol)


# group_by_route


@pytest.mark.parametrize(
    ("make", "batch_norm"),
    [(autoft, False), (autoft, True), (spottune, False)],
    ids=["plain", "batch_norm", "spottune"],
)
def test_grouped_scores_equal_those_of_the_model(make, batch_norm, tmp_path):
    model = perturbed(make(small_dcn(batch_norm), seed=0))
    features, _ = batch(64)
    gates = gate_model(model)(features)
    assert any(0 < np.mean(gate) < 1 for gate in gates.values())
    grouped = group_by_route(model)
    assert_same_scores(model, grouped, features)
    assert not any(isinstance(layer, Route) for layer in grouped.layers)
    assert not grouped.compiled
    grouped.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(features), grouped(features))


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_grouped_scores_are_equal_in_small_batches(rows, adaptive):
    features = {name: values[:rows] for name, values in batch()[0].items()}
    np.testing.assert_allclose(
        group_by_route(adaptive)(features), adaptive(features), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("frozen", [True, False])
def test_grouped_scores_are_equal_when_a_branch_has_no_rows(frozen):
    model = decided(routed(), dict.fromkeys(SITES, frozen))
    assert set(route_shares(model, batch()[0])) == {float(frozen)}
    assert_same_scores(model, group_by_route(model), batch()[0])


def test_no_row_runs_through_the_branch_that_it_does_not_take(adaptive):
    features, _ = batch(40)
    num_frozen = np.sum(gate_model(adaptive)(features)["deep_0"])
    grouped = group_by_route(adaptive)
    outputs = [grouped.get_layer(n).output for n in ("deep_0_frozen", "deep_0")]
    frozen, tuned = keras.Model(grouped.input, outputs)(features)
    assert (len(frozen), len(tuned)) == (num_frozen, 40 - num_frozen)
    assert 0 < num_frozen < 40


def test_grouped_model_keeps_the_names_and_does_not_change_the_model(adaptive):
    before = adaptive.get_weights()
    grouped = group_by_route(adaptive)
    added = {f"{s}_{b}_rows" for s in SITES[-2:] for b in ("frozen", "tuned")}
    assert names(grouped) - names(adaptive) == added | {"routed_ids"}
    gone = {f"{site}_route" for site in SITES[:-2]}
    gone |= {f"{name}_frozen" for name in (*FIELDS[:2], "cross_0", "cross_1")}
    assert names(adaptive) - names(grouped) == gone
    for old, new in zip(before, adaptive.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not {id(w) for w in adaptive.weights} & {id(w) for w in grouped.weights}


@pytest.mark.parametrize(
    "which", ["embedding", "cross", ["deep", "embedding"]], ids=str
)
def test_only_some_components_can_be_grouped(which):
    model = routed(which=which)
    assert_same_scores(model, group_by_route(model), batch()[0])


@pytest.mark.parametrize("backbone", ["autoint", "dcn_v2", "deepfm"])
def test_grouped_scores_are_equal_on_other_backbones(backbone):
    schema = small_schema()
    model = perturbed(
        autoft(BACKBONES[backbone](schema, 4, hidden_units=(8,)), seed=0), scale=0.05
    )
    frame = click_frame(30)
    np.testing.assert_allclose(
        predict(group_by_route(model), frame, schema),
        predict(model, frame, schema),
        rtol=0,
        atol=1e-6,
    )


def test_sites_without_a_kernel_and_stock_tables_keep_both_branches():
    inputs = {"user": keras.Input((), dtype="int64", name="user")}
    x = keras.layers.Embedding(5, 3, name="user_embedding")(inputs["user"])
    x = keras.layers.LayerNormalization(name="deep_0")(x)
    x = keras.layers.Dense(3, "tanh", name="deep_1")(inputs=x)
    source = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    model = perturbed(autoft(source, seed=0))
    grouped = group_by_route(model)
    routes = {layer.name for layer in grouped.layers if isinstance(layer, Route)}
    assert routes == {"user_embedding_route", "deep_0_route"}
    assert "deep_1_tuned_rows" in names(grouped)
    assert_same_scores(model, grouped, {"user": np.arange(5)})


# fix_routes and static_route


def test_untrained_copies_become_one():
    source = small_dcn()
    merged = fix_routes(autoft(source))
    assert names(merged) == names(source)
    assert_same_scores(source, merged, batch()[0])
    assert_same_scores(source, group_by_route(autoft(source)), batch()[0])


def test_only_equal_copies_become_one():
    model = routed()
    for name in ("deep_1", "user_embedding"):
        twin = model.get_layer(f"{name}_frozen")
        model.get_layer(name).set_weights(twin.get_weights())
    merged = fix_routes(model)
    gone = {"deep_1_frozen", "deep_1_route"}
    gone |= {"user_embedding_frozen", "user_embedding_route"}
    assert names(model) - names(merged) == gone
    assert_same_scores(model, merged, batch()[0])
    assert_same_scores(model, group_by_route(model), batch()[0])


@pytest.mark.parametrize(
    "frozen",
    [(), SITES, ("item_embedding",), ("history_embedding", "deep_0", "cross_1")],
    ids=str,
)
def test_static_route_has_the_scores_of_a_policy_that_always_takes_it(frozen):
    model = decided(routed(), {site: site in frozen for site in SITES})
    features, _ = batch()
    static = static_route(model, features)
    assert not any(isinstance(layer, Route | GumbelRouter) for layer in static.layers)
    shared = "item_embedding" in frozen, "history_embedding" in frozen
    twice = {"item_embedding_frozen"} if len(set(shared)) == 2 else set()
    assert names(static) == names(small_dcn()) | twice
    assert_same_scores(model, static, features)


def test_static_route_takes_the_branch_that_most_examples_take(adaptive):
    features, _ = batch(64)
    shares = route_shares(adaptive, features)
    assert shares.min() < 0.5 < shares.max()
    assert shares.between(0, 1, inclusive="neither").any()
    choices = {site: share >= 0.5 for site, share in shares.items()}
    expected = decided(fine_tune(adaptive), choices)
    assert_same_scores(expected, static_route(adaptive, features), features)


def test_routes_that_are_not_fixed_stay_in_the_model(adaptive):
    choices = {"item_embedding": True, "deep_0": False}
    fixed = fix_routes(adaptive, choices)
    routes = {f"{site}_route" for site in SITES} & names(fixed)
    assert routes == {f"{site}_route" for site in SITES if site not in choices}
    features, _ = batch()
    expected = dict(gate_model(adaptive)(features))
    assert set(gate_model(fixed)(features)) == set(expected) - set(choices)
    assert_same_scores(fixed, group_by_route(fixed), features)


@pytest.mark.parametrize("method", [group_by_route, fix_routes])
def test_a_model_without_routes_is_refused(method):
    with pytest.raises(ValueError, match="'small_dcn', which has no Route"):
        method(small_dcn())


def test_unknown_site_lists_the_sites(adaptive):
    with pytest.raises(ValueError, match="'deep_9'.\nFix: use one of: cross_0"):
        fix_routes(adaptive, {"deep_9": True})


# Evaluation and export


def test_auc_loss_is_the_difference_of_the_aucs():
    schema, frame = small_schema(), click_frame()
    model = perturbed(autoft(dcn(schema, 4, hidden_units=(8,)), seed=0))
    static = static_route(model, from_frame(frame, schema))
    aucs = [
        exact_auc(frame["click"], predict(each, frame, schema))
        for each in (model, static)
    ]
    assert aucs[0] != aucs[1]
    assert auc_loss(model, static, frame, schema) == aucs[0] - aucs[1]


@pytest.fixture(scope="module")
def trained():
    schema = small_schema()
    model = dcn(schema, 4, hidden_units=(8,), num_cross_layers=1, batch_norm=True)
    return perturbed(autoft(model, seed=0)), schema


def test_export_serves_the_grouped_model_and_keeps_the_given_one(trained, tmp_path):
    model, schema = trained
    version = export(
        model,
        schema,
        tmp_path / "autoft",
        served=group_by_route(model),
        fresh_process=False,
        verbose=False,
        batch_sizes=(1,),
    )
    kept = keras.saving.load_model(version / "assets.extra" / "model.keras")
    assert names(kept) == names(model)
    loaded = tf.saved_model.load(str(version))
    frame = click_frame(40, seed=7)
    raw = {n: tf.constant(c) for n, c in schema.raw_columns(frame).items()}
    np.testing.assert_allclose(
        loaded.signatures["serving_default"](**raw)["click"],
        predict(model, frame, schema),
        rtol=0,
        atol=1e-6,
    )
    nodes = loaded.signatures["serving_default"].graph.as_graph_def()
    operations = {n.op for f in nodes.library.function for n in f.node_def}
    assert "DynamicStitch" in operations | {n.op for n in nodes.node}


def test_export_refuses_to_serve_other_scores(trained, tmp_path):
    model, schema = trained
    static = static_route(model, from_frame(click_frame(), schema))
    with pytest.raises(RuntimeError, match="within 1e-06"):
        export(model, schema, tmp_path / "m", served=static, fresh_process=False)
    assert not list(tmp_path.glob("m/*"))
