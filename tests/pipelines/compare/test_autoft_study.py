"""The study of AutoFT's options: one differs at a time, no test row is read."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest

from pipelines.compare import autoft_study
from pipelines.compare.autoft_study import VARIATIONS
from pipelines.compare.rows import METHODS, transfer_by
from pipelines.harness.results import ResultLines
from tests.support.models import small_dcn
from tests.support.small_worlds import five_fields
from tf_ctr.datasets import synthetic
from tf_ctr.layers import GumbelRouter

SIZES = "--embedding-dim 2 --hidden-units 4 --num-cross-layers 1 --epochs 1".split()


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Tiny data, without test rows; two variations."""

    def small():
        domains = small_world()
        target = dataclasses.replace(domains.target, test=None)
        return dataclasses.replace(domains, target=target)

    small_world = functools.partial(
        five_fields,
        source_rows=600,
        target_rows=400,
        num_users=20,
        num_items=10,
    )
    monkeypatch.setattr(synthetic, "generate", small)
    chosen = {name: VARIATIONS[name] for name in ("Fine-Tune", "policy width 16")}
    monkeypatch.setattr(autoft_study, "VARIATIONS", chosen)
    return ["--run-dir", str(tmp_path), "--seeds", "1", *SIZES]


def test_every_variation_differs_from_the_default_in_its_option():
    source = small_dcn()
    configs = {}
    for name in VARIATIONS:
        row, own = autoft_study.variation(name, "source")
        if row.method == "autoft" and not row.components:
            model = transfer_by(row.method, source, None, 1, **own)
            (router,) = (layer for layer in model.layers if layer.name == "deep_router")
            configs[name] = {**router.get_config()}
    default = configs.pop("AutoFT, defaults")
    for name, config in configs.items():
        changed = {key for key in config if config[key] != default[key]}
        assert len(changed) == 1 + (", frozen" in name), name


def test_l2_sp_pulls_the_copies_that_autoft_trains():
    model = transfer_by("autoft_l2_sp", small_dcn(), None, 1, alpha=0.5)
    assert (model.alpha, model.beta) == (0.5, 0.0)
    assert any(isinstance(layer, GumbelRouter) for layer in model.layers)
    assert "alpha" in METHODS["autoft_l2_sp"].space


def test_the_study_runs_once_and_reports_without_test_rows(arguments, tmp_path, capsys):
    autoft_study.main(arguments)
    first = capsys.readouterr().out
    assert "[2/2" in first and "policy width 16, seed 0" in first
    records = ResultLines(tmp_path / "results.jsonl").records
    assert [record["variation"] for record in records] == list(autoft_study.VARIATIONS)
    assert records[0]["routes"] == {} and "deep_0" in records[1]["routes"]

    autoft_study.main(arguments)  # Everything is there: only the table.
    again = capsys.readouterr().out.strip()
    assert again and again in first and "[" not in again
    autoft_study.main([*arguments, "--report"])
    assert capsys.readouterr().out.strip() == again
    with pytest.raises(ValueError, match="'batch_size': 7"):
        autoft_study.main([*arguments, "--batch-size", "7"])


def test_table_has_gains_seed_by_seed_best_first():
    def run(variation, seed, auc, routes):
        return {
            "variation": variation,
            "seed": seed,
            "validation_auc": auc,
            "routes": routes,
        }

    frame = pd.DataFrame(
        [
            run("Fine-Tune", 0, 0.70, {}),
            run("Fine-Tune", 1, 0.72, {}),
            run("budget", 1, 0.75, {"a": 0.2, "b": 0.6}),
        ]
    )
    ((_, text),) = autoft_study.sections(frame)
    table = text.splitlines()
    assert table[2] == "| budget | 0.7500 | +0.0300 | 0.40 | 1 |"
    spread = np.std([0.70, 0.72], ddof=1)
    assert table[3] == f"| Fine-Tune | 0.7100 ± {spread:.4f} | +0.0000 |  | 2 |"
    assert autoft_study.sections(pd.DataFrame()) == []
