"""Moving a version's label after a gate, and back."""

import pathlib
from typing import NamedTuple

from tf_ctr.errors import explain
from tf_ctr.serving.labels.gate import measure
from tf_ctr.serving.labels.history import FILE as HISTORY_FILE
from tf_ctr.serving.labels.history import read_history, record, version_before
from tf_ctr.serving.labels.models_config import STABLE, check_label, read_labels
from tf_ctr.serving.labels.moves import move, remove_old
from tf_ctr.serving.labels.versions import check_directory, locked, next_version
from tf_ctr.serving.rules.conformance import require_conformant


class Promotion(NamedTuple):
    """The result of `promote` and `rollback`.

    Attributes:
        label: The label that was asked for.
        before: The version that had it; `None` if there was none.
        after: The version that has it now.
        measures: Of the gate, a list of `Measure`.
        moved: Whether the label moved: all measures passed.
        removed: Versions that were removed from the disk.
    """

    label: str
    before: int | None
    after: int | None
    measures: list
    moved: bool
    removed: list

    def __str__(self):
        lines = [str(each) for each in self.measures]
        if self.moved:
            lines.append(f"{self.label}: {self.before} -> {self.after}")
        else:
            lines.append(f"{self.label} stays at {self.before}")
        if self.removed:
            lines.append(f"removed from the disk: {self.removed}")
        return "\n".join(lines)


def promote(directory, frame, version=None, label=STABLE, limits=None, keep=None):
    """Gives a label to a version that passes the gate.

    The version must follow the rules of the server (`conformance.check`), then be good
    enough on the rows, beside the version that is stable (`gate.measure`). The version
    that was stable before stays served, as `previous`, so that `rollback` is immediate.

    A version that was not served before is loaded with the label's next poll of the
    server; make it the canary first, to have it loaded when it becomes stable.

    `models.config` is replaced in one step; if anything raises, or the gate fails, all
    files stay as they were. `promotions.json` beside it keeps what was decided, on
    which measures. Others may export and promote at the same time: a label that moved
    while the gate was measured is an error. Old versions are removed last of all.

    Args:
        directory: The directory of the versions, e.g. `"savedmodels/dcn"`.
        frame: Raw rows with the label, which no version was trained on.
        version: The version; the newest for `None`.
        label: The label to move.
        limits: `gate.Limits`; their defaults for `None`.
        keep: How many versions that were stable stay on the disk, the new one among
            them. Others below it without a label are removed. `None` removes nothing.

    Returns:
        A `Promotion`.

    Raises:
        ValueError: If there is no such version, it is damaged or breaks a rule, has the
            label already, or the rows do not fit it; for a `keep` below 1; or for
            a label that no request can name, or that is `"previous"`.
        RuntimeError: If the label, or `stable`, moved in the meantime.
        TimeoutError: If another process is changing the directory all the time.

    Example:

    >>> import pandas
    >>> promote("savedmodels/no-such-model", pandas.DataFrame({"click": [0, 1]}))
    Traceback (most recent call last):
    ValueError: Expected a directory with versions of a model...
    """
    directory = _directory(directory)
    check_label(label)
    if keep is not None and keep < 1:
        raise ValueError(explain("keep of at least 1", keep, "pass keep=3"))
    version = int(chosen_version(directory, version).name)
    require_conformant(directory / str(version))
    labels = read_labels(directory)
    before, stable = labels.get(label), labels.get(STABLE)
    if before == version:
        raise ValueError(
            explain(
                f"a version that is not {label} already",
                f"version {version}",
                f"export or name another one; labels are {labels}",
            )
        )
    against = None if stable in (None, version) else directory / str(stable)
    measures = measure(directory / str(version), against, frame, limits)
    if not all(each.passed for each in measures):
        return Promotion(label, before, version, measures, False, [])
    gate = {each.name: each.value for each in measures}
    with locked(directory):
        move(directory, labels, label, version, record(label, before, version, gate))
        removed = [] if keep is None else remove_old(directory, keep)
    return Promotion(label, before, version, measures, True, removed)


def rollback(directory, label=STABLE):
    """Gives a label back to the version that had it before.

    Called again, it goes one promotion further back.

    Args:
        directory: The directory of the versions.
        label: The label.

    Returns:
        A `Promotion`, without measures.

    Raises:
        ValueError: If the label was never promoted, or the version before is gone or
            damaged.
        RuntimeError: If the label moved in the meantime, by a promotion.
        TimeoutError: If another process is changing the directory all the time.

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
                f"{label} at {now}, and none before it in {HISTORY_FILE}",
                "promote another version instead",
            )
        )
    require_conformant(directory / str(before))
    with locked(directory):
        move(directory, labels, label, before, record(label, now, before, None))
    return Promotion(label, now, before, [], True, [])


def chosen_version(directory, version=None):
    """Returns the path of a version of a model; of the newest one for `None`.

    Raises:
        ValueError: If the directory has no versions.
    """
    directory = _directory(directory)
    number = next_version(directory) - 1 if version is None else int(version)
    return directory / str(number)


def _directory(directory):
    directory = pathlib.Path(directory)
    check_directory(directory)
    if next_version(directory) == 1:
        raise ValueError(
            explain(
                "a directory with versions of a model",
                f"{directory}, which has none",
                "export a model to it first",
            )
        )
    return directory
