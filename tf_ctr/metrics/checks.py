"""Checks of the arrays given to the exact metrics."""

import numpy as np

from tf_ctr.errors import explain


def checked(labels, scores):
    """Returns labels and scores as float64 `[N]`, or raises."""
    labels, scores = column("labels", labels), column("scores", scores)
    check_length("scores", scores, len(labels))
    if not len(labels):
        raise ValueError(explain("at least one row", "none", "check the row filter"))
    _check_values(
        labels, (labels == 0) | (labels == 1), "labels 0 or 1", "binarise the labels"
    )
    _check_values(
        scores, ~np.isnan(scores), "scores without NaN", "look at the training loss"
    )
    return labels, scores


def checked_probabilities(labels, scores):
    """Returns labels and click probabilities as float64 `[N]`, or raises."""
    labels, scores = checked(labels, scores)
    _check_values(
        scores,
        (scores >= 0) & (scores <= 1),
        "scores in [0, 1]",
        "pass probabilities, i.e. the sigmoid of the logits",
    )
    return labels, scores


def checked_weights(weights, rows):
    """Returns weights as float64 `[N]`, ones for None, or raises."""
    if weights is None:
        return np.ones(rows)
    weights = column("weights", weights)
    check_length("weights", weights, rows)
    _check_values(
        weights,
        (weights >= 0) & np.isfinite(weights),
        "finite weights, none negative",
        "use weight 0 to leave a row out",
    )
    return weights


def column(name, values):
    """Returns `values` as float64 `[N]`, or raises."""
    array = flat(name, values)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            explain(f"numbers as {name}", error, f"convert the {name} to floats")
        ) from error


def flat(name, values):
    """Returns `values` as an array `[N]`, or raises."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            explain(
                f"{name} of shape [N] or [N, 1]",
                f"shape {array.shape}",
                "pass one value per impression",
            )
        )
    return array


def check_length(name, array, rows):
    """Raises unless `array` has one value per row."""
    if len(array) != rows:
        raise ValueError(
            explain(
                f"as many {name} as labels",
                f"{len(array)} {name}, {rows} labels",
                "take both from the same rows",
            )
        )


def _check_values(array, valid, expected, fix):
    if not valid.all():
        row = int(np.argmin(valid))
        raise ValueError(explain(expected, f"{array[row]} in row {row}", fix))
