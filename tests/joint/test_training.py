"""Training on mixed batches, and metrics by domain."""

import keras
import numpy as np
import pandas as pd
import pytest

import tf_ctr
from tests.support.joint_models import build, two_domain_frame, two_domain_schema
from tf_ctr import evaluation, joint
from tf_ctr.data import from_frame


@pytest.fixture(scope="module")
def schema():
    return two_domain_schema()


def test_source_weight_is_the_gamma_of_the_loss(schema):
    model = build("share_bottom", schema)
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", run_eagerly=True)
    frame = two_domain_frame()
    parts = [
        from_frame(frame[frame.tab == tab], schema, batch_size=20) for tab in (1, 4)
    ]
    losses = [model.evaluate(part, verbose=0) for part in parts]
    mixed = joint.mix(*parts, batch_size=40, source_weight=0.25)
    (history,) = model.fit(mixed, shuffle=False, verbose=0).history.values()
    assert history[0] == pytest.approx((0.25 * losses[0] + losses[1]) / 2, rel=1e-5)


@pytest.fixture(scope="module")
def model(schema):
    model = build("share_bottom", schema)
    model.run_eagerly = True
    return model


def test_metrics_by_domain_agree_with_those_of_its_rows(schema, model):
    frame = two_domain_frame()
    table = joint.evaluate(model, frame, schema, "tab")
    assert table.index.tolist() == [1, 4] and table.index.name == "tab"
    for tab, line in table.iterrows():
        expected = evaluation.evaluate(model, frame[frame.tab == tab], schema)
        assert line.to_dict() == pytest.approx(expected, nan_ok=True)
    assert {"auc", "gauc", "log_loss"} <= set(table.columns)


def test_rows_without_a_domain_get_their_own_line(schema, model):
    kind = pd.Series(["ad", None] * 20)
    table = joint.evaluate(model, two_domain_frame().assign(kind=kind), schema, "kind")
    assert table.rows.tolist() == [20, 20]
    assert table.index[0] == "ad" and pd.isna(table.index[1])


def test_a_domain_with_one_class_has_no_auc(schema, model):
    frame = two_domain_frame()
    frame.loc[frame.tab == 4, "click"] = 1
    table = joint.evaluate(model, frame, schema, "tab")
    assert np.isnan(table.auc[4]) and not np.isnan(table.auc[1])


def test_a_domain_that_is_not_a_column_is_an_error(schema):
    with pytest.raises(ValueError, match="name of a column"):
        joint.evaluate(None, two_domain_frame(), schema, "scene")


def test_a_mixed_stream_trains_and_evaluates(schema):
    """A model learns the click rate of each domain from mixed batches."""
    frame = two_domain_frame(400)
    frame["click"] = np.where(frame.tab == 1, np.arange(400) % 5 == 0, 1)
    parts = [from_frame(frame[frame.tab == tab], schema) for tab in (1, 4)]
    model = joint.share_bottom(schema, "tab", embedding_dim=4, tower_units=(4,))
    tf_ctr.training.compile(model, learning_rate=0.05)
    model.fit(joint.mix(*parts, batch_size=100), epochs=5, shuffle=False, verbose=0)
    table = joint.evaluate(model, frame, schema, "tab")
    assert table.calibration[4] == pytest.approx(1.0, abs=0.1)
    assert table.log_loss[4] < 0.2 < table.log_loss[1]
