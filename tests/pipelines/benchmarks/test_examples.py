"""The cost of asking by examples, at toy size."""

import pytest

from pipelines.benchmarks import examples as benchmark


def test_each_side_has_a_line_per_batch_size(exported_clicks, capsys, tmp_path):
    csv = tmp_path / "costs.csv"
    words = ["--batch-sizes", "1", "3", "--rounds", "2", "--csv", str(csv)]
    benchmark.main([str(exported_clicks[1]), *words])
    printed = capsys.readouterr().out
    assert printed.count("| server |") == printed.count("| client |") == 2
    assert csv.read_text().startswith("batch,side,ms by tensors,tensors again,examples")


def test_a_version_is_needed(capsys):
    with pytest.raises(SystemExit):
        benchmark.parse([])
    assert "VERSION" in capsys.readouterr().err
