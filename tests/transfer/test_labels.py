"""Transfer of a model with two labels: its weights and its scores are carried over."""

import functools

import keras
import numpy as np
import pytest

from tests.support import two_labels
from tests.support.joint_models import randomise
from tests.support.models import weights_by_layer
from tf_ctr import data, inference, joint, training
from tf_ctr.transfer import a_ctr, add_historical, autoft, ctnet, fine_tune, l2_sp


@pytest.fixture(scope="module")
def schema():
    return two_labels.schema()


@pytest.fixture(scope="module")
def batch(schema):
    return next(iter(data.from_frame(two_labels.rows(), schema, batch_size=60)))


@pytest.fixture(scope="module")
def source(schema):
    return two_labels.build("share_bottom", schema)


def check_equal_scores(model, other, x):
    found, expected = model(x), other(x)
    assert sorted(found) == sorted(two_labels.LABELS)
    for label in two_labels.LABELS:
        np.testing.assert_allclose(found[label], expected[label], atol=1e-6)


def check_trains_and_reloads(model, batch, path):
    """A step moves the scores of both labels, and a file keeps them."""
    x, y = batch
    before = model(x)
    training.compile(model).run_eagerly = True
    model.train_on_batch(x, y)
    after = model(x)
    for label in two_labels.LABELS:
        assert (after[label] != before[label]).numpy().any()
    model.save(path / "model.keras")
    check_equal_scores(keras.saving.load_model(path / "model.keras"), model, x)


def test_autoft_starts_with_both_labels_of_its_source(source, batch, tmp_path):
    model = autoft(source, seed=0)
    check_equal_scores(model, source, batch[0])
    own, theirs = weights_by_layer(model), weights_by_layer(source)
    for label in two_labels.LABELS:  # Each tower is a component with its own routes.
        assert model.get_layer(f"{label}_tower_router").num_decisions == 1
        for copy in ("", "_frozen"):
            for ours, old in zip(
                own[f"{label}_tower_0{copy}"], theirs[f"{label}_tower_0"], strict=True
            ):
                np.testing.assert_array_equal(ours, old)
    grouped = inference.group_by_route(model)
    check_equal_scores(grouped, model, batch[0])
    check_trains_and_reloads(model, batch, tmp_path)


def test_ctnet_starts_with_both_labels_of_its_target(source, schema, batch, tmp_path):
    target = two_labels.build("share_bottom", schema)
    randomise(target, seed=1)
    model = ctnet(source, target)
    check_equal_scores(model, target, batch[0])
    own, theirs = weights_by_layer(model), weights_by_layer(source)
    for old in ("item_embedding", "bottom_0"):
        for ours, weight in zip(own[f"{old}_source"], theirs[old], strict=True):
            np.testing.assert_array_equal(ours, weight)
    check_trains_and_reloads(model, batch, tmp_path)


def test_e_cdctr_starts_with_both_labels_of_cpm(schema, batch, tmp_path):
    build = functools.partial(
        joint.share_bottom,
        embedding_dim=4,
        bottom_units=(6,),
        tower_units=(4,),
        batch_norm=True,
    )
    cpm = add_historical(build, schema, ["item"], width=4, num_snapshots=1)
    randomise(cpm)
    model = a_ctr(cpm, batch_norm="keep")
    check_equal_scores(model, cpm, batch[0])
    own, theirs = weights_by_layer(model), weights_by_layer(cpm)
    assert sorted(own) == sorted(theirs)
    for name, weights in theirs.items():
        for ours, old in zip(own[name], weights, strict=True):
            np.testing.assert_array_equal(ours, old, name)
    check_trains_and_reloads(model, batch, tmp_path)


@pytest.mark.parametrize("name", joint.BY_LABEL)
def test_fine_tuning_starts_with_the_scores_of_every_joint_model(name, schema, batch):
    model = two_labels.build(name, schema)
    check_equal_scores(fine_tune(model), model, batch[0])
    check_equal_scores(l2_sp(model), model, batch[0])
    check_equal_scores(autoft(model, seed=0), model, batch[0])
