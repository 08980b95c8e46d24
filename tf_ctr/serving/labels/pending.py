"""Labels that wait in `pending.json` until a server has loaded their version.

In `models.config` such a label would hold up all others. So `export`, which asks no
server, writes the new canary here. The next command that asks a server moves each label
to `models.config` whose version is loaded.
"""

import json
import pathlib
from collections.abc import Mapping

from tf_ctr.errors import explain
from tf_ctr.files import replacing

FILE = "pending.json"


def read_pending(directory: pathlib.Path) -> dict[str, int]:
    """Returns `{label: version}` of the labels that wait; `{}` without a file.

    Raises:
        ValueError: If the file is not as `write_pending` writes it.
    """
    path = directory / FILE
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
        return {str(label): int(version) for label, version in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            explain(
                f"{path} to be a label and a version each, as JSON",
                error,
                "correct the file, or remove it to forget the labels that wait",
            )
        ) from error


def write_pending(directory: pathlib.Path, pending: Mapping[str, int]) -> None:
    """Replaces the labels that wait in one step; without any, the file goes."""
    if not pending:
        (directory / FILE).unlink(missing_ok=True)
        return
    with replacing(directory / FILE) as temporary:
        temporary.write_text(json.dumps(dict(pending), indent=1) + "\n")
