"""Bootstrap intervals between the rows of a comparison, from stored test scores."""

import numpy as np

from pipelines.statistics import bootstrap_auc_difference


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
