"""One of everything that tf_ctr stores, tiny, and how each of it is read."""

import contextlib
import io
import pathlib
import shutil
import warnings
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd

from pipelines.harness.results import ResultLines
from pipelines.harness.runs import RunRecord
from tests.support.click_rates import RATES, export_rates
from tests.support.continual_world import fitted, frame, network
from tf_ctr import Schema, training
from tf_ctr.continual.store import Finished, Store
from tf_ctr.data import from_frame
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.features import Categorical
from tf_ctr.serving.labels.history import record, write_history
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.versions import next_version, remove_version
from tf_ctr.serving.rules.conformance import check_unloaded
from tf_ctr.serving.version import load_served
from tf_ctr.training.tensorboard import read_history


class Stored(NamedTuple):
    """One kind of stored thing.

    Attributes:
        kind: What it is.
        files: Its files.
        read: Reads all of it, as the library does. It raises, warns or returns a text
            where something is wrong.
    """

    kind: str
    files: list[pathlib.Path]
    read: Callable[[], str | None]


def store_everything(root: pathlib.Path) -> list[Stored]:
    """Writes one of everything to a new folder.

    Args:
        root: The folder.
    """
    return [
        _period(root / "run"),
        _snapshot(root / "tpm"),
        *_versions(root / "dcn"),
        _schema(root / "schema.json"),
        *_training(root / "training"),
        *_results(root / "results"),
    ]


def _below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _period(run):
    store = Store(run)
    values = {"number": 0, "end": 0, "trained": True, "settings": {}, "name": "day 0"}
    seen = {"item": pd.Series([5, 6])}
    store.add(values, Finished(network(fitted()), fitted(), seen, 0, np.zeros(9)))

    def read():
        [found] = store.records()
        store.load(found)
        store.scores(0)

    return Stored("period", _below(run), read)


def _snapshot(folder):
    store = SnapshotStore(folder)
    store.add(3, {"item": (["a", "b"], [[1.0], [2.0]])})

    def read():
        store.table(Categorical("item", ["a", "b"]), 1)

    return Stored("snapshot", _below(folder), read)


def _versions(directory):
    for rates in (list(RATES.values()), [0.5, 0.5, 0.5, 0.5]):
        version = export_rates(directory, rates)
    write_history(directory, [record("stable", None, 1)])
    (directory / "7").mkdir()
    remove_version(directory, 7)

    def read_version():
        load_served(version)
        found = check_unloaded(version)
        return "; ".join(each.message for each in found)

    def read_labels():
        read_files(directory)
        next_version(directory)

    names = ("models.config", "pending.json", "promotions.json", ".last_version")
    files = [directory / name for name in names]
    return [
        Stored("version", _below(version), read_version),
        Stored("labels", files, read_labels),
    ]


def _schema(path):
    fitted().save(path)
    return Stored("schema", [path], lambda: Schema.load(path) and None)


def _training(run_dir):
    """A run that is killed after its second epoch, and one that is finished."""
    batches = from_frame(frame(), fitted(), 24)

    def fit(run, *others):
        model = network(fitted())
        model.compile("sgd", "binary_crossentropy", run_eagerly=True)
        chosen = training.callbacks(run, monitor="val_loss", mode="min")
        model.fit(
            batches,
            validation_data=batches,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=[*chosen, *others],
        )

    def stop(epoch, logs):
        if epoch == 1:
            raise InterruptedError

    killed, finished = run_dir / "killed", run_dir / "finished"
    with contextlib.suppress(InterruptedError):
        fit(killed, keras.callbacks.LambdaCallback(on_epoch_end=stop))
    fit(finished)
    found = []
    for run in (killed, finished):
        files = [p for p in _below(run) if "events.out" not in p.name]
        files = [p for p in files if p.name != ".lock"]
        found.append(Stored(f"training, {run.name}", files, _in_a_copy(fit, run)))
    return found


def _in_a_copy(fit, run):
    """Resumes a copy of a run: it would be finished the next time."""

    def read():
        copy = run.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        with contextlib.redirect_stdout(io.StringIO()):
            fit(copy)
        read_history(copy)  # As the pictures and pages about a run do.

    return read


def _results(folder):
    folder.mkdir()
    lines = ResultLines(folder / "results.jsonl")
    for seed in (0, 1):
        lines.append({"row": "Fine-Tune", "seed": seed, "auc": 0.75})
    arguments = {"seed": 0}
    RunRecord(folder / "run" / "run.json", arguments).update(validation_auc=0.75)
    return [
        Stored("results", [lines.path], lambda: ResultLines(lines.path) and None),
        Stored(
            "run.json",
            [folder / "run" / "run.json"],
            lambda: RunRecord(folder / "run" / "run.json", arguments) and None,
        ),
    ]


def outcome(stored: Stored, name: str) -> tuple[str, str]:
    """Reads a thing with a damaged file, and returns what happened.

    Args:
        stored: The thing.
        name: The name of the damaged file.

    Returns:
        `"refused"` for an error, `"told"` for a warning or a finding, `"unclear"` for
        either of them without the name of the file, or `"silent"`; and the words.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            words, kind = stored.read() or "", "told"
        except Exception as error:
            words, kind = str(error), "refused"
    words = "; ".join([words, *(str(each.message) for each in said)])
    if words.strip("; ") == "":
        return "silent", ""
    return (kind if name in words else "unclear"), words
