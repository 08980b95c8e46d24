"""Versions without weights, for the model of the server, and what asks that model."""

import pathlib
import tempfile

from tests.support.server_model import ServerModel, would_load
from tf_ctr.export.server_files import publish_configured
from tf_ctr.serving.labels.server import Loaded

REASON = "Last entry in allowed_batch_sizes must match max_batch_size"


def export_bare(directory: pathlib.Path, refused: bool = False) -> int:
    """Exports the next version of a model, one that the server refuses if asked."""
    prefix = f"{directory.name}-staged-"
    staged = pathlib.Path(tempfile.mkdtemp(dir=directory.parent, prefix=prefix))
    (staged / "variables").mkdir()
    (staged / "saved_model.pb").touch()
    if refused:
        mark_refused(staged)
    return int(publish_configured(staged, directory).name)


def mark_refused(version: pathlib.Path) -> None:
    """Has `load` refuse a version."""
    (version / "refused").touch()


def load(version: pathlib.Path) -> str | None:
    """Returns why the server refuses a version, or `None`."""
    return REASON if (version / "refused").exists() else would_load(version)


class Asked:
    """What `labels.server.Server` answers, from the model of the server."""

    address = "localhost:8500"

    def __init__(self, model: ServerModel):
        self.model = model.directory.name
        self._model = model

    def versions(self) -> dict[int, Loaded]:
        self._check()
        return {n: Loaded(*each) for n, each in self._model.states.items()}

    def version_of(self, label: str) -> int | None:
        self._check()
        version = self._model.labels.get(label)
        return version if version in self._model.available() else None

    def _check(self):
        if not self._model.running:
            raise ConnectionError("Expected TF Serving to answer at localhost:8500")
