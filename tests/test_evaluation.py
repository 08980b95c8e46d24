"""The metrics of a model on a frame, against scikit-learn."""

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

import tf_ctr
from tf_ctr.evaluation import evaluate, predict

RATES = {"a": 0.2, "b": 0.5, "c": 0.9}


def click_frame(rows=50):
    frame = pd.DataFrame(
        {
            "item": [list(RATES)[i * i % 3] for i in range(rows)],
            "user": [f"u{i % 7}" for i in range(rows)],
            "click": [int(i * i % 5 < 2) for i in range(rows)],
        }
    )
    # A user who never clicks, in the middle.
    frame.loc[20:22, ["user", "click"]] = ["idle", 0]
    return frame


def item_schema(group="user"):
    return tf_ctr.Schema(
        [tf_ctr.Categorical("item", vocabulary=list(RATES))], group=group
    )


def rate_model(schema, width=1):
    """Gives every item its entry of `RATES`."""
    inputs = schema.inputs()
    table = keras.layers.Embedding(schema.field("item").table_size, width)
    model = keras.Model(inputs, table(inputs["item"]))
    padding_and_unseen = [0.5, 0.5]
    rows = np.array([*padding_and_unseen, *RATES.values()])
    table.set_weights([np.tile(rows[:, None], width)])
    return model


@pytest.mark.parametrize("batch_size", [1, 16, 50, 8192])
def test_predict_keeps_the_order_of_rows(batch_size):
    schema, frame = item_schema(), click_frame()
    scores = predict(rate_model(schema), frame[["item"]], schema, batch_size)
    expected = frame["item"].map(RATES).to_numpy("float32")
    np.testing.assert_array_equal(scores, expected)


def test_predict_gives_one_score_for_one_row():
    schema = item_schema()
    frame = pd.DataFrame({"item": ["c"]}, index=[17])
    assert predict(rate_model(schema), frame, schema).tolist() == [np.float32(0.9)]


def test_evaluate_agrees_with_scikit_learn():
    schema, frame = item_schema(), click_frame()
    result = evaluate(rate_model(schema), frame, schema, batch_size=16)
    labels, scores = frame["click"], frame["item"].map(RATES)
    assert result["rows"] == 50
    assert result["click_rate"] == pytest.approx(labels.mean())
    assert result["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores))
    assert result["log_loss"] == pytest.approx(sklearn.metrics.log_loss(labels, scores))
    assert result["calibration"] == pytest.approx(scores.mean() / labels.mean())


def test_evaluate_groups_by_the_raw_column():
    schema, frame = item_schema(), click_frame()
    result = evaluate(rate_model(schema), frame, schema)
    frame["score"] = frame["item"].map(RATES)
    users = [rows for _, rows in frame.groupby("user") if rows["click"].nunique() == 2]
    aucs = [sklearn.metrics.roc_auc_score(u["click"], u["score"]) for u in users]
    expected = np.average(aucs, weights=[len(rows) for rows in users])
    assert result["gauc"] == pytest.approx(expected)
    assert (result["groups_used"], result["groups_skipped"]) == (7, 1)


def test_evaluate_works_without_a_group():
    schema = item_schema(group=None)
    result = evaluate(rate_model(schema), click_frame(), schema)
    assert list(result) == ["rows", "click_rate", "auc", "log_loss", "calibration"]


def test_evaluate_works_without_a_click():
    schema = item_schema()
    result = evaluate(rate_model(schema), click_frame().assign(click=0), schema)
    assert np.isnan([result["auc"], result["gauc"], result["calibration"]]).all()
    assert result["click_rate"] == 0
    assert result["groups_used"] == 0


def test_evaluate_runs_the_model_once(monkeypatch):
    schema, frame = item_schema(), click_frame()
    model = rate_model(schema)
    calls = []

    def counted(dataset, verbose):
        calls.append(dataset)
        return keras.Model.predict(model, dataset, verbose=verbose)

    monkeypatch.setattr(model, "predict", counted)
    evaluate(model, frame, schema)
    assert len(calls) == 1


def test_a_bad_label_fails_before_the_model_runs():
    schema = item_schema()
    frame = click_frame().assign(click=2)
    with pytest.raises(ValueError, match="label 'click'"):
        evaluate(None, frame, schema)


def test_a_missing_group_column_is_an_error():
    schema = item_schema()
    with pytest.raises(ValueError, match="column(.|\n)*'user'"):
        evaluate(None, click_frame().drop(columns="user"), schema)


def test_an_empty_frame_is_an_error():
    schema = item_schema()
    with pytest.raises(ValueError, match="at least one row"):
        evaluate(None, click_frame().iloc[:0], schema)


def test_a_model_with_two_outputs_is_an_error():
    schema = item_schema()
    with pytest.raises(ValueError, match=r"one click probability(.|\n)*\(50, 2\)"):
        predict(rate_model(schema, width=2), click_frame(), schema)
    model = rate_model(schema)
    outputs = {"view": model.output, "buy": model.output}
    with pytest.raises(ValueError, match=r"each label: click(.|\n)*\['buy', 'view'\]"):
        predict(keras.Model(model.inputs, outputs), click_frame(), schema)
