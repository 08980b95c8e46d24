"""Promotion: a label moves to a version that passes the gate, and back."""

import os
import pathlib
from typing import NamedTuple

import pandas as pd

from tf_ctr.errors import check_count, explain
from tf_ctr.serving.labels.gate import Limits, Measure, measure
from tf_ctr.serving.labels.history import FILE as HISTORY_FILE
from tf_ctr.serving.labels.history import read_history, record, version_before
from tf_ctr.serving.labels.models_config import STABLE, check_label, read_labels
from tf_ctr.serving.labels.moves import move, remove_old
from tf_ctr.serving.labels.versions import check_directory, locked, version_numbers
from tf_ctr.serving.rules.conformance import require_conformant


class Promotion(NamedTuple):
    """The result of `promote` and `rollback`.

    Attributes:
        label: The label that was asked for.
        before: The version that had it; `None` if there was none.
        after: The version that was to get it, and has it now if `moved`.
        measures: The measures of the gate; none for a rollback.
        moved: Whether the label moved: all measures passed.
        removed: The versions that were removed from the disk.
    """

    label: str
    before: int | None
    after: int
    measures: list[Measure]
    moved: bool
    removed: list[int]

    def __str__(self) -> str:
        lines = [str(each) for each in self.measures]
        if self.moved:
            lines.append(f"{self.label}: {self.before} -> {self.after}")
        else:
            lines.append(f"{self.label} stays at {self.before}")
        if self.removed:
            lines.append(f"removed from the disk: {self.removed}")
        return "\n".join(lines)


def promote(
    directory: str | os.PathLike,
    frame: pd.DataFrame,
    version: int | None = None,
    label: str = STABLE,
    limits: Limits | None = None,
    keep: int | None = None,
) -> Promotion:
    """Moves a label to a version that passes the gate.

    The version must follow the rules of the server (`rules.check`), then be good
    enough on the rows, compared with the stable version (`gate.measure`). The version
    that was stable before is still served, as `previous`, so that `rollback` works at
    once.

    The server loads a version that it did not serve before when it next polls the file.
    To have a version loaded before it becomes stable, make it the canary first.

    `models.config` is replaced in one step; if anything raises, or the gate fails, all
    files stay as they were. `promotions.json` beside it records each decision with its
    measures. Others may export and promote at the same time: a label that moved while
    the gate was measured is an error. Old versions are removed last.

    Args:
        directory: The directory of the versions, e.g. `"savedmodels/dcn"`.
        frame: Raw rows with the label, which no version was trained on.
        version: The version; the newest for `None`.
        label: The label to move.
        limits: The limits of the gate; the defaults of `Limits` for `None`.
        keep: How many versions that are or were stable stay on the disk, including the
            new one. Others below it without a label are removed. `None` removes
            nothing.

    Raises:
        ValueError: If there is no such version, it is damaged or breaks a rule, has the
            label already, or the rows do not fit it; for a `keep` below 1; or for
            a label that no request can name, or that is `"previous"`.
        RuntimeError: If the label, or `stable`, moved in the meantime.
        TimeoutError: If other processes keep the directory locked.

    Example:

    >>> import pandas
    >>> promote("savedmodels/no-such-model", pandas.DataFrame({"click": [0, 1]}))
    Traceback (most recent call last):
    ValueError: Expected a directory with versions of a model...
    """
    directory = _directory(directory)
    check_label(label)
    if keep is not None:
        check_count("keep", keep, least=1)
    candidate = chosen_version(directory, version)
    version = int(candidate.name)
    require_conformant(candidate)
    labels = read_labels(directory)
    before, stable = labels.get(label), labels.get(STABLE)
    if before == version:
        raise ValueError(
            explain(
                f"a version that is not {label} already",
                f"version {version}",
                f"export or name another version; the labels are {labels}",
            )
        )
    against = None if stable in (None, version) else directory / str(stable)
    measures = measure(candidate, against, frame, limits)
    if not all(each.passed for each in measures):
        return Promotion(label, before, version, measures, False, [])
    gate = {each.name: each.value for each in measures}
    with locked(directory):
        move(directory, labels, label, version, record(label, before, version, gate))
        removed = [] if keep is None else remove_old(directory, keep)
    return Promotion(label, before, version, measures, True, removed)


def rollback(directory: str | os.PathLike, label: str = STABLE) -> Promotion:
    """Moves a label back to the version that had it before.

    Called again, it goes one promotion further back.

    Args:
        directory: The directory of the versions.
        label: The label.

    Raises:
        ValueError: If the label was never promoted, or the version before is gone or
            damaged.
        RuntimeError: If a promotion moved the label in the meantime.
        TimeoutError: If other processes keep the directory locked.

    Example:

    >>> rollback("savedmodels/no-such-model")
    Traceback (most recent call last):
    ValueError: Expected a directory with versions of a model...
    """
    directory = _directory(directory)
    labels = read_labels(directory)
    now = labels.get(label)
    before = version_before(read_history(directory), label, now)
    if before is None:
        raise ValueError(
            explain(
                f"a version that was {label} before",
                f"{label} at {now}, and no version before it in {HISTORY_FILE}",
                "promote another version instead",
            )
        )
    require_conformant(directory / str(before))
    with locked(directory):
        move(directory, labels, label, before, record(label, now, before, None))
    return Promotion(label, now, before, [], True, [])


def chosen_version(
    directory: str | os.PathLike, version: int | None = None
) -> pathlib.Path:
    """Returns the path of a version of a model; that of the newest for `None`.

    Raises:
        ValueError: If the directory has no versions.
    """
    directory = _directory(directory)
    number = max(version_numbers(directory)) if version is None else int(version)
    return directory / str(number)


def _directory(directory: str | os.PathLike) -> pathlib.Path:
    """The directory as a path; raises if it holds no version."""
    directory = pathlib.Path(directory)
    check_directory(directory)
    if not version_numbers(directory):
        raise ValueError(
            explain(
                "a directory with versions of a model",
                f"{directory}, which has none",
                "export a model to it first",
            )
        )
    return directory
