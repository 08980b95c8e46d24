"""Promotion: a label moves to a version that passes the gate, and back."""

import os
import pathlib
from typing import NamedTuple

from tf_ctr.errors import check_count, explain
from tf_ctr.rows import Source
from tf_ctr.serving.labels.gate import Limits, Measure, measure
from tf_ctr.serving.labels.history import FILE as HISTORY_FILE
from tf_ctr.serving.labels.history import record, version_before
from tf_ctr.serving.labels.models_config import CANARY, STABLE, check_label
from tf_ctr.serving.labels.moves import move, read_files
from tf_ctr.serving.labels.removal import remove_old
from tf_ctr.serving.labels.server import Server
from tf_ctr.serving.labels.versions import locked, version_numbers, with_versions
from tf_ctr.serving.labels.waiting import follow, wait_until_available
from tf_ctr.serving.rules.conformance import require_conformant


class Promotion(NamedTuple):
    """The result of `promote` and `rollback`.

    Attributes:
        label: The label that was asked for.
        before: The version that had it; `None` if there was none.
        after: The version that was to get it, and has it now if `moved`.
        measures: The measures of the gate; none for a rollback.
        moved: Whether the label moved, or waits: all measures passed.
        removed: The versions that were removed from the disk.
        waits: Whether the label waits in `pending.json` for a command with a server.
    """

    label: str
    before: int | None
    after: int
    measures: list[Measure]
    moved: bool
    removed: list[int]
    waits: bool = False

    def __str__(self) -> str:
        lines = [str(each) for each in self.measures]
        if self.waits:
            lines.append(
                f"{self.label} waits for version {self.after}: give the next command "
                "the server, with --server HOST:PORT"
            )
        elif self.moved:
            lines.append(f"{self.label}: {self.before} -> {self.after}")
        else:
            lines.append(f"{self.label} stays at {self.before}")
        if self.removed:
            lines.append(f"removed from the disk: {self.removed}")
        return "\n".join(lines)


def promote(
    directory: str | os.PathLike,
    frame: Source | None = None,
    version: int | None = None,
    label: str = STABLE,
    limits: Limits | None = None,
    keep: int | None = None,
    server: Server | None = None,
    wait: float = 0.0,
    trust: bool = False,
) -> Promotion:
    """Moves a label to a version that passes the gate.

    The version must follow the rules of the server (`rules.check`), then be good
    enough on the rows, compared with the stable version (`gate.measure`). The version
    that was stable before stays loaded, so that `rollback` works at once.

    Without a server, `stable` is written at once, and a server that polls follows when
    it has loaded the version. Any other label waits in `pending.json`, because in
    `models.config` it could hold up `stable`. With a server, the label is written only
    if the version is loaded, and so is every label that waits.

    `models.config` is replaced in one step; if anything raises, or the gate fails, all
    files stay as they were. `promotions.json` beside it records each decision with its
    measures. Others may export and promote at the same time: a label that moved while
    the gate was measured is an error. Old versions are removed last.

    Args:
        directory: The directory of the versions, e.g. `"savedmodels/dcn"`.
        frame: Raw rows with the label (a pandas frame, a path, or rows of any kind that
            `tf_ctr.data.rows` opens), which no version was trained on. `None` for
            `canary` skips the gate.
        version: The version; the newest for `None`.
        label: The label to move.
        limits: The limits of the gate; the defaults of `Limits` for `None`.
        keep: How many versions that are or were stable stay on the disk, including the
            new one. Others below it without a label are removed, once no server can use
            them. `None` removes nothing.
        server: The server to ask.
        wait: Seconds to wait until the server has loaded the version, and again until
            it has moved the label. 0 looks once for the first, and not for the second.
        trust: Run the versions whatever their operations do, as for `rules.check`.

    Raises:
        ValueError: If there is no such version, it is damaged or breaks a rule, has the
            label already, or the rows do not fit it or are missing; for a `keep` below
            1; or for a label that no request can name.
        RuntimeError: If the label, or `stable`, moved in the meantime, or the server
            cannot load the version.
        TimeoutError: If other processes keep the directory locked, or the server does
            not follow; the move is undone.
        ConnectionError: If the server does not answer.

    Example:

    >>> import pandas
    >>> promote("savedmodels/no-such-model", pandas.DataFrame({"click": [0, 1]}))
    Traceback (most recent call last):
    ValueError: Expected a directory with versions of a model...
    """
    directory = with_versions(directory)
    check_label(label)
    if keep is not None:
        check_count("keep", keep, least=1)
    candidate = chosen_version(directory, version)
    version = int(candidate.name)
    require_conformant(candidate, trust=trust)
    seen = read_files(directory)
    before, stable = seen.labels.get(label), seen.version_of(STABLE)
    again = label in seen.pending and server is not None
    if seen.version_of(label) == version and not again:
        waits = label in seen.pending
        raise ValueError(
            explain(
                f"a version that is not {label} already",
                f"version {version}, which waits to be {label} until a command is "
                "given the server"
                if waits
                else f"version {version}; the labels are {seen.labels}",
                "pass --server HOST:PORT (server=)"
                if waits
                else "export or name another version",
            )
        )
    against = None if stable in (None, version) else directory / str(stable)
    measures = _measures(candidate, against, frame, limits, label, trust)
    if not all(each.passed for each in measures):
        return Promotion(label, before, version, measures, False, [])
    if server is not None:
        wait_until_available(server, version, wait)
    gate = {each.name: each.value for each in measures}
    removed = []
    with locked(directory):
        entry = record(label, seen.labels.get(label), version, gate)
        done = move(directory, seen, label, version, entry, server)
    if server is not None and wait > 0:
        follow(directory, done, server, label, wait)
    if keep is not None:
        with locked(directory):
            removed = remove_old(directory, keep, server)
    waits = label in done.after.pending
    return Promotion(label, before, version, measures, True, removed, waits)


