"""The study of routes chosen after training: test rows are scored once per seed."""

import functools

import pandas as pd

from pipelines.compare import routes_study
from pipelines.harness.results import ResultLines
from tests.support.small_worlds import five_fields
from tf_ctr.datasets import synthetic

SIZES = "--embedding-dim 2 --hidden-units 4 --num-cross-layers 1 --epochs 1".split()


def test_the_study_runs_once_and_reports(tmp_path, monkeypatch, capsys):
    world = functools.partial(
        five_fields, source_rows=600, target_rows=400, num_users=20, num_items=10
    )
    monkeypatch.setattr(synthetic, "generate", world)
    line = ["--run-dir", str(tmp_path), "--seeds", "1", "--learning-rates", "1e-3"]
    routes_study.main([*line, *SIZES])
    (record,) = ResultLines(tmp_path / "results.jsonl").records
    assert {"start", "fine_tune", "chosen"} <= record.keys()
    assert record["from_source"] or record["chosen"] == record["fine_tune"]
    capsys.readouterr()

    monkeypatch.setattr(routes_study, "run_one", None)
    routes_study.main([*line, *SIZES])
    assert "| routes chosen |" in capsys.readouterr().out


def test_the_table_compares_with_fine_tune_and_the_start():
    results = pd.DataFrame(
        {
            "seed": [1, 0],
            "start": [0.70, 0.70],
            "fine_tune": [0.71, 0.73],
            "chosen": [0.74, 0.75],
            "learning_rate": 1e-3,
            "from_source": [["deep_0"], []],
            "unseen_gain": 0.01,
            "unseen_gain_error": 0.002,
            "seconds": 2.4,
        }
    )
    (_, table), (_, choices) = routes_study.sections(results)
    assert "| routes chosen | 0.7450 ± 0.0071 | +0.0250 (p 0.13) | +0.0450" in table
    assert "| Fine-Tune | 0.7200 ± 0.0141 |  | +0.0200 (p 0.30) |" in table
    assert "| 0 | 0.001 | nothing | +0.0100 ± 0.0020 | +0.0200 | 2 |" in choices
    assert "| 1 | 0.001 | deep_0 |" in choices
