"""Programs that change the disk, tiny, and what is left when they are done.

Each is a function of a folder. Called again after a fault, it must resume, and return
what an uninterrupted call returns, to the bit.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import pathlib
from typing import Any

import keras
import numpy as np

from pipelines import quickstart
from pipelines.compare.comparison import Comparison, Plan
from pipelines.compare.rows import rows
from pipelines.ecdctr.scores import keep
from pipelines.harness.datasets import SMALL
from pipelines.harness.results import ResultLines
from tests.support.click_rates import RATES, export_rates, rate_frame
from tests.support.continual_world import TRAINING, fitted, frame, network, periods
from tests.support.small_worlds import five_fields
from tf_ctr import training, transfer
from tf_ctr.continual import Level, Period, run, run_levels, train_source
from tf_ctr.continual.store import Store
from tf_ctr.data import from_frame
from tf_ctr.datasets import synthetic
from tf_ctr.serving import promote, rollback
from tf_ctr.serving.labels import Limits
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.versions import version_numbers
from tf_ctr.serving.version import load_served

# A gate that only compares AUC: times would differ from call to call.
OPEN = Limits(auc_loss=1.0, calibration_error=9.0, latency_ratio=1e9, size_ratio=9.0)
TINY = dataclasses.replace(
    SMALL, embedding_dim=2, hidden_units=(4, 2), num_cross_layers=1, epochs=1
)
Left = dict[str, Any]


def fit(root: pathlib.Path) -> Left:
    """Trains with shuffled rows, dropout and Gumbel noise, and early stopping."""
    keras.utils.set_random_seed(3)
    model = transfer.autoft(_with_dropout(network(fitted())), seed=1)
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    rows = from_frame(frame(rows=48), fitted(), 24, shuffle=True, seed=5)
    model.fit(
        rows,
        validation_data=from_frame(frame(seed=8), fitted(), 24),
        epochs=3,
        shuffle=False,
        verbose=0,
        callbacks=training.callbacks(root / "run", monitor="val_loss", mode="min"),
    )
    return {"weights": _digest(model)}


def continual(root: pathlib.Path) -> Left:
    """Trains CTNet over four periods, one of them without a row."""
    days = [*periods(0, 1), Period(2, frame().iloc[:0]), *periods(3, items=(5, 9))]
    run(
        days,
        root / "run",
        target=_with_dropout(network(fitted())),
        source=network(fitted(), 1),
        schema=fitted(),
        slices=("item",),
        training=TRAINING,
    )
    return _periods(root / "run")


def levels(root: pathlib.Path) -> Left:
    """Trains a source and CTNet as two levels on one clock."""
    schema = fitted(items=(5, 6))
    weeks = [Period(i, frame(seed=i), end=end) for i, end in enumerate((2, 4))]
    days = [Period(i, frame(seed=9 + i), end=end) for i, end in enumerate((2, 3, 4))]
    options = {"schema": schema, "training": TRAINING}
    (root / "source").mkdir(exist_ok=True)
    source = functools.partial(
        train_source, directory=root / "source", model=network(schema), **options
    )
    target = functools.partial(
        run,
        directory=root / "ctnet",
        target=network(schema, 1),
        source=root / "source",
        **options,
    )
    below = Level("source", weeks, root / "source", source)
    above = Level("CTNet", days, root / "ctnet", target, (below,))
    run_levels([below, above], root, strict=True, verbose=0)
    return {"source": _periods(root / "source"), "target": _periods(root / "ctnet")}


def export(root: pathlib.Path) -> Left:
    """Exports a second version, unless it is there."""
    directory = root / "dcn"
    if not directory.exists() or len(version_numbers(directory)) < 2:
        export_rates(directory, [0.2, 0.3, 0.5, 0.8])
    return _labels(directory)


def promotion(root: pathlib.Path) -> Left:
    """Promotes the second version, unless it is stable."""
    directory = root / "dcn"
    if read_files(directory).labels["stable"] != 2:
        promote(directory, rate_frame(), 2, limits=OPEN)
    return _labels(directory)


def going_back(root: pathlib.Path) -> Left:
    """Rolls the promotion back, unless it is."""
    directory = root / "dcn"
    if read_files(directory).labels["stable"] != 1:
        rollback(directory)
    return _labels(directory)


def comparison(root: pathlib.Path) -> Left:
    """Compares two transfer methods by the experiment `compare`, with real training."""
    plan = Plan("synthetic", "dcn", rows(["fine_tune"], ["source"]), TINY, 1, 1)
    lines = ResultLines(root / "results.jsonl")
    with contextlib.redirect_stdout(io.StringIO()):
        Comparison(plan, _small(), root, lines).run()
    changing = ("seconds", "time", "tried")
    return {
        "lines": [
            {name: value for name, value in line.items() if name not in changing}
            for line in lines.records
        ]
    }


def cache(root: pathlib.Path) -> Left:
    """Writes a Parquet cache of scores, unless it is there."""
    path = root / "scores" / "lines.parquet"
    if not path.exists():
        keep(frame(), path)
    return {"content": hashlib.sha256(path.read_bytes()).hexdigest()}


def main_job(root: pathlib.Path) -> Left:
    """Runs the quickstart without its export."""
    real = synthetic.generate, quickstart.export_and_show
    synthetic.generate, quickstart.export_and_show = _small, lambda *_: None
    sizes = ["--embedding-dim", "2", "--hidden-units", "4", "--num-cross-layers", "1"]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            quickstart.main([*sizes, "--epochs", "1", "--run-dir", str(root / "runs")])
    finally:
        synthetic.generate, quickstart.export_and_show = real
    models = sorted((root / "runs").rglob("model.keras"))
    return {str(path.relative_to(root)): _of_file(path) for path in models}


PROGRAMS = {
    "fit": fit,
    "continual.run": continual,
    "run_levels": levels,
    "export": export,
    "promote": promotion,
    "rollback": going_back,
    "compare": comparison,
    "Parquet cache": cache,
    "quickstart": main_job,
}


def prepare(name: str, root: pathlib.Path) -> None:
    """Makes a folder as it is before a program.

    Args:
        name: The name of the program.
        root: The folder, which exists and is empty.
    """
    if name in ("export", "promote", "rollback"):
        export_rates(root / "dcn", list(RATES.values()))
    if name in ("promote", "rollback"):
        export_rates(root / "dcn", [0.2, 0.3, 0.5, 0.8])
    if name == "rollback":
        promote(root / "dcn", rate_frame(), 2, limits=OPEN)


def _with_dropout(model):
    hidden = keras.layers.Dropout(0.5)(model.get_layer("deep_1").output)
    output = model.get_layer("click")(model.get_layer("logit")(hidden))
    return keras.Model(model.input, output)


_small = functools.partial(
    five_fields, source_rows=600, target_rows=400, num_users=20, num_items=10
)


def _digest(model):
    total = hashlib.sha256()
    for array in model.get_weights():
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _of_file(path):
    return _digest(keras.saving.load_model(path))


def _periods(directory):
    store = Store(directory)
    return {
        str(record["number"]): [
            {name: record[name] for name in record if name != "seconds"},
            _digest(store.load(record).model) if record["trained"] else None,
        ]
        for record in store.records()
    }


def _labels(directory):
    files = read_files(directory)
    numbers = sorted(version_numbers(directory))
    models = {n: _digest(load_served(directory / str(n))) for n in numbers}
    return {"labels": files.labels, "pending": files.pending, "models": models}
