"""The input benchmark at toy size."""

import pandas as pd
import pytest

from pipelines.benchmarks import input as benchmark

TOY = "--rows 40 --integers 2 --strings 1 --numbers 1 --batch-size 8 --hidden-units 4"


@pytest.mark.parametrize(
    "arguments",
    [
        "--rows 10",
        "--rounds 0",
        "--integers -1",
        "--integers 0 --strings 0",
        "--csv /no/such/folder/seconds.csv",
    ],
)
def test_bad_arguments_are_refused_before_any_work(arguments, capsys):
    with pytest.raises(SystemExit):
        benchmark.parse(arguments.split())
    assert "error: " in capsys.readouterr().err


def test_costs_are_seconds_per_sample_of_a_round():
    args = benchmark.parse("--rows 4000 --batch-size 100 --steps 10".split())
    seconds = pd.DataFrame(
        {"training step": [1.0, 2.0], "from_frame": [0.5, 0.5]}, index=[0, 1]
    )
    table = benchmark.speeds(seconds, seconds / 2, args)
    assert table.loc["training step", "thousand samples/s"] == 0.75
    assert table.loc["from_frame", "thousand samples/s"] == 8.0
    # In its own rounds, per sample: 1/8000 of 1/1000 second, and 1/8000 of 1/500.
    assert table.loc["from_frame", "% of a step, wall"] == 9.375
    assert table.loc["from_frame", "% of a step, CPU"] == 9.375


def test_cpu_time_is_kept_by_variant():
    variants, cpu = benchmark.with_cpu_time({"a": lambda: None, "b": lambda: None})
    variants["a"]()
    variants["a"]()
    assert [len(seconds) for seconds in cpu.values()] == [2, 0]


def test_the_table_has_a_row_per_source_and_the_control(tmp_path, capsys):
    seconds = tmp_path / "seconds.csv"
    benchmark.main(f"{TOY} --rounds 1 --steps 1 --csv {seconds}".split())
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:]]
    assert names[:3] == ["training step", "training step again", "from_frame"]
    assert len(names) == 12
    written = pd.read_csv(seconds, index_col=0, header=[0, 1])
    assert written.shape == (1, 24)
    assert set(written.columns.get_level_values(0)) == {"wall", "cpu"}
