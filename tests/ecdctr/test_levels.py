"""The three levels on one clock, each reading the newest finished one below."""

import dataclasses
import functools
import os
import shutil

import keras
import numpy as np
import pytest

from tests.support.continual_world import (
    TRAINING,
    KilledError,
    dying,
    frame,
    left_by,
    open_schema,
    same,
    weights,
)
from tf_ctr.backbones import dnn
from tf_ctr.continual import Period, Refresh, Training, run_levels
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr import SnapshotStore, a_ctr_level, cpm_level, tpm_level
from tf_ctr.transfer import add_historical
from tf_ctr.transfer.historical import historical_tables

FIELDS = ("user", "item")
OPTIONS = {"training": TRAINING}


def timed(ends, first_seed, items):
    """Returns periods with these ends."""
    return [
        Period(i, frame(seed=first_seed + i, items=items), end=end)
        for i, end in enumerate(ends)
    ]


def natural_data():
    months = timed([4, 8], 100, items=(5, 6, 7, 9))
    weeks = timed([4, 6, 8], 200, items=(5, 6, 7))
    return months, weeks


@functools.cache
def start_models():
    """Returns TPM and CPM with their schemas; a run copies what it starts from."""
    basic, plain = (open_schema().fit(each[0].read()) for each in natural_data())
    keras.utils.set_random_seed(0)
    small = functools.partial(dnn, embedding_dim=2, hidden_units=(3,))
    tiny = small(basic)
    complete = functools.partial(small, batch_norm=True)
    complete = add_historical(complete, plain, FIELDS, width=2, num_snapshots=2)
    return (tiny, basic), (complete, plain)


def levels(root, delay=0, every="arrival", batch_norm="reset"):
    """Months end at 4 and 8, weeks at 4, 6 and 8, days at 5, 6, 7 and 8."""
    months, weeks = natural_data()
    days = timed([5, 6, 7, 8], 300, items=(5, 6, 9))
    tiny, complete = start_models()
    tpm = tpm_level(months, root / "tpm", *tiny, root / "snapshots", FIELDS, **OPTIONS)
    cpm = cpm_level(
        weeks,
        root / "cpm",
        *complete,
        root / "snapshots",
        tpm,
        refresh=Refresh(window=2),
        delay=delay,
        **OPTIONS,
    )
    a_ctr = a_ctr_level(
        days,
        root / "a_ctr",
        cpm,
        root / "snapshots",
        refresh=Refresh(every=every, restart=True, window=2),
        batch_norm=batch_norm,
        **OPTIONS,
    )
    return [tpm, cpm, a_ctr]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("ecdctr")
    run_levels(levels(root), root, strict=True, verbose=0)
    return root


def records(root, level):
    return Store(root / level).records()


def table(model, field):
    return np.array(historical_tables(model)[field].snapshots)


def test_every_month_exports_a_snapshot_of_its_embeddings(root):
    store = SnapshotStore(root / "snapshots")
    assert store.dates() == [4, 8]
    for number, date in enumerate((4, 8)):
        finished = left_by(root / "tpm", number)
        (rows,) = weights(finished.model, "item_embedding")
        field = finished.schema.field("item")
        _, embeddings, known = store.table(field, dates=(date,))
        np.testing.assert_array_equal(embeddings[2:, 0], rows[2:])
        assert known[2:].all() and not known[:2].any()
        published = records(root, "tpm")[number]["published"]
        assert published == {"user": 4, "item": 4}


def test_cpm_reads_the_newest_snapshots_by_id(root):
    assert [r["prepared"] for r in records(root, "cpm")] == [[4], [4], [4, 8]]
    finished = left_by(root / "cpm", 2)
    store = SnapshotStore(root / "snapshots")
    expected = store.table(finished.schema.field("item"), 2)
    np.testing.assert_array_equal(table(finished.model, "item")[..., :2], expected[1])
    np.testing.assert_array_equal(table(finished.model, "item")[..., 2], expected[2])
    assert [r["rows_trained"] for r in records(root, "cpm")] == [24, 48, 48]


def test_cpm_has_a_row_for_every_id_of_a_snapshot(root):
    _, weeks = natural_data()
    assert not any((period.read()["item"] == 9).any() for period in weeks)
    finished = left_by(root / "cpm", 0)
    field = finished.schema.field("item")
    assert 9 in field.vocabulary
    # The one snapshot so far is in the newer of the two places.
    known = table(finished.model, "item")[2 + field.vocabulary.index(9), :, 2]
    assert known.tolist() == [0, 1]


