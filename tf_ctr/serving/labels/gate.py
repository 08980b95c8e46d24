"""The gate: how good a version must be before a label moves to it."""

import os
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_some_weight
from tf_ctr.features.reading import in_memory
from tf_ctr.metrics import calibration, exact_auc
from tf_ctr.rows import Source
from tf_ctr.serving.differences import diff
from tf_ctr.serving.version import load_schema

# Rows of the calls that are timed.
BATCH_SIZES = (1, 64)


class Limits(NamedTuple):
    """How much worse than the stable version a candidate may be.

    Attributes:
        auc_loss: AUC of the stable version less that of the candidate, of each label.
        calibration_error: Distance of predicted over observed clicks from 1.
        latency_ratio: Median latency over that of the stable version. The stable
            version is timed twice; its ratio to itself must stay within the limit too.
        size_ratio: Served bytes over those of the stable version.
    """

    auc_loss: float = 0.001
    calibration_error: float = 0.1
    latency_ratio: float = 1.25
    size_ratio: float = 1.5


class Measure(NamedTuple):
    """One measure of the gate.

    Attributes:
        name: What is measured.
        value: The candidate's.
        limit: The largest value that passes; for `auc`, the smallest.
        passed: Whether the value is within the limit; NaN never is.
    """

    name: str
    value: float
    limit: float
    passed: bool

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "FAILED"
        return f"{verdict:7}{self.name}: {self.value:.4f}, limit {self.limit:.4f}"


def measure(
    candidate: str | os.PathLike,
    stable: str | os.PathLike | None,
    frame: Source,
    limits: Limits | None = None,
    trust: bool = False,
) -> list[Measure]:
    """Returns the measures of a candidate on labelled rows, weighted by its schema.

    Args:
        candidate: A version directory.
        stable: The directory of the stable version. For `None`, AUC is compared with
            0.5, and latency and size are not measured.
        frame: Raw rows with the label: a pandas frame, a path, or rows of any kind that
            `tf_ctr.data.rows` opens.
        limits: The limits; the defaults of `Limits` for `None`.
        trust: Run the versions whatever their operations do, as for `diff`.

    Raises:
        ValueError: If the rows lack a field, a label, or one of its classes.
    """
    limits = Limits() if limits is None else limits
    schemas = [load_schema(version) for version in (candidate, stable) if version]
    fields = [field for schema in schemas for field in schema.fields]
    rows = in_memory(frame, fields, schemas[0].outcomes.columns)
    known = _known(rows, schemas[0])
    against = candidate if stable is None else stable
    sizes = () if stable is None else BATCH_SIZES
    found = diff(against, candidate, rows, sizes, trust=trust)
    measures = []
    for label, (is_known, labels, weights) in known.items():
        scores = [each[is_known] for each in found.of_label(label)]
        before, after = (exact_auc(labels, each, weights) for each in scores)
        least = 0.5 if stable is None else before - limits.auc_loss
        error = abs(calibration(labels, scores[1], weights) - 1)
        prefix = f"{label} " if len(known) > 1 else ""
        measures += [
            Measure(f"{prefix}auc", after, least, after >= least),
            _at_most(f"{prefix}calibration error", error, limits.calibration_error),
        ]
    if stable is not None:
        ratio = found.bytes[1] / found.bytes[0]
        measures.append(_at_most("size ratio", ratio, limits.size_ratio))
    for size, latency in found.latency.items():
        # On a machine too noisy to compare, a slow version must not pass.
        noise = max(latency.noise, 1 / latency.noise)
        for kind, value in (("ratio", latency.ratio), ("noise", noise)):
            name = f"latency {kind} at batch {size}"
            measures.append(_at_most(name, value, limits.latency_ratio))
    return measures


def _known(rows: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Returns `{label: which rows have it, labels, weights}` of the rows that have it.

    Raises:
        ValueError: If a label has one class, or only weights of 0.
    """
    read, found = schema.outcomes.read(rows), {}
    for label in schema.label_names:
        is_known = ~np.isnan(read[label])
        labels, weights = read[label][is_known], None
        if (column := schema.outcomes.weight_of(label)) is not None:
            weights = read[column][is_known]
            check_some_weight(column, weights.max(initial=0))
        if len(set(labels.tolist())) < 2:
            raise ValueError(
                explain(
                    "rows with clicks and without, to measure AUC"
                    + (f", for {label!r}" if schema.outcomes.several else ""),
                    f"{len(labels)} rows, all labelled {labels[:1]}",
                    "give more rows, of the days after the training",
                )
            )
        found[label] = is_known, labels, weights
    return found


def _at_most(name, value, limit):
    return Measure(name, float(value), limit, bool(value <= limit))
