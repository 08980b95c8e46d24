"""Which things a folder holds, and whether they are whole. Nothing is loaded."""

import pathlib
import re
import warnings
from collections.abc import Iterator

from tf_ctr.continual.store import RECORD, Store
from tf_ctr.ecdctr.snapshot_folder import SNAPSHOT
from tf_ctr.features import serialization
from tf_ctr.files import MANIFEST, DamagedError, checksum, read_manifest
from tf_ctr.files.sealed import unsealed
from tf_ctr.serving.labels import history, models_config, pending, versions
from tf_ctr.serving.sealing import EXTRA, FACTS, FIX, damages, version_manifest
from tf_ctr.serving.sealing import FILE as VERSION_MANIFEST
from tf_ctr.training.early_stopping import STATE
from tf_ctr.training.resuming import BACKUP
from tf_ctr.verification.finding import Finding, Kind

# Where repairs set damaged things aside.
ASIDE = ".damaged"
# In each backup of a run, and in its final state.
EPOCH = "training_metadata.json"
GRAPH = "saved_model.pb"
OLD = "written by tf_ctr 0.2 or earlier, without a checksum"
RESTORE = "restore it from a copy, or write it again"
LEFT = "left by a process that was killed, or is still writing it"
# Names of what is half-written: see `tf_ctr.files` and `serving.labels.versions`.
_HALF = re.compile(r"\..*\.(partial|replaced)|\..*\.tmp(-.*|\.\w+)?|\.removed-.*")


def look(path: pathlib.Path) -> Iterator[Finding]:
    """Yields a finding for each thing in a folder, in the order of their paths.

    Args:
        path: A folder, or a file.
    """
    try:
        yield from _file(path) if path.is_file() else _inside(path)
    except OSError as error:
        problem = f"it cannot be read ({error.strerror})"
        kind: Kind = "file" if path.is_file() else "folder"
        yield Finding(path, kind, "damaged", problem, "let this user read it")


def _inside(path):
    look_at = next((own for marks, own in FOLDERS if _has(path, marks)), None)
    if look_at is not None:
        yield look_at(path)
        return
    for each in sorted(path.iterdir()):
        if _HALF.fullmatch(each.name):
            yield Finding(each, "folder", "left over", LEFT, "verify with --repair")
        elif each.name != ASIDE and not each.is_symlink() and _is_stored(each):
            yield from look(each)


def _is_stored(path):
    return path.is_dir() or path.is_file()  # No pipe and no socket.


def _has(folder, marks):
    return all((folder / mark).exists() for mark in marks)


# Folders


def _period(folder: pathlib.Path) -> Finding:
    if not folder.name.isdecimal():  # Renamed by someone: no run reads it.
        return Finding(folder, "folder", "unchecked", "no period has such a name")
    store, number = Store(folder.parent), int(folder.name)
    try:
        record = store.record(number)
        has_model = record["trained"] and not store.is_pruned(number)
        if not (folder / MANIFEST).exists() and not has_model:
            return Finding(folder, "period", "unchecked", OLD)
        store.check(number)
    except DamagedError as error:
        return Finding(folder, "period", "damaged", error.damage, error.fix)
    return Finding(folder, "period", "whole")


def _version(folder: pathlib.Path) -> Finding:
    try:
        manifest = version_manifest(folder)
    except DamagedError as error:
        return Finding(folder, "version", "damaged", error.damage, error.fix)
    if manifest is None and not (folder / GRAPH).exists():
        return Finding(folder, "version", "damaged", f"no {GRAPH}", FIX)
    if manifest is None:
        fix = f"look for damage with: tf_ctr check {folder}"
        return Finding(folder, "version", "unchecked", OLD, fix)
    wrong, intended = damages(manifest)
    problem = "; ".join([*wrong, *intended])
    if wrong:
        return Finding(folder, "version", "damaged", problem, manifest.fix)
    if intended:
        fix = f"check it with: tf_ctr check {folder}"
        return Finding(folder, "version", "unchecked", problem, fix)
    return Finding(folder, "version", "whole")


