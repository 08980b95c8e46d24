"""Which version had a label when, in `promotions.json` beside `models.config`."""

import json
import time

from tf_ctr.errors import explain
from tf_ctr.files import replacing

FILE = "promotions.json"
KEYS = ("time", "label", "from", "to", "measures")


def read_history(directory) -> list:
    """Returns the records of a model, oldest first; none without a file.

    Raises:
        ValueError: If the file is not as `write_history` writes it.
    """
    path = directory / FILE
    if not path.exists():
        return []
    try:
        history = json.loads(path.read_text())
        if all(set(each) == set(KEYS) for each in history):
            return history
        problem = f"records with other keys than {list(KEYS)}"
    except (ValueError, TypeError) as error:
        problem = error
    raise ValueError(
        explain(
            f"{path} as a promotion writes it",
            problem,
            "mend the file, or remove it to forget the promotions",
        )
    )


def record(label, before, after, measures) -> dict:
    """Returns a record of now; `measures` is `None` for a label given back."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return dict(zip(KEYS, (now, label, before, after, measures), strict=True))


def write_history(directory, history):
    """Replaces the records of a model in one step; no file is left for none."""
    if not history:
        (directory / FILE).unlink(missing_ok=True)
        return
    with replacing(directory / FILE) as temporary:
        temporary.write_text(json.dumps(history, indent=1) + "\n")


def version_before(history, label, version):
    """Returns what had the label before `version` was promoted to it, or `None`."""
    for each in reversed(history):
        promoted = each["measures"] is not None
        if promoted and (each["label"], each["to"]) == (label, version):
            return each["from"]
    return None
