"""The benchmark of CTNet's cost at toy size."""

import numpy as np
import pandas as pd
import pytest

from pipelines.benchmarks import ctnet_cost
from tf_ctr.backbones import dnn
from tf_ctr.transfer import ctnet

SIZES = (
    "--fields 2 --rows 9 --history 6 --categories 3 --embedding-dim 2 "
    "--attention-units 8 --top-k 3 --hidden-units 4 3 --batch-size 4 --candidates 5 "
    "--rounds 2 --steps 1"
).split()


@pytest.fixture(scope="module")
def args():
    return ctnet_cost.parse(SIZES)


def test_sharing_removes_the_search_of_the_target(args):
    names = {
        name: {layer.name for layer in model.layers}
        for name, model in ctnet_cost.models(args).items()
    }
    searches = {"history_sim", "history_eta"}
    of_source = {f"{name}_source" for name in searches}
    assert searches <= names["Base"]
    assert searches | of_source <= names["CTNet"]
    shared = names["CTNet, shared SIM and ETA"]
    assert of_source <= shared and not searches & shared
    assert "history_attention" in shared
    everything = names["CTNet, all attention shared"]
    assert not (searches | {"history_attention"}) & everything


def test_ids_are_rows_of_the_tables_and_padding_is_at_the_end(args):
    features, labels = ctnet_cost.batch(np.random.default_rng(0), 50, args)
    sizes = {field.name: field for field in ctnet_cost.schema(args).fields}
    for name in ("field_0", "item", "category"):
        assert 1 <= features[name].numpy().min()
        assert features[name].numpy().max() < sizes[name].table_size
    present = features["history"].numpy() > 0
    assert (np.diff(present.astype(int), axis=1) <= 0).all()
    assert (present == (features["history_category"].numpy() > 0)).all()
    assert present[:, 0].all() and not present[:, -1].all()
    assert labels.shape == (50,)


def test_tables_have_all_variants_and_their_reference(tmp_path, capsys, monkeypatch):
    def smaller(args):  # The production backbone takes a minute to trace.
        base = dnn(ctnet_cost.schema(args), 2, (3,))
        return {"Base": base, "CTNet": ctnet(base)}

    monkeypatch.setattr(ctnet_cost, "models", smaller)
    ctnet_cost.main([*SIZES, "--csv", str(tmp_path / "costs")])
    tables = {
        name: pd.read_csv(tmp_path / f"costs_{name}.csv", index_col=0)
        for name in ("training", "serving")
    }
    for name, table in tables.items():
        assert table.loc[ctnet_cost.reference(name), "ratio"] == 1
        assert {"Base", "Base again", "CTNet"} <= set(table.index)
        assert (table["seconds"] > 0).all()
    assert "source forward" in tables["training"].index
    assert "ratio to Base + source forward" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["--rounds 0", "--attention-units 9"])
def test_wrong_sizes_are_refused_before_any_work(wrong, capsys):
    with pytest.raises(SystemExit):
        ctnet_cost.parse(wrong.split())
    assert "error: " in capsys.readouterr().err
