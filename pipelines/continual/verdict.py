"""Do the four shapes of the CTNet paper's results hold?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# `{row: {seed: periods}}`, as the results store the tests of the periods.
ByRow = Mapping[str, Mapping[int, Sequence[dict[str, Any]]]]

# A shape holds for a seed if its difference is above 0.
SHAPES = {
    "base over fine-tuning": "(i) Base above full fine-tuning on one increment",
    "ctnet over base": "(i) CTNet above Base",
    "once decays": "(ii) the gain of transfer once falls to half of it or less",
    "continual over once": "(ii) in the last period, continual above transfer once",
    "continual holds": "(ii) continual keeps half of its first gain to the last",
    "glu over linear": "(iii) GLU above the linear adapter",
    "new users": "(iv) the gain for new users above that for old ones",
    "new items": "(iv) the gain for new items above that for old ones",
}


def verdicts(by_row: ByRow, metric: str = "auc") -> dict[str, tuple[list[float], str]]:
    """Returns, for every shape whose rows were run, whether it holds.

    Args:
        by_row: `{row: {seed: periods}}`, periods as in the results.
        metric: `"auc"` or `"gauc"`.

    Returns:
        `{shape: (differences by seed, verdict)}`. A shape holds if the difference is
        above 0 with every seed, does not hold if with none, and is open otherwise.
    """
    found = {}
    for name, difference in _differences(by_row, metric):
        values = np.array(list(difference.values()), "float64")
        values = values[~np.isnan(values)]
        if len(values):
            found[name] = values.tolist(), _verdict(values)
    return found


def _verdict(values):
    seeds = f"{(values > 0).sum()} of {len(values)}"
    if (values > 0).all():
        return f"holds ({seeds})"
    if (values <= 0).all():
        return f"does not hold ({seeds})"
    return f"open: seeds disagree ({seeds})"


def _differences(by_row, metric):
    """Yields a shape's name and `{seed: its difference}`."""
    means = {
        row: {seed: mean(periods, metric) for seed, periods in seeds.items()}
        for row, seeds in by_row.items()
    }
    yield "base over fine-tuning", _minus(means, "base", "ft_last_1")
    yield "ctnet over base", _minus(means, "ctnet", "base")
    once, ctnet = (gains(by_row, row, metric) for row in ("ctnet_once", "ctnet"))
    both = sorted(once.keys() & ctnet.keys())
    # The last term: without a gain at first, it can neither decay nor be kept.
    fall = {s: min(once[s][0] / 2 - once[s][-1], once[s][0]) for s in both}
    yield "once decays", fall
    yield "continual over once", {s: ctnet[s][-1] - once[s][-1] for s in both}
    kept = {s: min(g[-1] - g[0] / 2, g[0]) for s, g in ctnet.items()}
    yield "continual holds", kept
    yield "glu over linear", _minus(means, "ctnet", "ctnet_linear")
    for position, name in enumerate(("new users", "new items")):
        parts = {
            part: slice_gains(by_row, "ctnet", position, part, metric)
            for part in ("new", "old")
        }
        yield name, _minus(parts, "new", "old")


def mean(periods: Sequence[Mapping[str, Any]], metric: str) -> float:
    """Returns the mean of a metric over the periods where it is defined."""
    values = [period.get(metric) for period in periods]
    values = [value for value in values if value is not None]
    return float(np.mean(values)) if values else float("nan")


def gains(by_row: ByRow, row: str, metric: str) -> dict[int, list[float]]:
    """Returns `{seed: gain over Base, period by period}`."""
    found = {}
    for seed in sorted(by_row.get(row, {}).keys() & by_row.get("base", {}).keys()):
        own, base = (
            {p["number"]: p.get(metric) for p in by_row[name][seed]}
            for name in (row, "base")
        )
        differences = [
            own[n] - base[n]
            for n in sorted(own.keys() & base.keys())
            if own[n] is not None and base[n] is not None
        ]
        if differences:
            found[seed] = differences
    return found


def slice_gains(
    by_row: ByRow, row: str, position: int, part: str, metric: str
) -> dict[int, float]:
    """Returns `{seed: mean gain over Base}` on a part of the rows.

    Args:
        by_row: As in `verdicts`.
        row: The row.
        position: Position of the column in the slices: 0 the user, 1 the item.
        part: `"new"` or `"old"`.
        metric: The metric.
    """
    sliced = {
        name: {
            seed: [
                {"number": period["number"], **_part(period, position, part)}
                for period in periods
            ]
            for seed, periods in by_row.get(name, {}).items()
        }
        for name in (row, "base")
    }
    return {
        seed: float(np.mean(values))
        for seed, values in gains(sliced, row, metric).items()
    }


def _part(period, position, part):
    return list(period["slices"].values())[position][part]


def _minus(by_name, one, other):
    """Returns `{seed: one minus other}` for the seeds that both have."""
    first, second = by_name.get(one, {}), by_name.get(other, {})
    common = sorted(first.keys() & second.keys())
    return {seed: first[seed] - second[seed] for seed in common}
