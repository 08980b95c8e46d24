"""What does a step cost on several workers: rows per second, and bytes between them?

Trains a DCN by `model.fit` in 1, 2 and 4 processes on this machine, and counts the
bytes on its loopback device. The workers share its cores, so the time of a step grows
with their number here; the bytes are those of a real network. The second table has two
workers, and tables of more and more rows, with the same ids in every batch.

    python -m pipelines.scale.cost
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

import tf_ctr
from pipelines.harness.arguments import add_number_list, add_numbers, parser
from pipelines.harness.tables import table
from pipelines.scale.processes import addresses, start, wait
from tf_ctr.optimizers import exchange

RESULTS = pathlib.Path(__file__).parent / "results"
# Fields, embedding dim and layers of each network.
NETWORKS = {"small": (8, 8, (256, 128, 64)), "large": (26, 16, (1024, 512, 256))}
# Ids of each field that occur, whatever the size of its table.
DISTINCT = 2000


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.scale.cost", __doc__)
    add_number_list(program, "workers", [1, 2, 4], "numbers of workers")
    add_number_list(
        program, "rows", [100_000, 1_000_000, 10_000_000], "rows of all tables"
    )
    add_numbers(
        program,
        [("batch-size", 1024, "rows of one worker in a step"), ("steps", 40, "steps")],
    )
    program.add_argument("--network", choices=NETWORKS, default="small")
    program.add_argument("--worker", type=pathlib.Path, help=argparse.SUPPRESS)
    program.add_argument(
        "--apart", action="store_true", help="send tables one by one, to compare"
    )
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the tables, and writes the results."""
    args = parse(argv)
    if args.worker:
        train_as_worker(args)
        return
    RESULTS.mkdir(exist_ok=True)
    plan = [(count, args.rows[0], False) for count in args.workers]
    plan += [(2, rows, False) for rows in args.rows[1:]] + [(2, args.rows[0], True)]
    found = []
    with (RESULTS / f"cost_{args.network}.jsonl").open("w") as file:
        for count, rows, apart in plan:
            found.append(measured(args, count, rows, apart))
            file.write(json.dumps(found[-1]) + "\n")
            print(found[-1], flush=True)
    print(shown(found, args))


def shown(found: Sequence[dict], args: argparse.Namespace) -> str:
    """Returns the table of all measurements."""
    alone = next(each for each in found if each["workers"] == 1)
    head = ["workers", "rows of tables", "rows/s", "of W x one", "ms/step", "CPU ms"]
    cells = [
        [
            f"{each['workers']}{', tables apart' if each['apart'] else ''}",
            f"{each['rows']:,}",
            f"{each['rows_per_s']:,.0f}",
            f"{each['rows_per_s'] / alone['rows_per_s'] / each['workers']:.2f}",
            f"{each['ms']:.1f}",
            f"{each['cpu_ms']:.1f}",
            f"{each['sent_kb']:,.0f}",
        ]
        for each in found
    ]
    return table([*head, "kB sent per worker and step"], cells)


def measured(
    args: argparse.Namespace, count: int, rows: int, apart: bool
) -> dict[str, float]:
    """Starts the workers, and returns what the slowest of them measured."""
    folder = pathlib.Path(tempfile.mkdtemp())
    options = ["--worker", str(folder), "--rows", str(rows)]
    options += ["--batch-size", str(args.batch_size), "--steps", str(args.steps)]
    options += ["--network", args.network]
    hosts = addresses(count) if count > 1 else []
    program = ["-m", __spec__.name, *options, *(["--apart"] if apart else [])]
    processes = [start(program, hosts, i, folder / "log") for i in range(count)]
    codes = wait(processes, 900)
    if set(codes) != {0}:
        raise SystemExit(f"exit codes {codes}:\n{(folder / 'log').read_text()[-3000:]}")
    each = [json.loads((folder / f"{i}.json").read_text()) for i in range(count)]
    slowest = max(each, key=lambda one: one["ms"])
    return {
        "workers": count,
        "batch_size": args.batch_size,
        "rows": rows,
        "apart": apart,
        "ms": slowest["ms"],
        "rows_per_s": 1000 * args.batch_size * count / slowest["ms"],
        "cpu_ms": statistics.mean(one["cpu_ms"] for one in each),
        # All that is sent on the loopback device, by all workers.
        "sent_kb": each[0]["loopback_kb"] / count,
        "unique_rows": each[0]["unique_rows"],
        "dense_parameters": each[0]["dense_parameters"],
        "cores": os.cpu_count() or 0,
    }


def train_as_worker(args: argparse.Namespace) -> None:
    """Trains, and writes what a step costs."""
    if args.apart:
        exchange._joins = lambda gradient: False
    with tf_ctr.training.workers():
        index, _ = tf_ctr.training.shard()
        fields, dim, layers = NETWORKS[args.network]
        size = max(args.rows[0] // fields, DISTINCT)
        schema = tf_ctr.Schema(
            [
                tf_ctr.Categorical(f"f{i}", num_buckets=size - 1, dtype="int64")
                for i in range(fields)
            ]
        )
        keras.utils.set_random_seed(1)
        model = tf_ctr.backbones.dcn(schema, dim, layers)
        model.compile(tf_ctr.optimizers.SparseAdam(1e-3), "binary_crossentropy")
        features, labels = _batches(args, fields, size, index)
        dataset = tf.data.Dataset.from_tensor_slices((features, labels))
        dataset = dataset.repeat(-(-args.steps // 8)).take(args.steps)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(args.steps))
        clock = Clock()
        model.fit(dataset, epochs=2, callbacks=[clock], verbose=0, shuffle=False)
    unique = np.mean([[len(np.unique(b)) for b in f] for f in features.values()])
    values = clock.result() | {
        "unique_rows": float(unique * fields),
        "dense_parameters": sum(
            int(np.prod(v.shape))
            for v in model.trainable_variables
            if "embeddings" not in v.path
        ),
    }
    (args.worker / f"{index}.json").write_text(json.dumps(values))


class Clock(keras.callbacks.Callback):
    """Measures the steps of the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the bytes and the time."""
        self._start = (_loopback_bytes(), time.process_time(), time.perf_counter())
        self._steps = []

    def on_train_batch_end(self, batch, logs=None):
        """Notes the time."""
        self._steps.append(time.perf_counter())

    def on_epoch_end(self, epoch, logs=None):
        """Notes what the epoch took."""
        count = len(self._steps)
        sent, cpu, start = self._start
        times = np.diff([start, *self._steps])
        self._result = {
            "ms": 1000 * float(np.median(times)),
            "cpu_ms": 1000 * (time.process_time() - cpu) / count,
            "loopback_kb": (_loopback_bytes() - sent) / count / 1000,
        }

    def result(self):
        """Returns the measurements of the last epoch."""
        return self._result


def _batches(args, fields, size, index):
    """Eight batches, with the same ids for every size of the tables."""
    rng = np.random.default_rng(index)
    shape = (8, args.batch_size)
    places = np.random.default_rng(99).choice(size, DISTINCT, replace=False)
    features = {
        f"f{i}": places[(rng.zipf(1.2, shape) - 1) % DISTINCT].astype("int64")
        for i in range(fields)
    }
    return features, (rng.random(shape) < 0.3).astype("float32")


def _loopback_bytes():
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, values = line.partition(":")
        if name.strip() == "lo":
            return int(values.split()[8])
    return 0


if __name__ == "__main__":
    main()
