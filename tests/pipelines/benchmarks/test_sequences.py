"""The benchmark of retrieval at toy size."""

import numpy as np
import pandas as pd
import pytest

from pipelines.benchmarks import sequences

TOY = (
    "--lengths 3 7 --batch-size 4 --embedding-dim 4 --units 4 --num-heads 2 "
    "--top-k 5 --bits 4 --rounds 2"
)
VARIANTS = ["full", "full, projected", "SIM", "ETA", "k given", "full again"]


def test_table_has_every_length_pass_and_variant(tmp_path, capsys):
    path = tmp_path / "times.csv"
    sequences.main(f"{TOY} --csv {path}".split())
    table = pd.read_csv(path)
    keys = [(n, w, v) for n in (3, 7) for w in sequences.PASSES for v in VARIANTS]
    assert list(table[["T", "pass", "variant"]].itertuples(index=False)) == keys
    assert np.all(table.loc[table["variant"] == "full", "ratio"] == 1)
    rows = [line for line in capsys.readouterr().out.splitlines() if line[:1] == "|"]
    assert len(rows) == 2 + len(keys)


def test_both_forms_of_full_attention_and_a_search_for_all_agree_in_size():
    args = sequences.parse([*TOY.split(), "--top-k", "9"])
    calls = sequences.variants(7, "forward", args)
    sizes = {name: np.size(call()) for name, call in calls.items()}
    assert sizes == dict.fromkeys(VARIANTS, 4 * 4)


def test_gradients_are_of_the_vectors_and_of_every_kernel():
    calls = sequences.variants(7, "gradient", sequences.parse(TOY.split()))
    for name, call in calls.items():
        query, rows, *kernels = call()
        assert query.shape == (4, 4) and len(kernels) == 4, name
        assert rows.shape[1] == (5 if name == "k given" else 7)


@pytest.mark.parametrize("wrong", ["--lengths 0", "--rounds 0", "--units 10"])
def test_bad_arguments_are_refused_before_any_work(wrong, capsys):
    with pytest.raises(SystemExit):
        sequences.parse(wrong.split())
    assert "error: " in capsys.readouterr().err
