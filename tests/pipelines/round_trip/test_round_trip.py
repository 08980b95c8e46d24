"""Odd and wrong requests by hand, and the whole round trip at toy size."""

import functools
import json

import numpy as np
import pandas as pd
import pytest

from pipelines.benchmarks import serving
from pipelines.round_trip import __main__ as round_trip
from pipelines.round_trip.odd_requests import odd_rows, refusals, wrong_requests
from tests.support.frames import click_frame
from tests.support.small_worlds import five_fields
from tf_ctr import Categorical, Numeric, Schema
from tf_ctr.datasets import synthetic
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.version import load_schema

REQUESTS = {
    "integers as float64",
    "integers as text",
    "text as float64",
    "numbers as float64",
    "numbers as text",
    "one dimension more",
    "an input left out",
    "an unknown input",
}


def test_an_odd_row_differs_from_its_row_in_one_value():
    fields = [
        Categorical("user"),
        Categorical("item", dtype="int64"),
        Categorical("tags", multivalent=True, max_length=2),
        Numeric("price"),
    ]
    row = {"user": "ann", "item": 5, "tags": ["a"], "price": 1.0, "click": 1}
    odd = odd_rows(Schema(fields), row)
    assert list(odd.columns) == ["user", "item", "tags", "price"]
    assert odd["user"][:4].tolist() == [None, "", "no such value", "x" * 1000]
    assert odd["item"][4:8].tolist() == [None, -1, -(2**63), 2**63 - 1]
    assert odd["tags"][8] == [] and len(odd["tags"][10]) == 1000
    assert np.isinf(odd["price"][13]) and odd["price"][14] == -1e30
    plain = {name: row[name] for name in odd.columns}
    changed = [sum(r[n] is not plain[n] for n in plain) for r in odd.to_dict("records")]
    assert changed == [1] * 15 + [4]
    assert odd.iloc[-1].tolist() == [None, None, [], None]


def test_every_wrong_request_is_wrong_in_one_way():
    tensors = {"user": np.array([b"ann"], object), "item": np.array([3])}
    found = wrong_requests(tensors)
    assert found["text as float64"]["user"].dtype == "float64"
    assert found["integers as text"]["item"].tolist() == [b"1"]
    assert found["one dimension more"]["user"].shape == (1, 1)
    assert set(found["an input left out"]) == {"item"}
    assert set(found["an unknown input"]) == {"user", "item", "no_such_input"}
    assert tensors["item"].tolist() == [3]


def test_wrong_requests_are_refused_and_right_ones_scored(exported_clicks, monkeypatch):
    _, version = exported_clicks
    columns = raw_columns(load_schema(version), click_frame(3))
    ways = ("v1 session",)
    answers = refusals(version, columns, ways)
    assert set(answers.index) == REQUESTS
    assert not (answers == "scored").any(axis=None)
    monkeypatch.setattr(
        "pipelines.round_trip.odd_requests.wrong_requests", lambda t: {"right": t}
    )
    assert refusals(version, columns, ways).loc["right"].tolist() == ["scored"]


def test_finished_variants_are_skipped(tmp_path, capsys, monkeypatch):
    rows = {"source_rows": 600, "target_rows": 300, "num_users": 20, "num_items": 15}
    small = functools.partial(five_fields, **rows)
    monkeypatch.setattr(synthetic, "generate", small)
    monkeypatch.setattr(round_trip, "VARIANTS", {"apg": round_trip.VARIANTS["apg"]})
    # The other ways start processes, and have tests of their own.
    for name, options in {
        "compare_ways": {"ways": ("reloaded .keras", "this process")},
        "refusals": {"ways": ("this process",)},
        "export": {"fresh_process": False, "batch_sizes": None},
    }.items():
        quick = functools.partial(getattr(round_trip, name), **options)
        monkeypatch.setattr(round_trip, name, quick)
    command = ["--dataset", "synthetic", "--run-dir", str(tmp_path), "--rows", "5"]
    command += ["--embedding-dim", "2", "--hidden-units", "6", "5"]
    command += ["--num-cross-layers", "1", "--epochs", "1", "--batch-size", "200"]
    round_trip.main(command)
    first = capsys.readouterr().out
    (line,) = (tmp_path / "results.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["variant"] == "apg" and record["odd_count"] > 10
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) > 5
    assert set(record["rows"]) == {"reloaded .keras", "this process"}
    assert max([*record["rows"].values(), *record["odd_rows"].values()]) <= 1e-6
    monkeypatch.setattr(round_trip, "compare", None)
    round_trip.main(command)
    assert capsys.readouterr().out.strip() == first[first.index("| model") :].strip()
    with pytest.raises(ValueError, match="or another --run-dir"):
        round_trip.main([*command, "--embedding-dim", "3"])


def test_the_table_counts_what_was_refused():
    record = {
        "variant": "dcn",
        "rows": {"C++ loader": 1e-7},
        "odd_rows": {"C++ loader": 0.0, "v1 session": 2e-7},
        "odd_count": 9,
        "requests": {
            "text as float64": {"C++ loader": "RuntimeError", "v1 session": "scored"}
        },
    }
    row = round_trip.table(pd.DataFrame([record])).loc["dcn"]
    assert row.to_dict() == {
        "C++ loader": "1.0e-07",
        "9 odd rows": "2.0e-07",
        "wrong requests refused": "1 of 2",
    }


def test_versions_are_timed_against_the_first(exported_rates, capsys, tmp_path):
    path = tmp_path / "costs.csv"
    versions = [str(exported_rates / "1"), str(exported_rates / "2")]
    sizes = ["--batch-sizes", "1", "3", "--rounds", "2", "--csv", str(path)]
    serving.main([*versions, *sizes])
    printed = capsys.readouterr().out
    table = pd.read_csv(path, index_col="version")
    names = [f"{exported_rates.name}/{number}" for number in (1, 2)]
    assert list(table.index) == [*names, f"{names[0]} again"]
    assert table.loc[names[0], ["ratio at 1", "ratio at 3"]].tolist() == [1, 1]
    assert table["MB"].notna().tolist() == [True, True, False]
    assert table["ids"].iloc[:2].tolist() == [4, 4]
    first = table.iloc[0]
    assert first["bytes per id"] == pytest.approx(1e6 * first["MB in memory"] / 4)
    assert first["us per id"] == pytest.approx(1e6 * first["s to load"] / 4)
    assert names[1] in printed


@pytest.mark.parametrize("argument", ["--rounds=0", "--batch-sizes=0"])
def test_sizes_below_one_are_refused(argument, capsys):
    with pytest.raises(SystemExit):
        serving.parse(["version", argument])
    assert "is not in [1" in capsys.readouterr().err
