"""The table "server's rules" of pipelines/round_trip: what a server makes of commands.

The server is the state machine of `server_model.py`, which is written from the source
of TensorFlow Serving. It is here and not in `pipelines`, because it stands in for a
server and only the tests may trust it. After a change, write the table with

    python -m tests.support.server_rules
"""

import pathlib
import tempfile
from collections.abc import Callable
from unittest import mock

from tests.support.bare_versions import Asked, export_bare, load
from tests.support.built import ROOT
from tests.support.server_model import RefusedError, ServerModel
from tf_ctr.serving.labels import promotion
from tf_ctr.serving.labels.models_config import write_labels
from tf_ctr.serving.labels.promotion import promote, rollback
from tf_ctr.serving.labels.removal import drop

PAGE = ROOT / "pipelines" / "round_trip" / "README.md"
START, END = "<!-- python -m tests.support.server_rules -->", "<!-- end -->"
HEADER = ("what was done", "polls until it is served", "failed requests", "labels then")
POLLS = 3


class Deployment:
    """Versions without weights, a server that has loaded the first, and traffic.

    Args:
        folder: An empty folder.

    Attributes:
        failed: Requests to `stable` that were not answered, one per step of the server.
    """

    def __init__(self, folder: pathlib.Path):
        self.directory = folder / "dcn"
        self.failed = 0
        self.export()
        self.server = ServerModel(self.directory, load=load)
        self.server.start()
        self.asked = Asked(self.server)

    def export(self, refused: bool = False) -> int:
        """Exports the next version, one that the server refuses if asked."""
        return export_bare(self.directory, refused)

    def poll(self) -> None:
        """Polls both files and folders, and asks `stable` after each step."""
        for step in (self.server.poll_config, self.server.poll_files):
            step()
            self._ask()
        while self.server.manage():
            self._ask()

    def _ask(self):
        try:
            self.server.ask("stable")
        except RefusedError:
            self.failed += 1


def rows() -> list[tuple[str, str, str, str]]:
    """Returns the lines of the table, each from a deployment of its own."""
    return [
        _row("`export` of a second version: loaded", _export, loaded=2),
        _row("`promote --label canary --server`", _canary, canary=2),
        _row("`promote` (no server given)", _promote, stable=2),
        _row("`rollback` after it", _rollback, stable=1),
        _row("`rollback` while the server refuses a third version", _refused, stable=1),
        _row("`drop` of the canary, its label", _drop, canary=1),
        _row("the same, then `drop` again: unloaded", _drop_twice, unloaded=2),
        _row("a label that points at no loaded version", _by_hand, canary=2),
    ]


def _row(text: str, act: Callable[[Deployment], None], **wanted: int):
    with tempfile.TemporaryDirectory() as folder:
        deployed = Deployment(pathlib.Path(folder))
        act(deployed)
        (goal, version), *_ = wanted.items()
        polls = 0
        while not _reached(deployed.server, goal, version) and polls < POLLS:
            deployed.poll()
            polls += 1
        served = str(polls) if _reached(deployed.server, goal, version) else "never"
        labels = (f"{k} {v}" for k, v in sorted(deployed.server.labels.items()))
        return text, served, str(deployed.failed), ", ".join(labels)


def _reached(server, goal, version):
    if goal == "loaded":
        return version in server.available()
    if goal == "unloaded":
        return version not in server.available()
    return server.labels.get(goal) == version


def _export(deployed):
    deployed.export()


def _canary(deployed):
    deployed.export()
    deployed.poll()
    promote(deployed.directory, label="canary", server=deployed.asked)


def _promote(deployed):
    deployed.export()
    promote(deployed.directory, [], 2)


def _rollback(deployed):
    _promote(deployed)
    deployed.poll()
    deployed.poll()
    rollback(deployed.directory)


def _refused(deployed):
    _promote(deployed)
    deployed.poll()
    deployed.poll()
    deployed.export(refused=True)
    deployed.poll()
    rollback(deployed.directory)


def _drop(deployed):
    _canary(deployed)
    deployed.poll()
    drop(deployed.directory, 2, deployed.asked)


def _drop_twice(deployed):
    _drop(deployed)
    deployed.poll()
    drop(deployed.directory, 2, deployed.asked)


def _by_hand(deployed):
    """What an edit of the file does that no command makes."""
    deployed.export(refused=True)
    write_labels(deployed.directory, {"stable": 1, "canary": 2})


def table() -> str:
    """Returns the table as Markdown."""
    with (
        mock.patch.object(promotion, "require_conformant", lambda *_, **__: []),
        mock.patch.object(promotion, "measure", lambda *_: []),
    ):
        lines = [HEADER, ("---",) * len(HEADER), *rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(text: str) -> str:
    """Returns the text of the page with the table in its place."""
    head, _, rest = text.partition(START)
    return f"{head}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