def test_ads_older_than_the_first_cpm_are_trained_on_once_it_exists(
    root, tmp_path, capsys
):
    shutil.copytree(root / "cpm", tmp_path / "cpm")
    _, cpm, _ = levels(tmp_path)
    level = a_ctr_level(
        timed([2, 3, 4], 300, items=(5, 6)),
        tmp_path / "a_ctr",
        cpm,
        root / "snapshots",
        **OPTIONS,
    )
    run_levels([level], tmp_path, strict=True, verbose=0)
    assert capsys.readouterr().out.count("not yet: Expected a finished CPM") == 2
    found = records(tmp_path, "a_ctr")
    assert [(r["number"], r["rows_trained"]) for r in found] == [(2, 72)]


def test_a_ctr_can_train_on_each_ad_once_between_restarts(root, tmp_path):
    shutil.copytree(root / "cpm", tmp_path / "cpm")
    _, cpm, a_ctr = levels(tmp_path)
    snapshots = root / "snapshots"
    level = a_ctr_level(
        a_ctr.periods,
        tmp_path / "a_ctr",
        cpm,
        snapshots,
        refresh=Refresh("arrival", restart=True, window=2, window_when="restart"),
        **OPTIONS,
    )
    level.run(level.periods[:3])
    found = records(tmp_path, "a_ctr")
    assert [r["optimizer"] for r in found] == ["fresh", "fresh", "kept"]
    assert [r["rows_trained"] for r in found] == [24, 48, 24]
    assert found[0]["settings"]["window_when"] == "restart"
    assert "window_when" not in records(root, "a_ctr")[0]["settings"]


def test_historical_embeddings_without_snapshots_warn(root, tmp_path):
    shutil.copytree(root / "cpm", tmp_path / "cpm")
    _, cpm, _ = levels(tmp_path)
    ads = timed([5], 300, items=(5, 6))
    level = a_ctr_level(ads, tmp_path / "a_ctr", cpm, **OPTIONS)
    with pytest.warns(UserWarning, match="Pass snapshots="):
        level.run(level.periods)
    assert records(tmp_path, "a_ctr")[0]["prepared"] == [4]


def test_a_ctr_restarts_when_a_new_cpm_arrives(root):
    found = records(root, "a_ctr")
    assert [r["source"] for r in found] == [0, 1, 1, 2]
    assert [r["optimizer"] for r in found] == ["fresh", "fresh", "kept", "fresh"]
    steps = [
        int(left_by(root / "a_ctr", n).model.optimizer.iterations) for n in range(4)
    ]
    assert steps == [1, 2, 4, 2]
    assert [r["test"] and r["test"]["trained_until"] for r in found] == [None, 0, 1, 2]


def test_a_ctr_uses_the_snapshots_of_its_cpm_for_its_own_ids(root):
    assert [r["prepared"] for r in records(root, "a_ctr")] == [[4], [4], [4], [4, 8]]
    finished = left_by(root / "a_ctr", 2)
    field = finished.schema.field("item")
    assert 9 in field.vocabulary
    expected = SnapshotStore(root / "snapshots").table(field, dates=(None, 4))
    np.testing.assert_array_equal(table(finished.model, "item")[..., :2], expected[1])
    assert expected[2][2 + field.vocabulary.index(9), 1]


def test_a_ctr_keeps_the_aggregation_of_cpm(root):
    cpm, a_ctr = (
        left_by(root / name, n).model for name, n in (("cpm", 1), ("a_ctr", 2))
    )
    same(*(weights(m, "item_historical_aggregation") for m in (cpm, a_ctr)))
    kernels = [weights(m, "deep_0")[0] for m in (cpm, a_ctr)]
    assert not np.array_equal(*kernels)


@pytest.mark.parametrize(
    ("every", "sources"), [("never", [0, 0]), ("period", [0, 1, 1])]
)
def test_a_ctr_can_restart_never_or_in_every_period(root, tmp_path, every, sources):
    for name in ("cpm", "snapshots"):
        shutil.copytree(root / name, tmp_path / name)
    *_, level = levels(tmp_path, every=every)
    level = dataclasses.replace(level, periods=level.periods[: len(sources)])
    run_levels([level], tmp_path, strict=True, verbose=0)
    found = records(tmp_path, "a_ctr")
    assert [r["source"] for r in found] == sources
    optimizer = "kept" if every == "never" else "fresh"
    assert {r["optimizer"] for r in found[1:]} == {optimizer}


