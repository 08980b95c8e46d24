"""Bootstrap intervals between the rows of a comparison, from stored test scores."""

import numpy as np

from pipelines.statistics import Interval, bootstrap_auc_difference


def interval(labels, score_paths, baseline_paths):
    """Returns the bootstrap interval of the AUC difference of two rows.

    Args:
        labels: Labels of the test rows, `[N]`.
        score_paths: The `.npy` files of the row's scores, one per seed.
        baseline_paths: Those of the baseline, in the same order of seeds.

    Returns:
        `{difference, low, high}`, or `None` if a file is missing: results that were
        copied without their run folder keep the intervals that they have.
    """
    if not all(path.exists() for path in (*score_paths, *baseline_paths)):
        return None
    scores, baseline = (
        np.stack([np.load(path) for path in paths])
        for paths in (score_paths, baseline_paths)
    )
    return bootstrap_auc_difference(labels, scores, baseline)._asdict()


def seeds_interval(own, other):
    """Returns the interval of an AUC difference, averaged over seeds.

    If all seeds have the same test rows, they are drawn together; if each has rows of
    its own, the rows are independent.

    Args:
        own: `(labels [N], scores [N])` of a row, per seed.
        other: Those of the row that it is compared with; same seeds, same labels.

    Returns:
        A `pipelines.statistics.Interval`.
    """
    labels = [each[0] for each in own]
    if all(np.array_equal(labels[0], each) for each in labels):
        scores = (np.stack([each[1] for each in row]) for row in (own, other))
        return bootstrap_auc_difference(labels[0], *scores)
    parts = [
        bootstrap_auc_difference(label, one[1], two[1])
        for label, one, two in zip(labels, own, other, strict=True)
    ]
    difference = float(np.mean([part.difference for part in parts]))
    widths = [(part.high - part.low) / 2 for part in parts]
    margin = float(np.linalg.norm(widths) / len(parts))
    return Interval(difference, difference - margin, difference + margin)
