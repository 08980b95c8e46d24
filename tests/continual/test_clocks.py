"""Levels with schedules of their own on one clock."""

import json

import pandas as pd
import pytest

from tests.support.continual_world import KilledError
from tf_ctr.continual import Level, NotYetError, Period, run_levels
from tf_ctr.continual.store import Store

NOTHING = pd.DataFrame()


class World:
    """Levels that note what they read in each period, in place of a training."""

    def __init__(self, root):
        self.root, self.calls, self.broken, self.dies = root, [], set(), None

    def level(self, name, ends, reads=(), delay=0):
        periods = [Period(i, NOTHING, end=end) for i, end in enumerate(ends)]

        def run(given):
            store = Store(self.root / name)
            done = [record["number"] for record in store.records()]
            for period in given[len(done) :]:
                if (name, period.end) == self.dies:
                    raise KilledError
                if (name, period.end) in self.broken:
                    raise OSError("no space left")
                newest = [Store(each.directory).latest(period.end) for each in reads]
                seen = [record and record["end"] for record in newest]
                self.calls.append((name, period.end, *seen))
                record = {"number": period.number, "end": period.end}
                record["ready"] = period.ready
                store.add({**record, "name": str(period.end), "trained": True})

        return Level(name, periods, self.root / name, run, tuple(reads), delay)

    def three(self, delay=0):
        month = self.level("month", [4, 8], delay=delay)
        week = self.level("week", [2, 4, 6, 8], [month])
        return [month, week, self.level("day", range(1, 9), [week])]

    def log(self):
        lines = (self.root / "schedule.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


IN_ORDER = [
    ("day", 1, None),
    ("week", 2, None),
    ("day", 2, 2),
    ("day", 3, 2),
    ("month", 4),
    ("week", 4, 4),
    ("day", 4, 4),
    ("day", 5, 4),
    ("week", 6, 4),
    ("day", 6, 6),
    ("day", 7, 6),
    ("month", 8),
    ("week", 8, 8),
    ("day", 8, 8),
]


def test_each_level_runs_at_its_own_pace_and_reads_the_newest_model(world):
    run_levels(world.three(), world.root, strict=True, verbose=0)
    assert world.calls == IN_ORDER
    assert {line["status"] for line in world.log()} == {"finished"}


@pytest.mark.parametrize("dies", [(name, end) for name, end, *_ in IN_ORDER])
def test_levels_killed_at_any_moment_resume(world, dies):
    world.dies = dies
    with pytest.raises(KilledError):
        run_levels(world.three(), world.root, verbose=0)
    world.dies = None
    run_levels(world.three(), world.root, verbose=0)
    assert world.calls == IN_ORDER


def test_no_level_waits_for_a_late_level_and_lateness_is_reported(world, capsys):
    run_levels(world.three(delay=1.5), world.root, verbose=0)
    weeks = [call for call in world.calls if call[0] == "week"]
    assert weeks == [
        ("week", 2, None),
        ("week", 4, None),
        ("week", 6, 4),
        ("week", 8, 4),
    ]
    shown = capsys.readouterr().out
    assert "week, period 4: month is late with period 4; no model is ready yet" in shown
    newest = "the newest model is of period 4"
    assert f"week, period 8: month is late with period 8; {newest}" in shown


def test_a_failed_level_tries_again_while_others_run(world, capsys):
    world.broken = {("week", 4)}
    run_levels(world.three()[:2], world.root, verbose=0)
    assert [call for call in world.calls if call[0] == "month"] == [
        ("month", 4),
        ("month", 8),
    ]
    shown = capsys.readouterr().out
    assert "week, period 4: failed: OSError: no space left" in shown
    statuses = [
        (line["end"], line["status"]) for line in world.log() if line["level"] == "week"
    ]
    # In 6 and 8 it tries 4 first, which fails again.
    assert statuses == [(2, "finished"), (4, "failed"), (6, "failed"), (8, "failed")]
    world.broken = set()
    run_levels(world.three()[:2], world.root, verbose=0)
    assert [call[1] for call in world.calls if call[0] == "week"] == [2, 4, 6, 8]


def test_a_level_above_a_failed_one_reads_its_newest_model(world, capsys):
    world.broken = {("week", 4)}
    run_levels(world.three(), world.root, verbose=0)
    days = [call for call in world.calls if call[0] == "day"]
    assert days[3:] == [("day", end, 2) for end in (4, 5, 6, 7, 8)]
    expected = (
        "day, period 5: week is late with period 4; the newest model is of period 2"
    )
    assert expected in capsys.readouterr().out


def test_strict_raises_the_error_of_a_level(world):
    world.broken = {("week", 4)}
    with pytest.raises(OSError, match="no space left"):
        run_levels(world.three(), world.root, strict=True, verbose=0)


def test_each_level_can_run_in_its_own_process(world):
    for level in world.three():
        run_levels([level], world.root / level.name, verbose=0)
    assert sorted(world.calls) == sorted(
        [(n, e, *([e // 2 * 2 or None] if n == "day" else s)) for n, e, *s in IN_ORDER]
    )


def test_with_a_delay_levels_can_run_in_any_order(world, tmp_path):
    run_levels(world.three(delay=1.5), world.root, verbose=0)
    alone = World(tmp_path / "alone")
    for level in alone.three(delay=1.5):
        run_levels([level], alone.root, verbose=0)
    assert sorted(alone.calls, key=str) == sorted(world.calls, key=str)
    # All of them append to one file.
    assert {line["level"] for line in alone.log()} == {"month", "week", "day"}


def test_a_model_that_is_not_ready_yet_is_late(world, capsys):
    month = world.level("month", [4, 8], delay=1.5)
    week = world.level("week", [4, 6, 8], [month], delay=2)
    run_levels([month], world.root, verbose=0)
    run_levels([week], world.root, verbose=0)
    assert world.calls[2:] == [("week", 4, None), ("week", 6, 4), ("week", 8, 4)]
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "week, period 4: month is late with period 4; no model is ready yet",
        "week, period 8: month is late with period 8; the newest model is of period 4",
    ]


def test_an_unreadable_record_stops_only_its_own_level(world):
    month, week, day = world.three()
    run_levels([month], world.root, verbose=0)
    (world.root / "month" / "000001" / "record.json").write_text("")
    later = [*month.periods, Period(2, NOTHING, end=12)]
    month = Level("month", later, month.directory, month.run)
    with (
        pytest.warns(UserWarning, match="record.json with 0 bytes"),
        pytest.raises(ValueError, match="(?s)000001 as.*record.json.*Fix: restore"),
    ):
        run_levels([month, week, day], world.root, verbose=0)
    weeks = [call for call in world.calls if call[0] == "week"]
    assert weeks[-1] == ("week", 8, 4)
    assert world.calls[-1] == ("day", 8, 8)
    failed = [line for line in world.log() if line["status"] == "failed"]
    assert [(line["level"], line["end"]) for line in failed] == [("month", 12)]


def test_a_level_that_cannot_start_yet_is_not_a_failure(world, capsys):
    day = world.level("day", [1, 2])

    def run(given):
        if len(given) < 2:
            raise NotYetError("wait for the first model")
        day.run(given)

    level = Level("ads", day.periods, day.directory, run)
    run_levels([level], world.root, strict=True, verbose=0)
    assert [call[1] for call in world.calls] == [1, 2]
    assert capsys.readouterr().out == (
        "ads, period 1: not yet: wait for the first model\n"
    )
    assert [line["status"] for line in world.log()] == ["not yet", "finished"]


def test_ends_of_two_types_raise(world):
    dates = world.level("dates", ["2022-04-25"])
    with pytest.raises(TypeError, match="(?s)ends of one kind.*'dates': '2022-04-25'"):
        run_levels([world.level("week", [1]), dates], world.root)


def test_two_levels_with_the_same_name_raise(world):
    week = world.level("week", [1])
    with pytest.raises(ValueError, match="(?s)different names.*'week', 'week'"):
        run_levels([week, week], world.root)


def test_periods_can_come_from_an_iterator(world):
    periods = [Period(n, None, end=n) for n in (0, 1)]
    level = Level("ads", iter(periods), "folder", print)
    assert level.periods == periods


def test_a_wrong_delay_raises(world):
    with pytest.raises(ValueError, match="a delay of 0 or more"):
        world.level("week", [1], delay=-1)
    with pytest.raises(TypeError, match="(?s)numbers, to add a delay.*'2022-04-25'"):
        world.level("week", ["2022-04-25"], delay=1)
    with pytest.raises(ValueError, match="at least one period"):
        world.level("week", [])
