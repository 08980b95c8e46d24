"""Scores and metrics of files are those of the frame, read once."""

import numpy as np
import pandas as pd
import pytest

import tf_ctr
from tests.support.frames import click_frame, small_schema
from tf_ctr.backbones import dnn
from tf_ctr.data import rows
from tf_ctr.evaluation import auc_loss, evaluate, predict

FRAME = click_frame(rows=200).assign(day=np.repeat([1, 2, 3, 4], 50))


@pytest.fixture(scope="module")
def schema():
    fields = small_schema().fields
    # Not a field, and with values in several files.
    return tf_ctr.Schema(fields, label="click", group="day")


@pytest.fixture(scope="module")
def models(schema):
    return [dnn(schema, embedding_dim=2, hidden_units=(3,)) for _ in range(2)]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    order = [3, 1, 4, 2]
    for index, day in enumerate(order):
        own = FRAME[FRAME["day"] == day]
        own.to_parquet(folder / f"{index}.parquet", row_group_size=17)
    return folder


def test_files_give_the_scores_and_metrics_of_the_frame(models, schema, log):
    frame = rows(log).to_pandas()
    expected = predict(models[0], frame, schema)
    for source in (log, str(log), rows(log), iter([frame[:33], frame[33:]])):
        scores = predict(models[0], source, schema, batch_size=64)
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
    expected = evaluate(models[0], frame, schema)
    assert expected["groups_used"] == 4
    for source in (log, [frame[:33], frame[33:]], lambda: iter([frame])):
        got = evaluate(models[0], source, schema, batch_size=64)
        assert got == pytest.approx(expected, rel=1e-5)
    lost = auc_loss(*models, frame, schema)
    assert auc_loss(*models, log, schema) == pytest.approx(lost)


def test_a_bad_label_names_its_place(models, schema, tmp_path):
    FRAME[:50].to_parquet(tmp_path / "0.parquet")
    FRAME[50:90].assign(click=2).to_parquet(tmp_path / "1.parquet", row_group_size=30)
    with pytest.raises(
        ValueError, match=r"label 'click'(?s:.)*1\.parquet, row group 0"
    ):
        evaluate(models[0], tmp_path, schema)
    assert predict(models[0], tmp_path, schema).shape == (90,)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"price": "a"}, TypeError, "numbers in column 'price'"),
        ({"user": 3}, TypeError, "dtype string in column 'user'"),
    ],
)
def test_a_column_of_another_type_names_its_file(
    models, schema, tmp_path, change, kind, words
):
    FRAME[:50].to_parquet(tmp_path / "0.parquet")
    FRAME[50:].assign(**change).to_parquet(tmp_path / "1.parquet")
    with pytest.raises(kind, match=rf"{words}(?s:.)*In .*1\.parquet, row group 0\."):
        evaluate(models[0], tmp_path, schema)


def test_a_missing_column_or_no_row_is_refused(models, schema, log):
    with pytest.raises(ValueError, match="'day'"):
        evaluate(
            models[0], rows(log, columns=["user", "item", "price", "click"]), schema
        )
    for nothing in (rows(log, filter=[("day", ">", 9)]), iter([FRAME[:0]]), FRAME[:0]):
        with pytest.raises(ValueError, match="at least one row"):
            evaluate(models[0], nothing, schema)
    read = rows(iter([FRAME]))
    evaluate(models[0], read, schema)
    with pytest.raises(ValueError, match="read already"):
        evaluate(models[0], read, schema)


def test_groups_that_are_missing_count_as_none(models, schema):
    frame = FRAME.assign(day=FRAME["day"].where(FRAME["day"] < 4))
    parts = [frame[:120], frame[120:]]
    expected = evaluate(models[0], frame, schema)
    assert evaluate(models[0], parts, schema) == pytest.approx(expected, rel=1e-5)
    assert isinstance(pd.isna(frame["day"]).sum() and expected["gauc"], float)
