"""Algorithm 1: what a run tests, copies, trains and saves in every period."""

import dataclasses
import functools
import logging

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.continual_world import (
    SLICES,
    TRAINING,
    fitted,
    frame,
    left_by,
    metrics,
    network,
    periods,
    same,
    weights,
)
from tf_ctr.continual import ExportCallback, Period, Report, Training, run, train_source
from tf_ctr.continual.store import Store
from tf_ctr.evaluation import evaluate, predict
from tf_ctr.features import Categorical, Schema
from tf_ctr.metrics import exact_auc
from tf_ctr.scoring import expected_tracing
from tf_ctr.transfer import ctnet


@pytest.fixture(scope="module")
def small():
    return network(fitted())


def test_a_period_is_tested_before_it_is_trained_on(world):
    root, report = world
    before = left_by(root / "ctnet", 1)
    expected = evaluate(before.model, frame(seed=12), before.schema)
    (line,) = report.frame.to_dict("records")
    assert (line["number"], line["trained_until"]) == (2, 1)
    assert {name: line[name] for name in expected} == pytest.approx(expected, abs=0)


def test_the_scores_of_the_test_are_saved(world):
    root, report = world
    before, rows = left_by(root / "ctnet", 1), periods(2)[0].read()
    scores = Store(root / "ctnet").scores(2)
    np.testing.assert_array_equal(scores, predict(before.model, rows, before.schema))
    assert report.frame["auc"].tolist() == [exact_auc(rows["click"], scores)]


def test_the_source_tower_is_a_copy_of_the_newest_source_model(world):
    root, report = world
    assert [record["source"] for record in report.records] == [1, 2]
    for number in (1, 2):
        model = left_by(root / "ctnet", number).model
        source = left_by(root / "source", number).model
        same(weights(model, "deep_0_source"), weights(source, "deep_0"))
        assert not model.get_layer("deep_0_source").trainable_weights


def test_target_tower_and_adapters_are_trained_on(world):
    root, _ = world
    models = [
        left_by(root / run, n).model
        for run, n in (("base", 0), ("ctnet", 1), ("ctnet", 2))
    ]
    kernels = [weights(model, "deep_0")[0] for model in models]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])
    # One lazy step moves a weight by 0.01 at most.
    assert abs(kernels[1] - kernels[0]).max() < 0.1
    assert any(w.any() for w in weights(models[1], "deep_0_adapter"))


def test_the_optimizer_slots_of_the_target_are_kept(world):
    root, report = world
    assert "slots of" in report.records[0]["optimizer"]
    assert report.records[1]["optimizer"] == "kept"
    steps = [int(left_by(root / "ctnet", n).model.optimizer.iterations) for n in (1, 2)]
    assert steps == [2, 3]  # One per period, after one of the base.


def test_a_source_with_a_field_that_the_target_lacks_raises(tmp_path):
    small = Schema([Categorical("item")]).fit(frame())
    train_source(periods(0), tmp_path / "t", network(small), small, training=TRAINING)
    with pytest.raises(
        ValueError, match=r"(?s)fields \['user'\].*Fix: add them to the target"
    ):
        run(
            periods(1),
            tmp_path / "ctnet",
            target=tmp_path / "t",
            source=network(fitted()),
            schema=fitted(),
            training=TRAINING,
        )


def test_a_slice_that_the_base_did_not_measure_needs_its_seen_values(tmp_path):
    schema = fitted()
    first, second = frame(seed=1), frame(seed=2)
    base = {"target": network(schema), "schema": schema, "method": "target_only"}
    run(
        [Period(0, first)],
        tmp_path / "base",
        slices=["user"],
        **base,
        training=TRAINING,
    )
    given = {"target": tmp_path / "base", "source": network(schema), "schema": schema}
    days = [Period(1, first), Period(2, second)]
    with pytest.raises(ValueError, match=r"(?s)also \['item'\].*pass slices="):
        run(days, tmp_path / "x", slices=SLICES, **given, training=TRAINING)
    known = {column: first[:9][column] for column in SLICES}
    run(days[:1], tmp_path / "y", slices=known, **given, training=TRAINING)
    seen = left_by(tmp_path / "y", 1).seen
    assert set(seen["user"]) == set(first["user"])
    assert set(seen["item"]) == set(first["item"])


