"""The benchmark of historical embeddings at toy size."""

import numpy as np
import pandas as pd
import pytest

from pipelines.benchmarks import ecdctr_cost

SIZES = (
    "--fields 1 --rows 5 --embedding-dim 2 --snapshots 2 --hidden-units 3 "
    "--candidates 1 4 --rounds 2 --steps 1"
).split()


def test_variants_differ_only_in_their_lookups():
    args = ecdctr_cost.parse(SIZES)
    models = ecdctr_cost.models(args)
    ids = {field.name: np.arange(7) % 6 for field in ecdctr_cost.schema(args).fields}
    scores = {name: np.array(model(ids)) for name, model in models.items()}
    np.testing.assert_allclose(scores["Merged"], scores["Snapshots"], atol=1e-6, rtol=0)
    layers = {
        name: {layer.name for layer in each.layers} for name, each in models.items()
    }
    assert "user_historical_snapshots" in layers["Snapshots"] - layers["Merged"]
    assert not any("historical" in name for name in layers["Base"])


def test_every_batch_size_has_a_table(tmp_path, capsys):
    ecdctr_cost.main([*SIZES, "--csv", str(tmp_path / "costs.csv")])
    assert capsys.readouterr().out.count("ratio to Base") == 2
    table = pd.read_csv(tmp_path / "costs.csv", index_col=[0, 1])
    variants = {"Base", "Base again", "Snapshots", "Merged"}
    assert set(table.index) == {(n, each) for n in (1, 4) for each in variants}
    assert (table["ratio"].xs("Base", level=1) == 1).all()


def test_sizes_below_1_are_refused(capsys):
    with pytest.raises(SystemExit):
        ecdctr_cost.parse(["--candidates", "0"])
    assert "is not in [1, inf]" in capsys.readouterr().err
