"""Converts and checks the arrays given to the exact metrics."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from tf_ctr.errors import explain

# Rows of which float64 copies are made at a time.
BLOCK = 1 << 20


def labels_and_scores(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and scores as float64 `[B]`.

    Raises:
        ValueError: For different lengths, no row, a label that is not 0 or 1, or a
            NaN score.
        TypeError: For values that are not numbers.
    """
    labels, scores = numbers("labels", labels), numbers("scores", scores)
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


def labels_and_ranks(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels as booleans, and scores as float32 or float64, `[B]`.

    Unlike `labels_and_scores`, it makes no float64 of what is float32: equal scores
    stay equal, and their order is the same.

    Raises:
        ValueError: As `labels_and_scores`.
        TypeError: As `labels_and_scores`.
    """
    given = [flat(*each) for each in (("labels", labels), ("scores", scores))]
    # Numbers of other types go the long way, and so do those that it refuses.
    plain = all(each.dtype.kind in "bif" for each in given) and len(given[0])
    if not plain or len(given[0]) != len(given[1]):
        given = list(labels_and_scores(labels, scores))
    found, ranks = given
    clicked = found == 1
    if not (clicked | (found == 0)).all() or np.isnan(ranks).any():
        labels_and_scores(found, ranks)
    return clicked, ranks if ranks.dtype == np.float32 else ranks.astype(np.float64)


def labels_and_rates(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels as booleans, and probabilities as float32 or float64, `[B]`.

    Raises:
        ValueError: As `labels_and_probabilities`.
        TypeError: As `labels_and_scores`.
    """
    clicked, rates = labels_and_ranks(labels, scores)
    if rates.min() < 0 or rates.max() > 1:
        labels_and_probabilities(clicked, rates)
    return clicked, rates


def blocks(rows: int, start: int = 0) -> Iterator[slice]:
    """Yields slices of `BLOCK` rows, from `start` to the last one."""
    for first in range(start, rows, BLOCK):
        yield slice(first, first + BLOCK)


def labels_and_probabilities(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and click probabilities as float64 `[B]`.

    Raises:
        ValueError: As `labels_and_scores`, and for a score outside [0, 1].
        TypeError: As `labels_and_scores`.
    """
    labels, scores = labels_and_scores(labels, scores)
    _check_values(
        scores,
        (scores >= 0) & (scores <= 1),
        "scores in [0, 1]",
        "pass probabilities, i.e. the sigmoid of the logits",
    )
    return labels, scores


def row_weights(weights: ArrayLike | None, rows: int) -> np.ndarray:
    """Returns weights as float64 `[B]`; ones for `None`.

    Raises:
        ValueError: If the number of weights is not that of rows, or a weight is
            negative or not finite.
        TypeError: For values that are not numbers.
    """
    if weights is None:
        return np.ones(rows)
    weights = numbers("weights", weights)
    check_length("weights", weights, rows)
    _check_values(
        weights,
        (weights >= 0) & np.isfinite(weights),
        "finite weights, none negative",
        "use weight 0 to leave a row out",
    )
    return weights


def numbers(name: str, values: ArrayLike) -> np.ndarray:
    """Returns `values` as float64 `[B]`; raises `TypeError` if they are not numbers."""
    array = flat(name, values)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            explain(f"numbers as {name}", error, f"convert the {name} to floats")
        ) from error


def flat(name: str, values: ArrayLike) -> np.ndarray:
    """Returns `values`, `[B]` or `[B, 1]`, as an array `[B]`."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            explain(
                f"{name} of shape [B] or [B, 1]",
                f"shape {array.shape}",
                "pass one value per impression",
            )
        )
    return array


def check_length(name: str, array: np.ndarray, rows: int) -> None:
    """Raises `ValueError` unless `array` has one value per row."""
    if len(array) != rows:
        raise ValueError(
            explain(
                f"as many {name} as labels",
                f"{len(array)} {name}, {rows} labels",
                "take both from the same rows",
            )
        )


def _check_values(
    array: np.ndarray, valid: np.ndarray, expected: str, fix: str
) -> None:
    if not valid.all():
        row = int(np.argmin(valid))
        raise ValueError(explain(expected, f"{array[row]} in row {row}", fix))
