"""The main job on few rows: table, export, and wrong input."""

import functools

import numpy as np
import pandas as pd
import pytest

from pipelines import quickstart
from tests.support.small_worlds import five_fields
from tf_ctr.datasets import synthetic

SMALL = functools.partial(
    five_fields, source_rows=3000, target_rows=2000, num_users=60, num_items=40
)
SIZES = ["--embedding-dim", "2", "--hidden-units", "8", "4", "--num-cross-layers", "1"]


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "generate", SMALL)
    # Both have tests of their own, and are slow.
    quick = functools.partial(quickstart.export, fresh_process=False, batch_sizes=None)
    monkeypatch.setattr(quickstart, "export", quick)
    folders = [
        "--run-dir",
        str(tmp_path / "runs"),
        "--export-dir",
        str(tmp_path / "ex"),
    ]
    return [*SIZES, "--epochs", "1", *folders]


def test_quickstart_prints_the_table_exports_and_loads_finished_runs(
    arguments, tmp_path, capsys, monkeypatch
):
    quickstart.main(arguments)
    first = capsys.readouterr().out
    table = [line for line in first.splitlines() if line.startswith("| ")]
    names = [line.split("|")[1].strip() for line in table[1:]]
    assert names == [*quickstart.ROWS, "*Best possible*"]
    records = pd.read_json(tmp_path / "runs/records.jsonl", lines=True)
    assert list(records["row"]) == list(quickstart.ROWS)
    assert records["auc"].between(0, 1).all()
    assert (tmp_path / "ex/1/saved_model.pb").exists()
    assert "already finished" not in first
    assert "largest difference: " in first

    exported = []
    monkeypatch.setattr(quickstart, "export_and_show", lambda *a: exported.append(a))
    quickstart.main(arguments)
    assert capsys.readouterr().out.count("already finished") == len(quickstart.ROWS)
    again = pd.read_json(tmp_path / "runs/records.jsonl", lines=True)
    pd.testing.assert_frame_equal(records, again)
    assert len(exported) == 1


def test_the_first_seed_chooses_the_learning_rates(monkeypatch, tmp_path):
    """Later seeds get only the candidate that the first seed chose."""
    candidates = []

    def run_seed(domains, settings, learning_rates, seed, run_dir, verbose):
        candidates.append(learning_rates["AutoFT"])
        return {"AutoFT": (None, {"learning_rate": 0.5})}

    monkeypatch.setattr(quickstart, "run_seed", run_seed)
    settings = quickstart.SETTINGS["movielens"]
    quickstart.run_seeds(None, settings, 3, tmp_path, 0)
    assert candidates == [settings.learning_rates, (0.5,), (0.5,)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "criteo"], "invalid choice"),
        (["--data-dir", "/does/not/exist"], "there is no folder"),
        (["--seeds", "0"], "0 is not in [1, inf]"),
        (["--learning-rates", "-1"], "-1 is not in"),
        (["--dropout", "-0.5"], "-0.5 is not in"),
        (["--dropout", "nan"], "nan is not in"),
        (["--export-dir", __file__], "is a file"),
        (["--epochs", "many"], "invalid int value"),
        (["--embeding-dim", "8"], "unrecognized arguments"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_bad_arguments_are_refused_before_any_work(
    arguments, message, monkeypatch, capsys
):
    monkeypatch.setattr(quickstart, "DATASETS", None)  # Any work would be a TypeError.
    with pytest.raises(SystemExit):
        quickstart.main(arguments)
    assert message in capsys.readouterr().err


def test_help_lists_every_setting(capsys):
    with pytest.raises(SystemExit):
        quickstart.main(["--help"])
    out = capsys.readouterr().out
    for name in ("dataset", "data-dir", "seeds", "learning-rates", "embedding-l2"):
        assert f"--{name}" in out


def test_table_shows_mean_and_spread():
    records = pd.DataFrame(
        {
            "row": ["AutoFT", "AutoFT"],
            "auc": [0.7, 0.8],
            "log_loss": [0.5, 0.5],
            "gauc": [0.6, 0.6],
            "seconds": [1.0, 3.0],
            "parameters": [1000, 1000],
            "learning_rate": [0.001, 0.001],
        }
    )
    ceiling = {"auc": 0.9, "log_loss": 0.4, "gauc": 0.8}
    lines = quickstart.result_table(records, ceiling).splitlines()
    assert lines[2] == (
        "| AutoFT | 0.7500 ± 0.0707 | 0.5000 ± 0.0000 | 0.6000 ± 0.0000 | 2 ± 1 "
        "| 1,000 | 0.001 |"
    )
    assert lines[3] == "| *Best possible* | 0.9000 | 0.4000 | 0.8000 |  |  |  |"
    assert f"{np.std([0.7, 0.8], ddof=1):.4f}" == "0.0707"