def in_a_training(monkeypatch):
    monkeypatch.setattr(Training, "fit", dying(3, Training.fit))


def between_snapshot_and_model(monkeypatch):
    monkeypatch.setattr(os, "rename", dying(2, os.rename))


@pytest.mark.parametrize(
    "kill, end, newest",
    [
        (in_a_training, 6, {"tpm": 0, "cpm": 1, "a_ctr": 1}),
        (between_snapshot_and_model, 5, {"tpm": 0, "cpm": 0, "a_ctr": 0}),
    ],
)
def test_killed_levels_resume_to_the_same_weights(
    root, tmp_path, monkeypatch, kill, end, newest
):
    first = [
        dataclasses.replace(level, periods=[p for p in level.periods if p.end <= end])
        for level in levels(tmp_path)
    ]
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(KilledError):
            run_levels(first, tmp_path, strict=True, verbose=0)
    run_levels(first, tmp_path, strict=True, verbose=0)
    for name, number in newest.items():
        same(
            left_by(tmp_path / name, number).model.get_weights(),
            left_by(root / name, number).model.get_weights(),
        )


def test_a_damaged_snapshot_is_skipped(root, tmp_path):
    for name in ("snapshots", "tpm", "cpm"):
        shutil.copytree(root / name, tmp_path / name)
    shutil.rmtree(tmp_path / "cpm" / "000002")
    (tmp_path / "snapshots" / "8" / "item.parquet").write_bytes(b"half of it")
    tpm, cpm, _ = levels(tmp_path)
    with pytest.warns(UserWarning, match="snapshots/8 is skipped"):
        run_levels([tpm, cpm], tmp_path, strict=True, verbose=0)
    assert [r["prepared"] for r in records(tmp_path, "cpm")] == [[4], [4], [4]]


def test_a_ctr_keeps_its_snapshots_when_the_files_become_unreadable(root, tmp_path):
    shutil.copytree(root / "cpm", tmp_path / "cpm")
    *_, level = levels(tmp_path)
    with pytest.warns(UserWarning, match="can no longer be"):
        level.run(level.periods[:1])
    found = table(left_by(tmp_path / "a_ctr", 0).model, "user")
    assert found[2:, 1, 2].all()


def test_without_a_cpm_a_ctr_does_not_start_and_says_so(tmp_path, capsys):
    *_, level = levels(tmp_path)
    run_levels([level], tmp_path, verbose=0)
    shown = capsys.readouterr().out
    assert "CPM is late with period 4; no model is ready yet" in shown
    assert "A-CTR, period 5: not yet: Expected a finished CPM" in shown


def damage(root, level, number, name="model.keras"):
    (root / level / f"{number:06d}" / name).write_bytes(b"{")


@pytest.fixture
def until_day_6(root, tmp_path):
    """The folders of the levels as they were after day 6."""
    for name in ("cpm", "snapshots", "a_ctr"):
        shutil.copytree(root / name, tmp_path / name)
    for name, number in (("cpm", 2), ("a_ctr", 2), ("a_ctr", 3)):
        shutil.rmtree(tmp_path / name / f"{number:06d}")
    return tmp_path


@pytest.mark.parametrize("name", ["model.keras", "manifest.json", "record.json"])
@pytest.mark.parametrize("damaged", [[1], [0, 1]])
def test_a_ctr_resumes_when_the_cpm_it_started_from_is_damaged(
    until_day_6, name, damaged
):
    for number in damaged:
        damage(until_day_6, "cpm", number, name)
    *_, level = levels(until_day_6)
    with pytest.warns(UserWarning, match="is skipped|as it was written"):
        level.run(level.periods[:3])
    found = records(until_day_6, "a_ctr")
    assert [r["source"] for r in found] == [0, 1, 1]
    assert found[-1]["optimizer"] == "kept"


def test_a_ctr_starts_with_the_first_intact_cpm(until_day_6):
    shutil.rmtree(until_day_6 / "a_ctr")
    damage(until_day_6, "cpm", 0)
    *_, level = levels(until_day_6)
    run_levels([level], until_day_6, verbose=0)
    assert [r["end"] for r in records(until_day_6, "a_ctr")] == [6, 7, 8]


