"""Measures what it costs to verify a period and a version while they are loaded.

A period is loaded with its files checked, and without; the two take turns. So is the
model of an exported version. Checking runs in a thread of its own beside the loading,
so the CPU time shows the work, and the wall time what a user waits.

    python -m pipelines.benchmarks.verification --ids 100000 1000000
"""

import argparse
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

import tf_ctr
from pipelines.benchmarks.compiled import description
from pipelines.harness.tables import table
from tf_ctr.continual.store import Finished, Store
from tf_ctr.files.models import load_model
from tf_ctr.serving.sealing import EXTRA, seal_version
from tf_ctr.serving.version import load_served
from tf_ctr.training import compile

DIM = 16


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, and prints a table."""
    program = argparse.ArgumentParser(
        prog="python -m pipelines.benchmarks.verification",
        description=__doc__.splitlines()[0],
    )
    add = program.add_argument
    add("--ids", nargs="+", type=int, default=[100_000, 1_000_000], metavar="N")
    add("--rounds", type=int, default=11, metavar="N")
    args = program.parse_args(argv)
    rows = []
    for ids in args.ids:
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(pathlib.Path(folder), ids, args.rounds)
    head = ["what", "ids", "MB", "load, s", "with sums, s", "wall", "CPU"]
    print(description())
    print(table(head, rows))


def measured(folder: pathlib.Path, ids: int, rounds: int) -> list[list[str]]:
    """Returns the lines of the table for one number of ids.

    Args:
        folder: An empty folder.
        ids: Ids of the one large field.
        rounds: How often each variant is timed.
    """
    frame = pd.DataFrame({"user": np.arange(ids), "item": np.arange(ids) % 1000})
    fields = [tf_ctr.Categorical("user"), tf_ctr.Categorical("item")]
    schema = tf_ctr.Schema(fields).fit(frame)
    model = tf_ctr.backbones.dcn(schema, DIM, hidden_units=(64, 32))
    compile(model).optimizer.build(model.trainable_variables)
    store = Store(folder / "run")
    record = {"number": 0, "end": 0, "trained": True, "settings": {}}
    store.add(record, Finished(model, schema))
    version = folder / "dcn" / "1"
    (version / EXTRA).mkdir(parents=True)
    (version / "saved_model.pb").touch()
    model.save(version / EXTRA / "model.keras")
    seal_version(version)
    file = version / EXTRA / "model.keras"
    loaders = {
        "a period": (
            store.directory / "000000",
            lambda: store.load(record, is_checked=True),
            lambda: store.load(record),
        ),
        "the model of a version": (
            file,
            lambda: load_model(file, compile=False),
            lambda: load_served(version),
        ),
    }
    return [_line(what, ids, *each, rounds) for what, each in loaders.items()]


def _line(
    what: str,
    ids: int,
    path: pathlib.Path,
    plain: Callable[[], object],
    checked: Callable[[], object],
    rounds: int,
) -> list[str]:
    files = [path] if path.is_file() else path.iterdir()
    size = sum(each.stat().st_size for each in files)
    times: dict[str, list[tuple[float, float]]] = {"plain": [], "checked": []}
    for _ in range(rounds):
        for name, call in (("plain", plain), ("checked", checked)):
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    # The fastest round is the one that other programs disturbed least.
    wall, cpu = (
        [min(each[place] for each in times[name]) for name in times] for place in (0, 1)
    )
    share = [f"{100 * (two / one - 1):+.1f} %" for one, two in (wall, cpu)]
    return [
        what,
        f"{ids:,}",
        f"{size / 1e6:.0f}",
        *(f"{each:.3f}" for each in wall),
        *share,
    ]


if __name__ == "__main__":
    main()
