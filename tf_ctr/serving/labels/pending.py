"""Labels that wait in `pending.json` until a server has loaded their version.

In `models.config` such a label would hold up all others. So `export`, which asks no
server, writes the new canary here. The next command that asks a server moves each label
to `models.config` whose version is loaded.
"""

import pathlib
from collections.abc import Mapping

from tf_ctr.files import read_sealed, write_sealed

FILE = "pending.json"


def read_pending(directory: pathlib.Path) -> dict[str, int]:
    """Returns `{label: version}` of the labels that wait; `{}` without a file.

    Raises:
        DamagedError: If the file is not as `write_pending` wrote it.
    """
    path = directory / FILE
    if not path.exists():
        return {}
    fix = "restore it from a copy, or remove it to forget the labels that wait"
    values = read_sealed(path, "the labels that wait", fix, _is_of_0_2)
    return values if _is_of_0_2(values) else values["pending"]


def write_pending(directory: pathlib.Path, pending: Mapping[str, int]) -> None:
    """Replaces the labels that wait in one step; without any, the file goes."""
    if not pending:
        (directory / FILE).unlink(missing_ok=True)
        return
    write_sealed(directory / FILE, {"pending": dict(pending)})


def _is_of_0_2(values):
    return isinstance(values, dict) and all(
        isinstance(version, int) for version in values.values()
    )
