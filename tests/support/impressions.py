"""Labels, scores and groups of impressions, for the tests of metrics."""

import numpy as np

# Two groups of both classes (AUC 1 of 2 rows, 1/2 of 3 rows), one of clicks only.
LABELS = [0, 1, 1, 0, 0, 1]
SCORES = [0.1, 0.2, 0.5, 0.6, 0.4, 0.9]
GROUPS = [0, 0, 1, 1, 1, 2]


def impressions(rows=2000, click_rate=0.3, ties=False, seed=0):
    """Random labels whose chance rises with the score, and weights."""
    rng = np.random.default_rng(seed)
    logits = np.log(click_rate / (1 - click_rate)) + rng.normal(size=rows)
    scores = 1 / (1 + np.exp(-logits))
    labels = (rng.random(rows) < scores).astype("float32")
    scores = scores.round(1) if ties else scores
    return labels, scores, rng.uniform(0, 3, rows)
