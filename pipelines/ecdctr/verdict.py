"""Which parts of E-CDCTR pay: rows that differ in one part, with an interval each."""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipelines.ecdctr.absence import groups
from pipelines.harness.statistics import Interval, paired_tests, seeds_interval
from pipelines.harness.tables import mean_and_spread, table

# A part pays if the first row is better than the second.
PARTS = {
    "all of it": ("ecdctr", "ad_only"),
    "CPM": ("ecdctr", "tpm_only"),
    "TPM": ("ecdctr", "cpm_only"),
    "TPM without CPM": ("tpm_only", "ad_only"),
    "BatchNorm reset, not kept": ("ecdctr", "bn_kept"),
    "gamma and beta reset": ("ecdctr", "bn_statistics"),
    "3 snapshots, not 1": ("ecdctr", "snapshots_1"),
    "self-attention, not mean": ("ecdctr", "mean"),
    "restarting with a new CPM": ("ecdctr", "never"),
    "a month of CPM, not a week": ("ecdctr", "cpm_once"),
    "BatchNorm": ("ecdctr", "no_batch_norm"),
    "E-CDCTR, not CTNet": ("ecdctr", "ctnet"),
}

# `{seed: metrics}` of a row, and `{group: {part: interval}}`.
Seeds = Mapping[int, Mapping[str, Any]]
Intervals = Mapping[str, Mapping[str, Interval]]


def part_intervals(
    records: Sequence[Mapping[str, Any]],
    score_file: Callable[[int, str], pathlib.Path],
    month_days: int,
) -> dict[str, dict[str, Interval]]:
    """Returns the intervals of the AUC difference, for parts whose scores are on disk.

    Args:
        records: The results of one configuration.
        score_file: From a seed and a row to the file of its scores.
        month_days: As in `pipelines.ecdctr.absence.groups`.

    Returns:
        `{group: {part: Interval}}`, for `"all"` lines and for those of every group. A
        group has no interval of a part if one of the seeds has a single class in it.
    """
    seeds, found = {}, {}
    read = functools.cache(functools.partial(_by_group, month_days=month_days))
    for record in records:
        seeds.setdefault(record["row"], set()).add(record["seed"])
    for part, pair in PARTS.items():
        common = sorted(set.intersection(*(seeds.get(row, set()) for row in pair)))
        files = [[score_file(seed, row) for seed in common] for row in pair]
        if common and all(path.exists() for paths in files for path in paths):
            rows = [[read(path) for path in paths] for paths in files]
            for group in rows[0][0]:
                own, other = ([seed[group] for seed in row] for row in rows)
                if all(len(np.unique(labels)) == 2 for labels, _ in own):
                    found.setdefault(group, {})[part] = seeds_interval(own, other)
    return found


def _by_group(path, month_days):
    lines = pd.read_parquet(path)
    labels, scores = lines["label"].to_numpy(), lines["score"].to_numpy()
    chosen = {"all": slice(None), **groups(lines, month_days)}
    return {group: (labels[at], scores[at]) for group, at in chosen.items()}


def what_pays(by_row: Mapping[str, Seeds], intervals: Intervals) -> str:
    """Returns a table of the rows that differ in one part.

    A part pays, or costs, if the AUC says so with every seed and the interval over
    test rows excludes 0. Without scores there is no interval, and no verdict.

    Args:
        by_row: `{row: {seed: metrics}}`.
        intervals: What `part_intervals` returns.
    """
    of_all, of_absent = (intervals.get(group, {}) for group in ("all", "absent"))
    head = ["part", "AUC", "95 % interval (test rows)", "p (seeds)", "GAUC"]
    head += ["AUC of absent users", "95 % interval", "verdict"]
    rows = []
    for part, pair in PARTS.items():
        own, other = (by_row.get(row, {}) for row in pair)
        if not own.keys() & other.keys():
            continue
        gains = differences(own, other, "auc")
        auc, gauc, absent = (
            mean_and_spread(each, "+.4f")
            for each in (
                gains,
                differences(own, other, "gauc"),
                differences(own, other, "absent", "auc"),
            )
        )
        interval = of_all.get(part)
        cells = [part, auc, ends(interval), _p_value(own, other), gauc, absent]
        rows.append([*cells, ends(of_absent.get(part)), _verdict(gains, interval)])
    return table(head, rows)


def ends(interval: Interval | None) -> str:
    """Returns both ends of an interval as a cell; empty if there is none."""
    return "" if interval is None else f"{interval.low:+.4f} to {interval.high:+.4f}"


def differences(own: Seeds, other: Seeds, *path: str) -> list[float]:
    """Returns a row's metric minus that of another row, for every common seed.

    Args:
        own: `{seed: metrics}` of the row.
        other: `{seed: metrics}` of the other row.
        *path: Where the metric is in `metrics`; the result is NaN if it is missing.
    """

    def metric(row, seed):
        found = row[seed]
        for name in path:
            found = found and found.get(name)
        return np.nan if found is None else found

    common = sorted(own.keys() & other.keys())
    return [metric(own, seed) - metric(other, seed) for seed in common]


def _p_value(own, other):
    common = sorted(own.keys() & other.keys())
    values = [[row[seed]["auc"] for seed in common] for row in (own, other)]
    if len(common) < 2 or any(None in row for row in values):
        return ""
    return f"{paired_tests(*values).t_test:.3f}"


def _verdict(gains, interval):
    values = np.array(gains, "float64")
    if np.isnan(values).any():
        return "undefined"
    if len(values) == 1:
        return "open: one seed"
    if interval is None:
        return "open: no scores"
    if (values > 0).all() and interval.low > 0:
        return "pays"
    return "costs" if (values < 0).all() and interval.high < 0 else "open"
