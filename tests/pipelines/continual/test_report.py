"""Tables, figures and verdicts of continual transfer, from made-up results."""

import pathlib

import numpy as np
import pytest

from pipelines import continual as experiment
from pipelines.continual.report import figures, sections
from pipelines.continual.rows import ROWS, TABLES
from pipelines.continual.verdict import SHAPES, gains, verdicts
from pipelines.harness import tables
from pipelines.harness.results import ResultLines

FILES = sorted((pathlib.Path(experiment.__file__).parent / "results").glob("*.jsonl"))
TITLES = {name: row.title for name, row in ROWS.items()}


def report(records):
    return tables.report(sections(records, TABLES, TITLES))


def periods(aucs, new=0.0, gauc=0.0):
    """The tests of periods 2, 3, ...; new users and items differ by `new`."""
    return [
        {
            "number": 2 + i,
            "name": f"days {i}",
            "rows": 100,
            "auc": auc,
            "gauc": auc + gauc,
            "log_loss": 0.5,
            "undefined": [],
            "slices": {
                column: {
                    "new": {"rows": 30, "auc": auc + new, "gauc": auc},
                    "old": {"rows": 70, "auc": auc, "gauc": auc},
                }
                for column in ("user_id", "item_id")
            },
        }
        for i, auc in enumerate(aucs)
    ]


AUCS = {
    "base": [0.70, 0.70, 0.70],
    "ft_last_1": [0.68, 0.69, 0.68],
    "ctnet": [0.74, 0.74, 0.74],
    "ctnet_linear": [0.73, 0.74, 0.74],
    "ctnet_once": [0.74, 0.73, 0.71],
}


@pytest.fixture
def records():
    """Two seeds; the second is better by 0.01, or by 0.02 in the linear row."""
    return [
        {
            "row": row,
            "seed": seed,
            "periods": periods(
                np.add(aucs, 0.02 * seed if row == "ctnet_linear" else 0.01 * seed),
                new=0.02 if row == "ctnet" else 0.0,
            ),
        }
        for row, aucs in AUCS.items()
        for seed in (0, 1)
    ]


def by_row(records):
    found = {}
    for record in records:
        found.setdefault(record["row"], {})[record["seed"]] = record["periods"]
    return found


def test_a_shape_holds_only_if_it_holds_with_every_seed(records):
    found = verdicts(by_row(records))
    assert set(found) == set(SHAPES)
    kinds = {name: verdict for name, (_, verdict) in found.items()}
    assert kinds.pop("glu over linear") == "open: seeds disagree (1 of 2)"
    assert set(kinds.values()) == {"holds (2 of 2)"}
    assert found["once decays"][0] == pytest.approx([0.01, 0.01])
    assert found["continual over once"][0] == pytest.approx([0.03, 0.03])
    assert found["new users"][0] == pytest.approx([0.02, 0.02])
    assert found["base over fine-tuning"][0] == pytest.approx([1 / 60, 1 / 60])


def test_a_shape_that_holds_with_no_seed_is_rejected(records):
    swapped = {"base": "ctnet", "ctnet": "base"}
    rows = [{**r, "row": swapped.get(r["row"], r["row"])} for r in records]
    found = verdicts(by_row(rows))
    assert found["ctnet over base"][1] == "does not hold (0 of 2)"
    # Without a first gain there is nothing to keep or to lose.
    assert found["continual holds"][1] == "does not hold (0 of 2)"
    assert found["once decays"][1] == "does not hold (0 of 2)"


def test_a_seed_without_a_first_gain_counts(records):
    for record in records:
        if (record["row"], record["seed"]) == ("ctnet", 1):
            record["periods"] = periods([0.70, 0.74, 0.74])
    found = verdicts(by_row(records))
    assert found["continual holds"][1] == "open: seeds disagree (1 of 2)"


def test_only_shapes_whose_rows_were_run_are_judged(records):
    rows = [r for r in records if r["row"] in ("base", "ctnet")]
    found = verdicts(by_row(rows))
    assert set(found) == {
        "ctnet over base",
        "continual holds",
        "new users",
        "new items",
    }


def test_undefined_metrics_are_left_out(records):
    rows = by_row(records)
    rows["ctnet"][0][1]["auc"] = None
    assert gains(rows, "ctnet", "auc")[0] == pytest.approx([0.04, 0.04])
    for period in rows["ctnet"][1]:
        period["auc"] = None
    assert list(gains(rows, "ctnet", "auc")) == [0]


def test_the_tables_have_means_gains_and_spreads(records):
    text = report(records)
    assert all(f"### Table {number}" in text for number in "2345")
    base, *_ = (line for line in text.splitlines() if line.startswith("| Base"))
    assert base == (
        "| Base (without transfer) | 0.7050 ± 0.0071 | 0.7050 ± 0.0071 | "
        "0.5000 ± 0.0000 | 2 |  |  |  |"
    )
    ctnet = next(line for line in text.splitlines() if line.startswith("| CTNet |"))
    assert "+0.0400 ± 0.0000 | +0.0400 ± 0.0000 |" in ctnet
    once = [
        line for line in text.splitlines() if line.startswith("| CTNet (transfer once)")
    ]
    assert once[0].endswith(
        "| +0.0400 ± 0.0000 | +0.0300 ± 0.0000 | +0.0100 ± 0.0000 |"
    )
    new = next(line for line in text.splitlines() if line.startswith("| New users"))
    assert new.startswith("| New users | 90 | +0.0600")
    assert "| holds (2 of 2) |" in text.split("### The four shapes")[1]


def test_a_single_seed_has_no_spread_and_no_records_give_no_table(records):
    first = [record for record in records if record["seed"] == 0]
    assert "±" not in report(first)
    assert report([]) == "No run is finished."


def test_figures_are_written(records, tmp_path):
    written = figures(records, TITLES, tmp_path)
    assert [path.name for path in written] == [
        "auc_by_period.png",
        "gain_by_period.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert figures([], TITLES, tmp_path) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_committed_reports_follow_from_the_committed_results(path):
    text = report(ResultLines(path).records)
    assert path.with_suffix(".md").read_text() == text + "\n"