def test_the_model_knows_the_ids_of_both_domains(world):
    root, _ = world
    finished = left_by(root / "ctnet", 2)
    assert {5, 6, 7, 8, 9} <= set(finished.schema.field("item").vocabulary)
    assert set(finished.seen["item"]) == {5, 6, 7, 8}


def test_every_period_is_trained_on_its_own_rows_only(world):
    root, report = world
    assert [record["rows_trained"] for record in report.records] == [24, 24]


def test_the_matrix_has_every_period_that_was_given(world):
    root, report = world
    matrix = report.matrix("log_loss")
    assert matrix.shape == (2, 2) and matrix.notna().all().all()
    finished = left_by(root / "ctnet", 2)
    expected = evaluate(finished.model, frame(seed=11), finished.schema)["log_loss"]
    assert matrix.loc[2, 1] == pytest.approx(expected, abs=0)


def test_a_finished_run_trains_nothing(world, monkeypatch):
    root, report = world
    monkeypatch.setattr(Training, "fit", None)
    again = run(
        periods(1, 2),
        root / "ctnet",
        target=root / "base",
        source=root / "source",
        slices=SLICES,
        training=TRAINING,
    )
    assert again.records == report.records


def test_metrics_are_in_tensorboard(world):
    root, report = world
    events = EventAccumulator(str(root / "ctnet" / "tensorboard" / "all"))
    events.Reload()
    (event,) = events.Tensors("prequential/log_loss")
    assert event.step == 2
    value = tf.make_ndarray(event.tensor_proto)
    np.testing.assert_allclose(value, report.frame["log_loss"][0], rtol=1e-6)


def test_a_new_id_gets_a_row_and_no_other_row_changes(tmp_path):
    schema = fitted(items=(5, 6))
    model = network(schema)
    given = model.get_weights()
    later = frame(seed=1, items=(7, 8)).assign(user="u0")
    run(
        [Period(0, frame(items=(5, 6))), Period(1, later)],
        tmp_path,
        target=model,
        schema=schema,
        method="target_only",
        training=TRAINING,
    )
    same(given, model.get_weights())
    first, second = (left_by(tmp_path, n) for n in (0, 1))
    assert second.schema.field("item").vocabulary == (
        *first.schema.field("item").vocabulary,
        *second.schema.field("item").vocabulary[2:],
    )
    tables = [weights(each.model, "item_embedding")[0] for each in (first, second)]
    np.testing.assert_array_equal(tables[1][:4], tables[0])
    unseen, new = tables[0][1], tables[1][4:]
    assert new.shape == (2, 2)
    assert (new != unseen).any(axis=1).all()
    # One step of AdaGrad is at most its learning rate, so they started as that row.
    assert abs(new - unseen).max() <= 0.01 + 1e-6
    users = [weights(each.model, "user_embedding")[0] for each in (first, second)]
    u0 = 2 + first.schema.field("user").vocabulary.index("u0")
    moved = (users[0] != users[1]).any(axis=1)
    assert moved.nonzero()[0].tolist() == [u0]
    slots = [_slots(each.model, "item_embedding") for each in (first, second)]
    np.testing.assert_array_equal(slots[1][:4], slots[0])
    assert (slots[1][4:] > 0.1).any(axis=1).all()


def _slots(model, layer):
    variable = model.get_layer(layer).weights[0]
    place = [v is variable for v in model.trainable_variables].index(True)
    return np.array(model.optimizer._accumulators[place])


