"""Permutation importance: against scikit-learn, groups, intervals and errors."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.inspection import permutation_importance

from tests.support import two_labels
from tf_ctr import Numeric, Schema, evaluation
from tf_ctr.evaluation import importance

ROWS = 400


@pytest.fixture(scope="module")
def frame():
    generator = np.random.default_rng(0)
    columns = {name: generator.normal(size=ROWS) for name in ("a", "b", "c")}
    rate = 1 / (1 + np.exp(-2 * columns["a"] - columns["b"]))
    click = (generator.random(ROWS) < rate).astype(int)
    return pd.DataFrame({**columns, "click": click, "user": np.arange(ROWS) // 20})


@pytest.fixture(scope="module")
def schema(frame):
    return Schema([Numeric(name) for name in ("a", "b", "c")], group="user").fit(frame)


@pytest.fixture(scope="module")
def model(schema):
    inputs = schema.inputs()
    return keras.Model(inputs, keras.ops.sigmoid(2 * inputs["a"] + inputs["b"]))


class Scorer:
    """The same model, as scikit-learn knows it."""

    def fit(self, *_):
        return self

    @staticmethod
    def rank(x):
        return 2 * x[:, 0] + x[:, 1]


def test_the_auc_lost_is_that_of_scikit_learn(model, frame, schema):
    found = importance(model, frame, schema, repeats=8)
    encoded = schema.encode(schema.raw_columns(frame))
    x = np.concatenate([encoded[name].numpy() for name in ("a", "b", "c")], axis=1)
    expected = permutation_importance(
        Scorer(),
        x,
        frame["click"],
        scoring=lambda scorer, x, y: sk.roc_auc_score(y, scorer.rank(x)),
        n_repeats=8,
        random_state=1,
    )
    assert list(found.index) == ["a", "b", "c"]
    # Both are means over other random orders: within their intervals.
    error = 4 * expected.importances_std / np.sqrt(8) + 1e-6
    assert (abs(found["importance"] - expected.importances_mean) <= 2 * error).all()
    assert found.loc["c", ["importance", "low", "high"]].abs().max() < 1e-6
    assert (found["low"] <= found["importance"]).all()
    base = evaluation.evaluate(model, frame, schema)["auc"]
    assert (found["base"] == base).all()


def test_a_group_is_shuffled_together(model, frame, schema, capsys):
    found = importance(
        model, frame, schema, groups={"both": ["a", "b"]}, repeats=1, verbose=1
    )
    assert sorted(found.index) == ["both", "c"]
    # Without both, the scores say nothing: the AUC falls to about 0.5.
    line = found.loc["both"]
    assert line["importance"] == pytest.approx(line["base"] - 0.5, abs=0.12)
    assert np.isnan(line["low"])
    assert "importance of both: 0." in capsys.readouterr().out


@pytest.mark.parametrize("metric", ["gauc", "log_loss"])
def test_other_metrics_lose_too(model, frame, schema, metric):
    found = importance(model, frame, schema, metric=metric, repeats=2)
    assert found.loc["a", "importance"] > found.loc["c", "importance"]
    base = evaluation.evaluate(model, frame, schema)[metric]
    assert found["base"].iloc[0] == pytest.approx(base, rel=1e-6)


def test_a_label_of_several_is_measured_where_it_is_known():
    schema, frame = two_labels.schema(), two_labels.rows()
    model = two_labels.build("share_bottom", schema)
    found = importance(model, frame, schema, label="buy", repeats=1)
    base = evaluation.evaluate(model, frame, schema)["buy_auc"]
    assert found["base"].iloc[0] == pytest.approx(base)
    with pytest.raises(ValueError, match=r"pass label='click'"):
        importance(model, frame, schema)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "ndcg"}, "'auc', 'gauc', 'log_loss'"),
        ({"repeats": 0}, "`repeats` to be a whole number"),
        ({"groups": {"g": ["a", "z"]}}, "use one of: a, b, c"),
        ({"groups": {"g": ["a"], "h": ["a"]}}, "groups of different fields"),
        ({"groups": {"b": ["a", "c"]}}, "groups of different fields"),
        ({"label": "buy"}, "use one of: click"),
    ],
)
def test_wrong_arguments_are_refused(model, frame, schema, arguments, words):
    with pytest.raises(ValueError, match=words):
        importance(model, frame, schema, **arguments)


def test_rows_of_one_class_and_a_schema_without_a_group_are_refused(model, frame):
    schema = Schema([Numeric(name) for name in ("a", "b", "c")]).fit(frame)
    with pytest.raises(ValueError, match="with clicks and without"):
        importance(model, frame.assign(click=0), schema)
    with pytest.raises(ValueError, match="a schema with a group, for GAUC"):
        importance(model, frame, schema, metric="gauc")
