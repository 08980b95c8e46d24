"""Layers go back to the source where that raises the AUC of unseen rows."""

import numpy as np
import pytest

from tests.support import two_labels
from tests.support.frames import click_frame, small_schema
from tests.support.models import randomised
from tf_ctr import Categorical, Schema, evaluation
from tf_ctr.backbones import dcn
from tf_ctr.data import from_frame
from tf_ctr.inference import choose_routes, chosen_routes, static_route
from tf_ctr.metrics import exact_auc
from tf_ctr.transfer import autoft, fine_tune

SITES = ["user_embedding", "cross_0", "deep_0"]


@pytest.fixture(scope="module")
def pair():
    """A source and a model that was tuned from it, both at random."""
    schema = small_schema()
    source = dcn(schema, embedding_dim=2, hidden_units=(4,), num_cross_layers=1)
    randomised(source)
    return schema, source, randomised(fine_tune(source), seed=1)


def with_weights(pair, sites):
    schema, source, tuned = pair
    model = fine_tune(tuned)
    for site in sites:
        model.get_layer(site).set_weights(source.get_layer(site).get_weights())
    return model


def scores_of(model, frame, schema):
    batch = from_frame(frame, schema, batch_size=len(frame), labelled=False)
    return model.predict(batch, verbose=0).reshape(-1)


@pytest.fixture(scope="module")
def frame(pair):
    """Rows whose clicks are the higher scores of a model with two of its sites back."""
    frame = click_frame(60)
    truth = scores_of(with_weights(pair, ["user_embedding", "deep_0"]), frame, pair[0])
    return frame.assign(click=(truth > np.median(truth)).astype(int))


@pytest.mark.parametrize("few", [6, 0], ids=["all choices", "greedily"])
def test_the_sites_that_make_the_clicks_are_found(pair, frame, few, monkeypatch):
    schema, source, tuned = pair
    monkeypatch.setattr(chosen_routes, "FEW_SITES", few)
    before = tuned.get_weights()
    result = choose_routes(tuned, frame, schema, source, SITES, folds=2, verbose=0)
    assert result.from_source == {
        "user_embedding": True,
        "cross_0": False,
        "deep_0": True,
    }
    start = exact_auc(frame["click"], scores_of(tuned, frame, schema))
    assert result.auc_before == pytest.approx(start, abs=1e-6)
    # Each fold finds the same sites, so it has gained all that is missing from 1.
    assert 0 < result.unseen_gain < 0.2 + 1 - start
    assert result.steps["auc"].iloc[-1] == 1.0
    assert set(result.steps["site"]) == {"user_embedding", "deep_0"}
    expected = with_weights(pair, ["user_embedding", "deep_0"])
    for one, other in zip(
        result.model.get_weights(), expected.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(before, tuned.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_step_of_the_greedy_way_is_the_best_of_its_neighbours(
    pair, frame, monkeypatch
):
    schema, source, tuned = pair
    monkeypatch.setattr(chosen_routes, "FEW_SITES", 0)
    result = choose_routes(tuned, frame, schema, source, SITES, folds=2, verbose=0)
    first = result.steps.iloc[0]
    neighbours = {
        site: exact_auc(
            frame["click"], scores_of(with_weights(pair, [site]), frame, schema)
        )
        for site in SITES
    }
    assert first["auc"] == pytest.approx(max(neighbours.values()), abs=1e-6)
    assert neighbours[first["site"]] == max(neighbours.values())


def test_rows_count_by_their_weights(pair, frame):
    schema, source, tuned = pair
    weights = np.linspace(0.0, 3.0, len(frame))
    weighted = Schema(schema.fields, label="click", weight="importance")
    result = choose_routes(
        tuned,
        frame.assign(importance=weights),
        weighted,
        source,
        SITES,
        folds=2,
        verbose=0,
    )
    start = exact_auc(frame["click"], scores_of(tuned, frame, schema), weights)
    assert result.auc_before == pytest.approx(start, abs=1e-6)


def test_a_model_that_cannot_gain_stays_as_it_is(pair, frame, capsys):
    schema, source, _ = pair
    best = with_weights(pair, ["user_embedding", "deep_0"])
    result = choose_routes(best, frame, schema, source, folds=2)
    assert not any(result.from_source.values()) and result.steps.empty
    printed = capsys.readouterr().out
    assert "fold 1 of 2: +0.0000 AUC by the other folds" in printed
    assert "nothing is changed: a choice gains nothing on rows" in printed
    assert "from the source: nothing" in printed


def test_a_model_with_routes_starts_with_the_branch_of_most_examples(pair, frame):
    schema, source, _ = pair
    model = autoft(source, seed=0)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.trainable and not layer.name.endswith("_router"):
            layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    static = static_route(model, from_frame(frame, schema, batch_size=60))
    result = choose_routes(model, frame, schema, folds=2, verbose=0)
    start = exact_auc(frame["click"], scores_of(static, frame, schema))
    assert result.auc_before == pytest.approx(start, abs=1e-6)
    assert [layer.name for layer in result.model.layers] == [
        layer.name for layer in source.layers
    ]
    chosen = exact_auc(frame["click"], scores_of(result.model, frame, schema))
    assert chosen >= start


def test_a_site_that_gains_nothing_stays_where_all_choices_are_tried():
    start = {"bad": True, "idle": True}
    path = chosen_routes._search(start, lambda choice: 0.5 if choice["bad"] else 0.9)
    assert path == [(start, 0.5), ({"bad": False, "idle": True}, 0.9)]


def test_one_of_several_labels_can_decide():
    schema, frame = two_labels.schema(), two_labels.rows()
    source = two_labels.build("share_bottom", schema)
    tuned = randomised(fine_tune(source), seed=1)
    own, sites = schema.for_label("click"), ["item_embedding"]
    result = choose_routes(tuned, frame, own, source, sites, folds=2, verbose=0)
    expected = evaluation.evaluate(tuned, frame, own)["auc"]
    assert result.auc_before == pytest.approx(expected, abs=1e-6)


def test_a_schema_with_other_ids_is_refused(pair, frame):
    schema, source, tuned = pair
    ids = [*schema.field("user").vocabulary]
    other = Schema([Categorical("user", ids[::-1]), *schema.fields[1:]], label="click")
    with pytest.raises(
        ValueError, match="(?s)whose ids of 'user' have the fingerprint"
    ):
        choose_routes(tuned, frame, other, source, verbose=0)


def test_wrong_arguments_are_explained(pair, frame):
    schema, source, tuned = pair
    with pytest.raises(ValueError, match="(?s)no routes, and no source.*pass source="):
        choose_routes(tuned, frame, schema)
    with pytest.raises(ValueError, match="(?s)has routes, and a source.*holds both"):
        choose_routes(autoft(source), frame, schema, source)
    with pytest.raises(ValueError, match="(?s)cros_0.*cross_0"):
        choose_routes(tuned, frame, schema, source, ["cros_0"])
    with pytest.raises(ValueError, match="was trained away from its source"):
        choose_routes(fine_tune(source), frame, schema, source)
    with pytest.raises(ValueError, match="folds"):
        choose_routes(tuned, frame, schema, source, folds=1)
    with pytest.raises(ValueError, match="rows of both labels in each of 4 folds"):
        choose_routes(tuned, frame.assign(click=1), schema, source)
    two = Schema(schema.fields, labels=("click", "buy"))
    with pytest.raises(ValueError, match="(?s)a schema of one label.*for_label"):
        choose_routes(tuned, frame.assign(buy=0), two, source)
