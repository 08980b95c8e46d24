"""Which parts of E-CDCTR pay: differences of rows that differ in one part."""

import functools

import numpy as np
import pandas as pd

from pipelines.ecdctr_scores import groups
from pipelines.harness.statistics import paired_tests, seeds_interval
from pipelines.harness.tables import heading, line, spread

# What pays if the first row is better than the second.
PARTS = {
    "all of it": ("ecdctr", "ad_only"),
    "CPM": ("ecdctr", "tpm_only"),
    "TPM": ("ecdctr", "cpm_only"),
    "TPM without CPM": ("tpm_only", "ad_only"),
    "BatchNorm anew, not kept": ("ecdctr", "bn_kept"),
    "gamma and beta anew": ("ecdctr", "bn_statistics"),
    "3 snapshots, not 1": ("ecdctr", "snapshots_1"),
    "self-attention, not mean": ("ecdctr", "mean"),
    "starting again with a new CPM": ("ecdctr", "never"),
    "a month of CPM, not a week": ("ecdctr", "cpm_once"),
    "BatchNorm": ("ecdctr", "no_batch_norm"),
    "E-CDCTR, not CTNet": ("ecdctr", "ctnet"),
}


def part_intervals(records, score_file, month_days):
    """Returns the intervals of the AUC of the parts whose scores are there.

    Args:
        records: The results of one configuration.
        score_file: From a seed and a row to the file of its scores.
        month_days: As of `pipelines.ecdctr_scores.groups`.

    Returns:
        `{group: {part: Interval}}`, of `"all"` lines and of those of every group; a
        part is left out of a group that has a single class with one of the seeds.
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


def what_pays(by_row, intervals):
    """Returns the differences of the rows that differ in one part.

    A part pays, or costs, if the AUC says so with every seed and the interval over
    test rows leaves out 0; without scores there is no interval, and no verdict.

    Args:
        by_row: `{row: {seed: metrics}}`.
        intervals: What `part_intervals` returns.
    """
    own_of, of_absent = (intervals.get(group, {}) for group in ("all", "absent"))
    head = ["part", "AUC", "95 % interval (test rows)", "p (seeds)", "GAUC"]
    head += ["AUC of absent users", "95 % interval", "verdict"]
    lines = heading(head)
    for part, pair in PARTS.items():
        own, other = (by_row.get(row, {}) for row in pair)
        if not own.keys() & other.keys():
            continue
        gains = differences(own, other, "auc")
        auc, gauc, absent = (
            spread(each, "+.4f")
            for each in (
                gains,
                differences(own, other, "gauc"),
                differences(own, other, "absent", "auc"),
            )
        )
        interval = own_of.get(part)
        of_them = ends(of_absent.get(part))
        verdict = _verdict(gains, interval)
        cells = [part, auc, ends(interval), _p(own, other), gauc, absent, of_them]
        lines.append(line([*cells, verdict]))
    return "\n".join(lines)


def ends(interval):
    """Returns an interval in words; nothing if there is none."""
    return "" if interval is None else f"{interval.low:+.4f} to {interval.high:+.4f}"


def differences(own, other, *path) -> list:
    """Returns what one row has more than another of a metric, with every common seed.

    Args:
        own: `{seed: metrics}` of the row.
        other: Likewise of the other one.
        *path: Where the metric is in them; NaN if one has it not.
    """
    common = sorted(own.keys() & other.keys())
    return [_less(own[seed], other[seed], *path) for seed in common]


def _less(own, other, *path):
    for name in path:
        own, other = (each and each.get(name) for each in (own, other))
    return np.nan if None in (own, other) else own - other


def _p(own, other):
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
