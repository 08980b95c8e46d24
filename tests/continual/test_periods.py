"""The order of periods, and what one period has."""

import pandas as pd
import pytest

from tests.support.continual_world import frame
from tf_ctr.continual import Period
from tf_ctr.continual.periods import left, ordered
from tf_ctr.continual.steps import period_seed
from tf_ctr.data import rows

NO_ROWS = pd.DataFrame()


def numbered(*numbers):
    return [Period(n, NO_ROWS) for n in numbers]


@pytest.mark.parametrize(
    "numbers, received, fix",
    [
        ((0, 2), "2 after 0, so that 1 is missing", r"add Period\(1, data\)"),
        ((3, 7), "7 after 3, so that 4 to 6 is missing", r"add Period\(4, data\)"),
        ((0, 1, 1), "1 after 1", "pass period 1 once"),
        ((1, 2, 0), "0 after 2, out of order", "sort the periods"),
    ],
)
def test_a_wrong_order_raises_before_any_work(numbers, received, fix):
    expected = f"(?s)Expected periods in order.*Received: {received}.*Fix: {fix}"
    with pytest.raises(ValueError, match=expected):
        ordered(numbered(*numbers))


def test_periods_can_start_late():
    assert [p.number for p in ordered(iter(numbered(4, 5)))] == [4, 5]


def test_an_invalid_period_raises():
    with pytest.raises(TypeError, match="Received: DataFrame"):
        ordered([NO_ROWS])
    with pytest.raises(ValueError, match="at least one period"):
        ordered([])
    with pytest.raises(ValueError, match="at least 0"):
        Period(-1, NO_ROWS)
    with pytest.raises(TypeError, match="(?s)ISO date.*Received: Timestamp 2022"):
        Period(0, NO_ROWS, end=pd.Timestamp("2022-04-25"))
    with pytest.raises(TypeError, match="frames, tables or record batches"):
        Period(0, lambda: [1]).read()
    with pytest.raises(TypeError, match="can be read again(?s:.)*iterator"):
        Period(0, iter([NO_ROWS]))


def test_a_period_is_read_from_files_as_from_a_frame(tmp_path):
    frame = pd.DataFrame({"item": [1, 2, 3], "user": ["a", None, "b"]})
    (tmp_path / "day=7").mkdir()
    frame.to_parquet(tmp_path / "day=7" / "0.parquet")
    expected = {"item": [1, 2, 3], "user": ["a", None, "b"], "day": [7] * 3}
    for data in (
        tmp_path,
        lambda: tmp_path / "day=7",
        rows(tmp_path, filter=[("day", "=", 7)]),
    ):
        period = Period(0, data, source=data)
        for _ in range(2):
            got = period.read().astype(object).replace({pd.NA: None})
            assert got.to_dict("list") == expected
        assert len(period.read_source()) == 3
    nothing = Period(0, rows(tmp_path, filter=[("day", "=", 8)]))
    assert len(nothing.read()) == 0


def test_a_model_cannot_be_ready_before_its_end():
    with pytest.raises(ValueError, match="(?s)ready no earlier than its end, 5.*: 2"):
        Period(0, NO_ROWS, end=5, ready=2)
    with pytest.raises(TypeError, match="(?s)same kind as the end 5.*'2022-04-25'"):
        Period(0, NO_ROWS, end=5, ready="2022-04-25")


@pytest.mark.parametrize("name", ["end", "ready"])
@pytest.mark.parametrize(
    "time, error",
    [
        ("yesterday", ValueError),
        ("30.09.2022", ValueError),
        ("2022-9-30", ValueError),
        ("", ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (True, TypeError),
    ],
)
def test_a_time_that_is_neither_finite_nor_an_iso_date_is_refused(name, time, error):
    with pytest.raises(error, match=f"(?s)the {name} as .*Fix: "):
        Period(0, NO_ROWS, **{name: time})


def test_times_with_offsets_are_compared_as_moments():
    early, late = "2022-04-25T09:00+09:00", "2022-04-25T02:00+00:00"
    assert Period(0, NO_ROWS, end=early, ready=late).ready == late
    ordered([Period(0, NO_ROWS, end=early), Period(1, NO_ROWS, end=late)])
    with pytest.raises(ValueError, match="ready no earlier"):
        Period(0, NO_ROWS, end=late, ready=early)


def test_dates_with_and_without_offsets_are_not_mixed():
    first = Period(0, NO_ROWS, end="2022-04-25")
    with pytest.raises(TypeError, match="ends of one kind"):
        ordered([first, Period(1, NO_ROWS, end="2022-04-26T00:00Z")])
    with pytest.raises(TypeError, match="with an offset"):
        Period(0, NO_ROWS, end="2022-04-25", ready="2022-04-26T00:00Z")


def test_ends_must_be_in_order():
    with pytest.raises(ValueError, match="end one after another"):
        ordered([Period(0, NO_ROWS, end=7), Period(1, NO_ROWS, end=7)])
    with pytest.raises(TypeError, match="(?s)ends of one kind.*'2022-04-25' after 7"):
        ordered([Period(0, NO_ROWS, end=7), Period(1, NO_ROWS, end="2022-04-25")])


def test_a_run_resumes_right_after_its_last_period():
    assert [p.number for p in left(numbered(0, 1, 2), 0)] == [1, 2]
    assert left(numbered(0, 1), 5) == []
    assert len(left(numbered(3), None)) == 1
    with pytest.raises(ValueError, match="4 after 1, so that 2 to 3 is missing"):
        left(numbered(4), 1)


def test_data_is_read_only_when_needed():
    calls = []
    period = Period(0, lambda: calls.append(1) or frame(3), name="monday")
    assert (calls, period.label) == ([], "monday")
    assert len(period.read()) == 3 and calls == [1]
    assert period.read_source() is None
    assert Period(0, NO_ROWS, source=NO_ROWS).read_source() is None


def test_a_seed_depends_on_the_run_and_the_period():
    assert period_seed(0, 1) == period_seed(0, 1)
    assert len({period_seed(s, n) for s in range(3) for n in range(3)}) == 9
