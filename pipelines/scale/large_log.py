"""Trains on a synthetic log of 100 million rows, and on a small one: rate and memory.

Three steps, each a process of its own, so that each has its own peak of memory: `make`
writes the log as Parquet files of a million rows, `fit` learns the schema, and `train`
trains a DCN on one pass over the rows. `all` runs the three on a small log, and then
on the large one. A step that was interrupted goes on: files that are there are not
written again, and a schema that is there is not fitted again. Training stops after
`--minutes` and says after how many rows.

    python -m pipelines.scale.large_log all --rows 1e8 --folder /tmp/large_log

Prints the progress, and writes `results/large_log.json`.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

import tf_ctr
from tf_ctr.data import from_rows
from tf_ctr.files import replacing
from tf_ctr.optimizers import SparseAdam

FILE_ROWS = 1_000_000
SMALL_ROWS = 2_000_000
RESULTS = pathlib.Path(__file__).parent / "results" / "large_log.json"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = argparse.ArgumentParser(
        "python -m pipelines.scale.large_log",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    program.add_argument("step", choices=("all", "make", "fit", "train"))
    program.add_argument(
        "--rows", type=float, default=1e8, help="rows of the log, 40 batches at least"
    )
    program.add_argument(
        "--folder",
        type=pathlib.Path,
        default=pathlib.Path("/tmp/large_log"),
        help="where logs and schemas are kept; 25 bytes per row",
    )
    program.add_argument("--batch-size", type=int, default=8192)
    program.add_argument(
        "--minutes", type=float, default=60.0, help="the longest time to train"
    )
    args = program.parse_args(argv)
    if args.batch_size < 1 or args.minutes <= 0:
        program.error("--batch-size and --minutes must be positive")
    if args.rows < 40 * args.batch_size:
        program.error(f"--rows must be at least {40 * args.batch_size}, 40 batches")
    return args


def unfitted() -> tf_ctr.Schema:
    """Returns the schema of the log."""
    return tf_ctr.Schema(
        [
            tf_ctr.Categorical("user", min_count=2),
            tf_ctr.Categorical("item", min_count=2),
            tf_ctr.Categorical("device"),
            tf_ctr.Numeric("price", transform="log"),
            tf_ctr.Numeric("age", transform="quantile", num_bins=20),
        ]
    )


def frame(file: int, rows: int) -> pd.DataFrame:
    """Returns the rows of a file, the same each time: 2 million users, 300,000 items.

    A click depends on the user's and the item's number and on the price.
    """
    rng = np.random.default_rng(file)
    user = (2_000_000 * rng.random(rows) ** 2).astype(np.int64)
    item = (300_000 * rng.random(rows) ** 3).astype(np.int64)
    price = rng.lognormal(3, 1, rows).astype(np.float32)
    logit = user % 7 / 3 - item % 5 / 2 - 0.3 * np.log(price)
    return pd.DataFrame(
        {
            "user": user,
            "item": item,
            "device": rng.integers(0, 50, rows),
            "price": price,
            "age": rng.integers(15, 90, rows).astype(np.int16),
            "click": (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8),
        }
    )


def make(folder: pathlib.Path, rows: int) -> dict[str, Any]:
    """Writes the files that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    bar = keras.utils.Progbar(rows, verbose=1, interval=10, unit_name="row")
    for file, start in enumerate(range(0, rows, FILE_ROWS)):
        path = folder / f"{file:06d}.parquet"
        if not path.exists():
            with replacing(path) as temporary:
                frame(file, min(FILE_ROWS, rows - start)).to_parquet(
                    temporary, row_group_size=100_000
                )
        bar.update(min(start + FILE_ROWS, rows))
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    return {"gb_on_disk": round(size / 1e9, 2)}