def test_a_period_with_one_label_or_without_rows_is_handled(tmp_path, capsys):
    schema, exported = fitted(), []

    def note(model, schema):
        exported.append(schema)
        return "versions/1"

    empty = frame().iloc[:0]
    rows = [frame(), frame(seed=1).assign(click=0), empty, frame(seed=2)]
    report = run(
        [Period(n, data, name=f"day {n}") for n, data in enumerate(rows)],
        tmp_path,
        target=network(schema),
        schema=schema,
        method="target_only",
        training=dataclasses.replace(TRAINING, verbose=1),
        callbacks=[ExportCallback(note)],
    )
    one_class = report.records[1]["test"]
    assert one_class["undefined"] == ["auc", "calibration", "gauc"]
    assert one_class["auc"] is None and one_class["log_loss"] > 0
    assert report.skipped == {2: "no row"}
    assert report.records[3]["test"]["trained_until"] == 1
    assert report.frame["auc"].isna().tolist() == [True, False]
    assert len(exported) == 3 and report.records[0]["exported"] == "versions/1"
    shown = capsys.readouterr().out.splitlines()
    assert shown.pop(1).endswith("all rows have the label click=0: AUC is undefined")
    assert len(shown) == 4
    assert shown[1].startswith("period 1 (day 1): auc undefined, gauc undefined")
    assert shown[2] == "period 2 (day 2): skipped, no row"
    written = (tmp_path / "report.md").read_text()
    assert "| day 2 | no row |" in written and "undefined" in written
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"method": "ctnett"}, "(?s)name of a method.*autoft, ctnet.*target_only"),
        ({"method": "ctnet", "source": None}, "source model to transfer from"),
        ({"method": "target_only"}, "no source model"),
        ({"method": "target_only", "source": None, "target": None}, "target model to"),
        ({"schema": None}, "the schema of the"),
        ({"method": functools.partial(ctnet, 1)}, "arguments are bound by name"),
    ],
)
def test_wrong_arguments_raise_before_any_work(tmp_path, small, arguments, message):
    given = {"target": small, "source": small, "schema": fitted()}
    with pytest.raises(ValueError, match=message):
        run(periods(0), tmp_path / "run", **{**given, **arguments})
    assert not (tmp_path / "run").exists()


def test_gains_are_differences_on_common_periods(world):
    root, report = world
    base = Report([{**r, "test": None} for r in report.records])
    assert report.gains(base).empty
    assert metrics(report)[1]["test"]["rows"] == 24
    assert report.gains(report).to_numpy().tolist() == [[0.0, 0.0, 0.0]]
    assert isinstance(report.slices, pd.DataFrame)


def test_expected_tracing_silences_only_that_warning(caplog):
    caplog.set_level(logging.WARNING, "tensorflow")  # Other tests may change it.
    heard = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())

    logger = tf.get_logger()
    logger.addHandler(handler)
    try:
        with expected_tracing():
            with expected_tracing():  # A period evaluates a model.
                pass
            for _ in range(9):
                tf.function(lambda x: x + 1)(tf.constant(1))
            logger.warning("something else")
        assert heard == ["something else"]
        for _ in range(9):  # TensorFlow warns of a function twice.
            tf.function(lambda x: x + 1)(tf.constant(1))
        assert len(heard) == 3
        assert "triggered tf.function retracing" in heard[1]
    finally:
        logger.removeHandler(handler)


def test_periods_of_files_give_the_report_of_frames(tmp_path):
    """Also of the tests before training, and of the slices by old and new users."""
    given = periods(0, 1)
    for period in given:
        (tmp_path / "log" / f"day={period.number}").mkdir(parents=True)
        path = tmp_path / "log" / f"day={period.number}" / "0.parquet"
        period.data.to_parquet(path, row_group_size=10)
    of_files = [Period(n, tmp_path / "log" / f"day={n}") for n in (0, 1)]
    reports = [
        run(
            each,
            tmp_path / name,
            target=network(fitted()),
            schema=fitted(),
            method="target_only",
            slices=SLICES,
            training=TRAINING,
        )
        for name, each in (("frames", given), ("files", of_files))
    ]
    assert metrics(reports[0]) == metrics(reports[1])
