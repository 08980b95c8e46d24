"""The benchmark of AutoFT's inference at toy size."""

import numpy as np
import pandas as pd
import pytest

from pipelines.benchmarks import autoft_cost
from tf_ctr.transfer import route_shares

SIZES = "--sizes 6-4 --fields 3 --rows 9 --embedding-dim 2 --cross-layers 1"
VARIANTS = ["DCN again", "DCN", "AutoFT", "grouped", "static"]


def test_variants_are_equal_where_they_should_be_and_gates_are_balanced():
    args = autoft_cost.parse(SIZES.split())
    models = autoft_cost.models((6, 4), args)
    features = autoft_cost.batch(100, args)
    scores = {name: np.array(model(features)) for name, model in models.items()}
    np.testing.assert_allclose(scores["grouped"], scores["AutoFT"], rtol=0, atol=1e-6)
    assert not np.allclose(scores["static"], scores["AutoFT"], rtol=0, atol=1e-6)
    assert models["static"].count_params() == models["DCN"].count_params()
    ids = autoft_cost.batch(autoft_cost.BALANCE_ROWS, args)
    shares = route_shares(models["AutoFT"], ids)
    assert len(shares) == 3 + 1 + 2
    assert shares.between(0.4, 0.6).all()


def test_table_has_a_row_per_batch_and_variant(tmp_path, capsys):
    path = tmp_path / "times.csv"
    options = "--batch-sizes 1 3 --rounds 2 --instances 2"
    autoft_cost.main(f"{SIZES} {options} --clock cpu --csv {path}".split())
    table = pd.read_csv(path)
    assert table["variant"].tolist() == VARIANTS * 2
    assert table["batch"].tolist() == [1] * 5 + [3] * 5
    assert (table.loc[table["variant"] == "DCN", "ratio"] == 1).all()
    text = capsys.readouterr().out
    assert "cpu time" in text
    assert autoft_cost.parse([]).clock == "wall"
    assert text.count("| 6-4 |") == 10


@pytest.mark.parametrize("arguments", ["--sizes 4-0", "--batch-sizes 0", "--clock gpu"])
def test_bad_arguments_are_refused_before_any_work(arguments, capsys):
    with pytest.raises(SystemExit):
        autoft_cost.parse(arguments.split())
    assert "error: " in capsys.readouterr().err