def rollback(
    directory: str | os.PathLike,
    label: str = STABLE,
    server: Server | None = None,
    wait: float = 0.0,
) -> Promotion:
    """Moves a label back to the version that had it before.

    Called again, it goes one promotion further back.

    Args:
        directory: The directory of the versions.
        label: The label.
        server: As for `promote`.
        wait: As for `promote`.

    Raises:
        ValueError: If the label was never promoted, or the version before is gone or
            damaged.
        RuntimeError, TimeoutError, ConnectionError: As `promote`.

    Example:

    >>> rollback("savedmodels/no-such-model")
    Traceback (most recent call last):
    ValueError: Expected a directory with versions of a model...
    """
    directory = with_versions(directory)
    seen = read_files(directory)
    now = seen.version_of(label)
    before = version_before(seen.history, label, now)
    if before is None:
        raise ValueError(
            explain(
                f"a version that was {label} before",
                f"{'no version' if now is None else f'version {now}'} with the label "
                f"{label}, and none before it in {HISTORY_FILE}",
                "promote another version instead",
            )
        )
    # Whoever promoted it trusted it, and nothing may hold up a way back.
    require_conformant(directory / str(before), trust=True)
    if server is not None:
        wait_until_available(server, before, wait)
    with locked(directory):
        done = move(directory, seen, label, before, record(label, now, before), server)
    if server is not None and wait > 0:
        follow(directory, done, server, label, wait)
    waits = label in done.after.pending
    return Promotion(label, now, before, [], True, [], waits)


def chosen_version(
    directory: str | os.PathLike, version: int | None = None
) -> pathlib.Path:
    """Returns the path of a version of a model; that of the newest for `None`.

    Raises:
        ValueError: If the directory has no versions, or not this one.
    """
    directory = with_versions(directory)
    there = sorted(version_numbers(directory))
    number = there[-1] if version is None else int(version)
    if number not in there:
        raise ValueError(
            explain(
                f"one of the versions {there} of {directory}",
                f"version {number}",
                "name one of them, or leave the version out for the newest",
            )
        )
    return directory / str(number)


def _measures(candidate, against, frame, limits, label, trust):
    if frame is not None:
        return measure(candidate, against, frame, limits, trust)
    if label == CANARY:
        return []
    raise ValueError(
        explain(
            f"labelled rows to measure the version that is to be {label}",
            "no rows",
            "pass rows that no version was trained on (--rows FILE); only "
            f"{CANARY} goes without",
        )
    )
