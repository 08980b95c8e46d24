"""Writes the table "which method when" of the docs, from committed results.

Run it after new results:

    python -m pipelines.which_method
"""

import argparse
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipelines.harness.results import ResultLines
from pipelines.harness.tables import table
from tf_ctr.files import replacing

ROOT = pathlib.Path(__file__).parent
PAGE = ROOT.parent / "docs" / "which_method.md"
START, END = "<!-- python -m pipelines.which_method -->", "<!-- end -->"
HEADER = ("your situation", "start here", "compared with", "AUC gained")

BySeed = Mapping[int, float]


class Evidence(NamedTuple):
    """A method against what a user would otherwise do, on one data set.

    Attributes:
        where: The data set.
        method: AUC of the method by seed.
        other: AUC of what it is compared with by seed.
    """

    where: str
    method: BySeed
    other: BySeed


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the table into the page, or says whether it is up to date."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.which_method", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether the page is up to date"
    )
    check = parser.parse_args(arguments).check
    old = PAGE.read_text()
    head, _, rest = old.partition(START)
    new = f"{head}{START}\n\n{situations()}\n\n{END}{rest.partition(END)[2]}"
    if new == old:
        print(f"{PAGE} is up to date")
    elif check:
        raise SystemExit(f"{PAGE} is out of date: run python -m pipelines.which_method")
    else:
        with replacing(PAGE) as partial:
            partial.write_text(new)
        print(f"wrote {PAGE}")


def situations() -> str:
    """Returns the table: a row per situation, a line in it per data set."""
    rows = []
    for situation, method, other, evidence in _situations():
        lines = [
            f"{where}: {difference(of_method, of_other)}"
            for where, of_method, of_other in evidence
        ]
        rows.append([situation, method, other, "<br>".join(lines)])
    return table(HEADER, rows)


def difference(method: BySeed, other: BySeed) -> str:
    """Returns the mean difference over seeds with its 95 % t-interval.

    Args:
        method: A metric by seed.
        other: The same of what it is compared with; only common seeds count.

    Example:

    >>> difference({0: 0.75, 1: 0.76, 2: 0.77}, {0: 0.74, 1: 0.75, 2: 0.75})
    '+0.0133 (-0.0010 to +0.0277), 3 seeds'
    """
    seeds = sorted(method.keys() & other.keys())
    gains = np.array([method[seed] - other[seed] for seed in seeds])
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    half = error * stats.t.ppf(0.975, len(gains) - 1)
    low, high = gains.mean() - half, gains.mean() + half
    return f"{gains.mean():+.4f} ({low:+.4f} to {high:+.4f}), {len(gains)} seeds"


def _situations():
    """Yields the situation, the method, what it is compared with, and the evidence."""
    pairs = ("movielens", "movielens_age", *(f"kuairand_tab{tab}" for tab in (4, 6, 0)))
    grown = ("kuairand_4", "kuairand_6", "kuairand_0", "synthetic")
    ads = ("kuairand_1_6", "kuairand_ads", "synthetic")
    target, tuned, routed = "target-target_only", "source-fine_tune", "source-autoft"
    return (
        (
            "two domains share users *and* items (or their features)",
            "`fine_tune`",
            "training on the target only",
            [_compared(pair, tuned, target) for pair in pairs],
        ),
        (
            "the same, and each instance may need other layers",
            "`fine_tune` first: `autoft` is level with it",
            "`fine_tune`",
            [_compared(pair, routed, tuned) for pair in pairs],
        ),
        (
            "two domains share only users",
            "the target only: transfer hurts (the gain is that of `fine_tune`)",
            "training on the target only",
            [_compared("amazon", tuned, target)],
        ),
        (
            "both logs grow every day",
            '`continual.run(method="ctnet")`',
            "the target's model, without transfer",
            [_by_period(name, "ctnet", "base") for name in grown],
        ),
        (
            "the same, and all target rows may be trained on again every day",
            "try `fine_tune` from the newest source as well",
            "`ctnet`",
            [_by_period(name, "ft_all", "ctnet") for name in grown],
        ),
        (
            "few ads beside many natural impressions",
            "`ecdctr`: CPM, then A-CTR",
            "ads only",
            [_by_level(name, "cpm_only", "ad_only") for name in ads],
        ),
        (
            "the same, with months of history",
            "nothing yet: TPM is not shown to pay",
            "CPM and A-CTR without TPM",
            [_by_level(name, "ecdctr", "cpm_only") for name in ads],
        ),
        (
            "a single domain, the AUC must rise",
            "tune the backbone: `apg` is not above it",
            "the tuned backbone",
            [_generated(name) for name in ("WDL", "DeepFM", "DCN", "FiBiNET")],
        ),
    )


def _compared(dataset, method, other):
    records = [
        record
        for name in ("movielens", "others", "kuairand", "amazon")
        for record in _lines("compare", f"compare_{name}")
        if record["kind"] == "run" and record["configuration"]["dataset"] == dataset
    ]
    return _evidence(dataset, records, method, other, lambda record: record["auc"])


def _by_period(name, method, other):
    def mean(record):
        return float(np.mean([period["auc"] for period in record["periods"]]))

    records = _lines("continual", f"continual_{name}")
    return _evidence(name, records, method, other, mean)


def _by_level(name, method, other):
    records = _lines("ecdctr", f"ecdctr_{name}")
    return _evidence(name, records, method, other, lambda r: r["metrics"]["auc"])


def _generated(backbone):
    records = _lines("apg", "apg")
    where = f"movielens, {backbone}"
    return _evidence(where, records, f"{backbone} + APG", backbone, lambda r: r["auc"])


@functools.cache  # Several situations read the same file.
def _lines(experiment, name):
    return ResultLines(ROOT / experiment / "results" / f"{name}.jsonl").records


def _evidence(
    where: str, records: list, method: str, other: str, auc: Callable
) -> Evidence:
    """Returns the AUC of two rows by seed; the last record of a seed counts."""
    of_row: dict[str, dict[int, float]] = {method: {}, other: {}}
    for record in records:
        if record["row"] in of_row:
            of_row[record["row"]][record["seed"]] = auc(record)
    return Evidence(where, of_row[method], of_row[other])


if __name__ == "__main__":
    main()
