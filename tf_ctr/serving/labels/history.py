"""Which version had a label when, in `promotions.json` beside `models.config`."""

import calendar
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tf_ctr.files import read_sealed, write_sealed

FILE = "promotions.json"
KEYS = ("time", "label", "from", "to", "measures")
TIME = "%Y-%m-%dT%H:%M:%SZ"

# A promotion or a rollback, by `KEYS`; "from" is no name that a TypedDict could have.
Record = dict[str, Any]


def read_history(directory: pathlib.Path) -> list[Record]:
    """Returns the records of a model, oldest first; none without a file.

    Raises:
        DamagedError: If the file is not as `write_history` wrote it.
    """
    path = directory / FILE
    if not path.exists():
        return []
    fix = "restore it from a copy, or remove it to forget the promotions"
    values = read_sealed(path, "the promotions", fix, _is_of_0_2)
    return values if _is_of_0_2(values) else values["promotions"]


def record(
    label: str,
    before: int | None,
    after: int | None,
    measures: Mapping[str, float] | None = None,
) -> Record:
    """Returns the record of a move that happens now.

    Args:
        label: The label that moves.
        before: The version that had it; `None` if there was none.
        after: The version that gets it; `None` if the label goes.
        measures: `{name: value}` of the gate; `None` for any move but a promotion.
    """
    moved = time.strftime(TIME, time.gmtime(now()))
    return dict(zip(KEYS, (moved, label, before, after, measures), strict=True))


def now() -> float:
    """Returns the seconds since 1970."""
    return time.time()


def seconds_without_label(history: Sequence[Record], version: int) -> float:
    """Returns how long ago a version last lost a label; infinity if it never did."""
    lost = [each["time"] for each in history if each["from"] == version]
    if not lost:
        return float("inf")
    return now() - calendar.timegm(time.strptime(max(lost), TIME))


def write_history(directory: pathlib.Path, history: Sequence[Record]) -> None:
    """Replaces the records of a model in one step; without records, the file goes."""
    if not history:
        (directory / FILE).unlink(missing_ok=True)
        return
    write_sealed(directory / FILE, {"promotions": list(history)})


def version_before(
    history: Sequence[Record], label: str, version: int | None
) -> int | None:
    """Returns the version that had a label before `version` was promoted to it.

    Rollbacks are skipped, so that rollback after rollback goes further back.
    """
    for each in reversed(history):
        promoted = each["measures"] is not None
        if promoted and (each["label"], each["to"]) == (label, version):
            return each["from"]
    return None


def _is_of_0_2(values):
    return isinstance(values, list) and all(
        isinstance(each, dict) and set(each) == set(KEYS) for each in values
    )