def test_a_damaged_model_is_not_reported_as_the_newest(until_day_6, capsys):
    damage(until_day_6, "cpm", 1)
    *_, level = levels(until_day_6)
    with pytest.warns(UserWarning, match="is skipped"):
        run_levels([level], until_day_6, verbose=0)
    shown = capsys.readouterr().out
    late = "CPM is late with period 8; the newest model is of period 4"
    assert f"A-CTR, period 8: {late}" in shown


def test_a_level_with_a_damaged_model_of_its_own_raises(until_day_6):
    damage(until_day_6, "a_ctr", 1)
    *_, level = levels(until_day_6)
    with pytest.raises(ValueError, match="(?s)period 1 in.*model.keras.*move"):
        level.run(level.periods[:3])


def test_ids_of_the_first_window_have_rows_and_count_as_known(until_day_6):
    shutil.rmtree(until_day_6 / "a_ctr")
    _, cpm, _ = levels(until_day_6)
    days = timed([2, 3, 4, 5], 300, items=(5, 6))
    early, late = (frame(seed=n, items=(77,)) for n in (0, 1))
    days[0], days[3] = Period(0, early, end=2), Period(3, late, end=5)
    level = a_ctr_level(
        days,
        until_day_6 / "a_ctr",
        cpm,
        until_day_6 / "snapshots",
        slices=("item",),
        **OPTIONS,
    )
    level.run(level.periods)
    first = left_by(until_day_6 / "a_ctr", 2)
    assert 77 in first.schema.field("item").vocabulary
    tested = records(until_day_6, "a_ctr")[1]["test"]["slices"]["item"]
    assert (tested["old"]["rows"], tested["new"]["rows"]) == (24, 0)


def test_wrong_choices_are_refused(tmp_path):
    with pytest.raises(ValueError, match="use one of: keep, reset, reset_statistics"):
        levels(tmp_path, batch_norm="new")
    tpm, *_ = levels(tmp_path)
    schema = open_schema().fit(tpm.periods[0].read())
    model = dnn(schema, 2, (3,))
    common = (tpm.periods, tmp_path / "tpm", model, schema, tmp_path)
    with pytest.raises(ValueError, match="use one of: item, user"):
        tpm_level(*common, ["city"])


@pytest.mark.parametrize("batch_norm", ["keep", "reset"])
@pytest.mark.parametrize("own", [False, True])
def test_batch_norm_statistics_can_be_measured_or_reset(tmp_path, batch_norm, own):
    _, cpm, a_ctr = levels(tmp_path)
    training = dataclasses.replace(TRAINING, measure_batch_norm=own)
    level = a_ctr_level(
        a_ctr.periods, tmp_path, cpm, batch_norm=batch_norm, training=training
    )
    found = level.run.keywords["training"].measure_batch_norm
    assert found == (own or batch_norm == "reset")


def test_cpm_continues_from_week_to_week_or_restarts(root, tmp_path):
    assert [r["optimizer"] for r in records(root, "cpm")][1:] == ["kept"] * 2
    _, cpm, _ = levels(tmp_path)
    keywords = cpm.run.keywords
    scratch = cpm_level(
        cpm.periods[:2],
        tmp_path / "cpm",
        keywords["target"],
        keywords["schema"],
        root / "snapshots",
        refresh=Refresh(every="period", restart=True),
        **OPTIONS,
    )
    scratch.run(scratch.periods)
    assert [r["optimizer"] for r in records(tmp_path, "cpm")] == ["fresh", "fresh"]


def test_tpm_continues_from_month_to_month_or_restarts(root, tmp_path):
    assert [r["optimizer"] for r in records(root, "tpm")] == ["fresh", "kept"]
    tpm = levels(root)[0]
    schema = open_schema().fit(tpm.periods[0].read())
    scratch = tpm_level(
        tpm.periods,
        tmp_path / "tpm",
        dnn(schema, 2, (3,)),
        schema,
        tmp_path,
        FIELDS,
        refresh=Refresh(every="period", restart=True, window=2),
        **OPTIONS,
    )
    scratch.run(tpm.periods)
    found = records(tmp_path, "tpm")
    assert [r["optimizer"] for r in found] == ["fresh", "fresh"]
    assert [r["rows_trained"] for r in found] == [24, 48]
