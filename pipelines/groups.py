"""AUC where the training rows know much or little of a user or an item."""

import numpy as np
import pandas as pd

from tf_ctr.metrics import exact_auc


def auc_by_frequency(labels, scores, values, known, groups=10, by_rows=False):
    """Returns the AUC of rows grouped by how often their value was seen in training.

    Args:
        labels: 0 and 1, `[n]`.
        scores: Click probabilities, `[n]`.
        values: The value of each row, e.g. its user, `[n]`.
        known: The same column of the training rows.
        groups: Number of groups; the distinct values of `values` are ranked by their
            frequency in `known` and cut into groups of equal size. Group 0 is the
            rarest.
        by_rows: Whether groups are of (about) equal size in rows, instead of in
            distinct values; a value that fills several groups leaves some out.

    Returns:
        Frame indexed by group: `rows`, `least` and `most` (frequencies in training),
        `auc` (NaN for rows of one class).
    """
    values = pd.Series(np.asarray(values))
    distinct = values.drop_duplicates()
    counts = pd.Series(np.asarray(known)).value_counts()
    seen = distinct.map(counts).fillna(0).astype("int64")
    order = np.argsort(seen.to_numpy(), kind="stable")
    sizes = values.value_counts()[distinct].to_numpy() if by_rows else [1] * len(order)
    sizes = np.asarray(sizes)[order]
    place = (np.cumsum(sizes) - sizes) * groups // sizes.sum()
    group = pd.Series(place, index=distinct.to_numpy()[order])
    row_group = values.map(group)
    frame = pd.DataFrame(
        {"label": np.asarray(labels), "score": np.asarray(scores), "group": row_group}
    )
    frame["seen"] = values.map(pd.Series(seen.to_numpy(), index=distinct))
    return frame.groupby("group").apply(_one_group, include_groups=False)


def _one_group(rows):
    return pd.Series(
        {
            "rows": len(rows),
            "least": rows["seen"].min(),
            "most": rows["seen"].max(),
            "auc": exact_auc(rows["label"].to_numpy(), rows["score"].to_numpy()),
        }
    )