def fit(folder: pathlib.Path) -> dict[str, Any]:
    """Fits the schema, unless it is there."""
    path = folder / "schema.json"
    if path.exists():
        print(f"the schema is there already: {path}")
        return {}
    schema = unfitted().fit(str(folder), verbose=1)
    schema.save(path)
    return {"ids": sum(len(field.vocabulary or ()) for field in schema.fields)}


class Pace(keras.callbacks.Callback):
    """Prints rows per second now and then, and stops the training when time is up.

    Args:
        batch_size: Rows per step.
        minutes: The longest time to train.
    """

    def __init__(self, batch_size: int, minutes: float):
        super().__init__()
        self._batch_size, self._end = batch_size, time.monotonic() + 60 * minutes
        self._marks: list[tuple[float, int]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the time once in 20 steps; the first 20 are for tracing."""
        if (batch + 1) % 20:
            return
        self._marks.append((time.monotonic(), (batch + 1) * self._batch_size))
        if not len(self._marks) % 50:
            peak = f"{peak_gib():.2f} GiB"
            rate = f"{self.rate():,.0f} a second"
            print(f"{self.rows:,} rows, {rate}, {peak}", flush=True)
        if time.monotonic() > self._end:
            print(f"time is up after {self.rows:,} rows", flush=True)
            self.model.stop_training = True

    @property
    def rows(self) -> int:
        """The rows that were trained on."""
        return self._marks[-1][1] if self._marks else 0

    def rate(self) -> float:
        """Returns the rows per second since the first mark."""
        if len(self._marks) < 2:
            return float("nan")
        (began, first), (ended, last) = self._marks[0], self._marks[-1]
        return (last - first) / (ended - began)


def train(folder: pathlib.Path, batch_size: int, minutes: float) -> dict[str, Any]:
    """Trains on one pass over the log, or until time is up."""
    schema = tf_ctr.Schema.load(folder / "schema.json")
    keras.utils.set_random_seed(0)
    model = tf_ctr.backbones.dcn(schema, embedding_dim=8, hidden_units=(64, 32))
    model.compile(SparseAdam(1e-3), "binary_crossentropy")
    pace = Pace(batch_size, minutes)
    batches = from_rows(str(folder), schema, batch_size=batch_size, shuffle=True)
    began = time.monotonic()
    model.fit(batches, verbose=0, shuffle=False, callbacks=[pace])
    return {
        "rows_trained": pace.rows,
        "rows_per_second": round(pace.rate()),
        "seconds_with_start": round(time.monotonic() - began),
        "table_rows": sum(field.table_size or 0 for field in schema.fields),
    }


def peak_gib() -> float:
    """Returns the most memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def note(rows: int, step: str, result: dict[str, Any]) -> None:
    """Adds the result of a step to the file of results."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    entry = known.setdefault(f"{rows:,} rows", {})
    entry[step] = {**entry.get(step, {}), **result}
    RESULTS.parent.mkdir(exist_ok=True)
    with replacing(RESULTS) as temporary:
        temporary.write_text(json.dumps(known, indent=1) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the program."""
    args = parse(argv)
    rows = int(args.rows)
    if args.step == "all":
        for each in (min(SMALL_ROWS, rows), rows):
            for step in ("make", "fit", "train"):
                options = [f"--rows={each}", f"--folder={args.folder}"]
                options += [
                    f"--batch-size={args.batch_size}",
                    f"--minutes={args.minutes}",
                ]
                program = [sys.executable, "-m", "pipelines.scale.large_log", step]
                subprocess.run([*program, *options], check=True)
        return
    folder = args.folder / str(rows)
    began = time.monotonic()
    if args.step == "make":
        result = make(folder, rows)
    elif args.step == "fit":
        result = fit(folder)
    else:
        result = train(folder, args.batch_size, args.minutes)
    if result:
        seconds = round(time.monotonic() - began)
        result |= {"seconds": seconds, "peak_gib": round(peak_gib(), 2)}
        note(rows, args.step, result)
        print(f"{args.step}: {result}", flush=True)


if __name__ == "__main__":
    main()
