"""The gate: how good a version must be before a label moves to it."""

import os
from typing import NamedTuple

from tf_ctr.errors import explain
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
        auc_loss: AUC of the stable version less that of the candidate.
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
        ValueError: If the rows lack a field, the label, or one of the classes.
    """
    limits = Limits() if limits is None else limits
    schemas = [load_schema(version) for version in (candidate, stable) if version]
    fields = [field for schema in schemas for field in schema.fields]
    rows = in_memory(frame, fields, schemas[0].outcomes.columns)
    labels, weights = schemas[0].labels(rows), schemas[0].weights(rows)
    if weights is not None:
        check_some_weight(schemas[0].outcomes.weights[0], weights.max())
    if len(set(labels.tolist())) < 2:
        raise ValueError(
            explain(
                "rows with clicks and without, to measure AUC",
                f"{len(labels)} rows, all labelled {labels[:1]}",
                "give more rows, of the days after the training",
            )
        )
    against = candidate if stable is None else stable
    sizes = () if stable is None else BATCH_SIZES
    found = diff(against, candidate, rows, sizes, trust=trust)
    before, after = (exact_auc(labels, scores, weights) for scores in found.scores)
    least = 0.5 if stable is None else before - limits.auc_loss
    error = abs(calibration(labels, found.scores[1], weights) - 1)
    measures = [
        Measure("auc", after, least, after >= least),
        _at_most("calibration error", error, limits.calibration_error),
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


def _at_most(name, value, limit):
    return Measure(name, float(value), limit, bool(value <= limit))
