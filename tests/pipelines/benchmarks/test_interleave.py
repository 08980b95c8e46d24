"""The benchmark helper by a clock that we move, and each script at toy size."""

import pandas as pd
import pytest

from pipelines.benchmarks import vocabulary
from pipelines.benchmarks.interleave import interleave, ratios
from pipelines.harness.tables import frame_table


class FakeClock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def step(self, seconds):
        self.now += seconds


def test_interleave_times_each_variant_in_every_round():
    clock = FakeClock()
    variants = {"fast": lambda: clock.step(1.0), "slow": lambda: clock.step(3.0)}
    frame = interleave(variants, rounds=4, clock=clock)
    assert list(frame.columns) == ["fast", "slow"]
    assert frame["fast"].tolist() == [1.0] * 4
    assert frame["slow"].tolist() == [3.0] * 4


def test_interleave_does_not_time_the_warm_up():
    clock = FakeClock()
    durations = iter([100.0, 1.0, 1.0])
    frame = interleave(
        {"a": lambda: clock.step(next(durations))}, rounds=2, warmup=1, clock=clock
    )
    assert frame["a"].tolist() == [1.0, 1.0]


def test_interleave_runs_each_variant_once_per_round_in_random_order():
    calls = []
    variants = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    interleave(variants, rounds=20, seed=1, warmup=0)
    rounds = ["".join(calls[i : i + 3]) for i in range(0, len(calls), 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) > 1
    again = list(calls)
    calls.clear()
    interleave(variants, rounds=20, seed=1, warmup=0)
    assert calls == again


def test_ratios_are_taken_within_a_round():
    frame = pd.DataFrame({"a": [1.0, 10.0, 1.0], "b": [2.0, 20.0, 8.0]})
    table = ratios(frame, "a")
    assert table.loc["a", ["ratio", "low", "high"]].tolist() == [1.0, 1.0, 1.0]
    assert table.loc["b", "ratio"] == 2.0
    assert table.loc["b", "low"] == 2.0
    assert table.loc["b", "high"] == 5.0
    assert table.loc["b", "seconds"] == 8.0


def test_an_unknown_reference_of_ratios_is_refused():
    with pytest.raises(KeyError, match="c"):
        ratios(pd.DataFrame({"a": [1.0]}), "c")


def test_a_frame_table_keeps_text_and_rounds_numbers():
    frame = pd.DataFrame({"rows": ["10k"], "ratio": [1.23456]}, index=["lazy"])
    text = frame_table(frame.rename_axis("variant"))
    assert text.splitlines() == [
        "| variant | rows | ratio |",
        "|---|---|---|",
        "| lazy | 10k | 1.23 |",
    ]


@pytest.mark.parametrize(
    "arguments", ["--rows 51", "--rounds 0", "--distinct -1", "--rows 1000000000000"]
)
def test_vocabulary_refuses_bad_arguments_before_any_work(arguments, capsys):
    with pytest.raises(SystemExit):
        vocabulary.parse(arguments.split())
    assert "error: " in capsys.readouterr().err


def test_vocabulary_prints_one_row_per_variant(tmp_path, capsys):
    sizes = "--rows 40 --fields 2 --batch-size 8 --embedding-dim 2 --hidden-units 4"
    seconds = tmp_path / "seconds.csv"
    vocabulary.main(f"{sizes} --rounds 2 --csv {seconds}".split())
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:]]
    assert names == ["lazy, 40 rows", "lazy again, 40 rows", "stock, 40 rows"]
    assert pd.read_csv(seconds, index_col="round").shape == (2, 3)
