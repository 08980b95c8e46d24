"""The benchmark of shuffling: its correlations, at toy size."""

import numpy as np
import pytest

from pipelines.benchmarks import shuffling


def test_the_correlation_is_1_in_order_and_0_in_random_order():
    order = np.arange(20_000.0)
    assert shuffling.correlation(order, 4096) == pytest.approx(1.0)
    mixed = np.random.default_rng(0).permutation(order)
    # Of standard deviation 1 / 141.
    assert abs(shuffling.correlation(mixed, 1)) < 5 / 141


def test_the_table_has_a_row_per_source(capsys):
    shuffling.main(["--rows", "4100"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:5]] == [
        "frame",
        "cache, 8 blocks",
        "cache, 32 blocks",
    ]
    assert len(lines) == 9
    with pytest.raises(SystemExit):
        shuffling.parse(["--rows", "4000"])
