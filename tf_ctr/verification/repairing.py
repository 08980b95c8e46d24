"""Sets aside what can be recomputed, and removes what killed processes left."""

import dataclasses
import pathlib
import shutil
import time
from collections.abc import Sequence

from tf_ctr.continual.store import Store
from tf_ctr.files import LockedError, locked, replaced_folder
from tf_ctr.serving.labels import pending, versions
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.training.early_stopping import FOLDER
from tf_ctr.training.resuming import BACKUP
from tf_ctr.verification.finding import Finding
from tf_ctr.verification.looking import ASIDE, look

# Seconds. What was changed since may still be written by another process.
IN_USE = 3600.0


def repaired(findings: Sequence[Finding]) -> list[Finding]:
    """Returns the findings, with what was done about them.

    Args:
        findings: What `look` found. Nothing that is whole is touched.

    Raises:
        LockedError: If another process is changing a folder that needs a repair.
    """
    # Newest first: a damaged period may go once all later ones are gone.
    return [_repaired(each) for each in reversed(findings)][::-1]


def _repaired(finding):
    if finding.state == "left over":
        repair = _clean
    elif finding.state == "damaged":
        repair = REPAIRS.get(finding.kind, _leave)
    else:
        return finding
    try:
        with locked(finding.path.parent, versions.PATIENCE):
            # Under the lock: it may be gone by now, or whole.
            if not finding.path.exists():
                return dataclasses.replace(finding, done="nothing, it is gone by now")
            done, why_not = repair(finding)
    except LockedError:
        raise
    except OSError as error:  # The other things can still be repaired.
        why = (error.__cause__ or error).strerror
        done, why_not = "", f"it stays, because its folder cannot be changed ({why})"
    if why_not:
        return dataclasses.replace(finding, fix=f"{why_not}; {finding.fix}")
    return dataclasses.replace(finding, done=done)


def _clean(finding):
    path = finding.path
    target = path.with_name(path.name.removeprefix(".").removesuffix(".replaced"))
    if replaced_folder(target) == path and not target.exists():
        path.rename(target)
        return f"renamed to {target.name}, which a kill had left without its name", ""
    # An export and a snapshot are written without a lock.
    age = time.time() - max(each.stat().st_mtime for each in [path, *path.rglob("*")])
    if age < IN_USE:
        return (
            "",
            f"it stays, because it was changed {max(age, 0) / 60:.0f} minutes ago",
        )
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return "removed", ""


def _period(finding):
    directory, number = finding.path.parent, int(finding.path.name)
    later = [each for each in Store(directory).numbers() if each > number]
    if later:
        return "", f"it stays, because of the later periods {later}"
    return _aside(finding.path, f"the same call recomputes period {number}"), ""


def _snapshot(finding):
    return _aside(finding.path, "readers then no longer warn of it"), ""


def _version(finding):
    directory, number = finding.path.parent, finding.path.name
    if not number.isdecimal():
        return "", "it stays, because it is no version of a server"
    try:
        files = read_files(directory)
    except (ValueError, ImportError):
        return "", f"it stays, because the labels in {directory} cannot be read"
    given = (*files.labels.items(), *files.pending.items())
    labels = sorted(label for label, version in given if version == int(number))
    if labels:
        return "", f"it stays, because of its labels {labels}"
    if not any(_is_whole(each) for each in directory.iterdir()):
        return "", "it stays, because no other version is whole"
    versions.keep_number(directory, int(number))
    return _aside(finding.path, "export the model again to have the version"), ""


def _is_whole(path):
    if not path.name.isdecimal():
        return False
    return all(each.state in ("whole", "unchecked") for each in look(path))


def _state(finding):
    run_dir, gone = finding.path.parent, []
    # The two belong together: a run resumes with both, or starts over.
    names = (BACKUP, FOLDER) if finding.path.name in (BACKUP, FOLDER) else ()
    for name in {finding.path.name, *names}:
        if (run_dir / name).exists():
            gone.append(_aside(run_dir / name))
    return f"{' and '.join(sorted(gone))}; the same call starts the run over", ""


def _labels(finding):
    if finding.path.name != pending.FILE:
        return "", "it stays, because it cannot be recomputed"
    return _aside(finding.path, "no label waits any more"), ""


def _leave(finding):
    return "", "it stays, because it cannot be recomputed"


REPAIRS = {
    "period": _period,
    "snapshot": _snapshot,
    "version": _version,
    "state": _state,
    "labels": _labels,
}


def _aside(path: pathlib.Path, then: str = "") -> str:
    """Moves a damaged thing into a folder beside it, and returns what was done."""
    aside = path.parent / ASIDE
    aside.mkdir(exist_ok=True)
    target, count = aside / path.name, 1
    while target.exists():
        count += 1
        target = aside / f"{path.name}-{count}"
    path.rename(target)
    return f"moved to {target}" + (f"; {then}" if then else "")