def _snapshot(folder: pathlib.Path) -> Finding:
    if not (folder / MANIFEST).exists():
        return Finding(folder, "snapshot", "unchecked", OLD)
    return _sealed_folder(
        folder, "snapshot", "write it again with SnapshotStore.add, or delete it"
    )


def _state(folder: pathlib.Path) -> Finding:
    if not (folder / MANIFEST).exists():
        return Finding(folder, "state", "unchecked", OLD)
    return _sealed_folder(folder, "state", "delete it; the run then starts over")


def _early_stopping(folder: pathlib.Path) -> Finding:
    fix = f"delete it and {folder.with_name(BACKUP)}; the run then starts over"
    try:
        state, has_sum = unsealed((folder / STATE).read_bytes())
        if not has_sum and "weights" not in state:
            return Finding(folder, "state", "unchecked", OLD)
        if has_sum and checksum(folder / state["weights"]) == state["weights_sha256"]:
            return Finding(folder, "state", "whole")
        problem = "a file whose content has changed since it was written"
    except (OSError, ValueError) as error:
        problem = f"a file {_problem(error)}"
    return Finding(folder, "state", "damaged", problem, fix)


def _folder(folder: pathlib.Path) -> Finding:
    if folder.resolve().name == EXTRA:  # Its manifest is that of the whole version.
        return _version(folder.resolve().parent)
    return _sealed_folder(folder, "folder", "delete it, and write it again")


def _sealed_folder(folder: pathlib.Path, kind: Kind, fix: str) -> Finding:
    try:
        found = list(read_manifest(folder, kind, fix).damages())
    except DamagedError as error:
        found = [error.damage]
    if found:
        return Finding(folder, kind, "damaged", "; ".join(found), fix)
    return Finding(folder, kind, "whole")


# By the files that only such a folder has, the most special one first.
FOLDERS = (
    ([GRAPH], _version),
    ([VERSION_MANIFEST], _version),
    ([FACTS], _version),
    ([RECORD], _period),
    ([SNAPSHOT], _snapshot),
    ([EPOCH], _state),
    ([STATE], _early_stopping),
    ([MANIFEST], _folder),
)


# Files


def _file(path: pathlib.Path) -> Iterator[Finding]:
    """Yields what a file is; nothing if it is none of ours."""
    readers = {
        history.FILE: lambda: history.read_history(path.parent),
        pending.FILE: lambda: pending.read_pending(path.parent),
        versions.LAST: lambda: versions.next_version(path.parent),
        models_config.FILE: lambda: models_config.read_labels(path.parent),
    }
    if path.name in readers:
        yield _labels(path, readers[path.name])
        return
    if path.suffix != ".json":
        return
    try:
        values, has_sum = unsealed(path.read_bytes())
    except (OSError, ValueError) as error:
        problem = _problem(error)
    else:
        if has_sum:
            yield Finding(path, "file", "whole")
        elif isinstance(values, dict) and values.get("format") == serialization.FORMAT:
            yield Finding(path, "file", "unchecked", OLD)
        return
    yield Finding(path, "file", "damaged", f"a file {problem}", RESTORE)


def _problem(error):
    if isinstance(error, OSError):
        return f"that cannot be read ({error.strerror})"
    return str(error)


def _labels(path, read):
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            read()
    except DamagedError as error:
        return Finding(path, "labels", "damaged", error.damage, error.fix)
    except (ValueError, ImportError) as error:
        # The three parts of the error.
        problem, _, fix = str(error).rpartition("\nFix: ")
        problem = problem.partition("\nReceived: ")[2] or str(error)
        fix = fix.rstrip(".") or RESTORE
        return Finding(path, "labels", "damaged", problem.rstrip("."), fix)
    if said:
        return Finding(path, "labels", "unchecked", str(said[0].message))
    return Finding(path, "labels", "whole")
