"""Compares the cost of the input with that of a training step.

Writes random impressions as Parquet, CSV and TFRecord, and times one epoch of every
`tf_ctr.data` source, in order and shuffled, against training steps of the default DCN
on batches that are already in memory: 26 fields of ids, 13 numbers, batches of 4,096.
All take turns in one interleaved run; the training step takes part twice, to show the
noise. Prints the samples per second of each source, and what it takes of a training
step on as many samples, in wall time and in CPU time of all threads, with quartiles.
In training, reading runs beside the step, so on a machine with idle processors only
what exceeds 100 % of the step's wall time delays it; on a busy one, the CPU time adds.

    python -m pipelines.benchmarks.input
"""

import argparse
import functools
import itertools
import pathlib
import tempfile
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.benchmarks.interleave import interleave, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table

STEP = "training step"
SOURCES = ("frame", "cache", "parquet", "csv", "tfrecord")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    seconds = "the seconds of every round"
    program = timing_parser("input", __doc__, rounds=7, csv=seconds)
    add_numbers(
        program,
        [
            ("rows", 200_000, "impressions in an epoch"),
            ("vocabulary", 10_000, "ids per field"),
            ("batch-size", 4096, "impressions in a batch"),
            ("embedding-dim", 16, "width of the DCN's embeddings"),
            ("steps", 4, "training steps in one timed call"),
        ],
    )
    add_numbers(
        program,
        [
            ("integers", 18, "fields of integer ids"),
            ("strings", 8, "fields of string ids"),
            ("numbers", 13, "numeric fields"),
            ("cross-layers", 3, "cross layers of the DCN"),
        ],
        least=0,
    )
    text = "widths of the deep layers"
    add_number_list(program, "hidden-units", [256, 128, 64], text)
    args = program.parse_args(argv)
    if args.integers + args.strings < 1:
        program.error("--integers and --strings must give at least one field")
    if args.rows < args.batch_size:
        program.error("--rows must be at least --batch-size, one batch")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Times all sources and the training step, and prints the table."""
    args = parse(argv)
    frame = impressions(args)
    schema = fitted_schema(frame, args)
    step = training_step(frame, schema, args)
    with tempfile.TemporaryDirectory() as folder:
        variants = {STEP: step, f"{STEP} again": step}
        variants |= epochs(frame, schema, pathlib.Path(folder), args)
        variants, cpu = with_cpu_time(variants)
        seconds = interleave(variants, args.rounds, args.seed)
        cpu = pd.DataFrame(cpu)[1:].reset_index(drop=True)  # Without the warm-up.
    print(frame_table(speeds(seconds, cpu, args)))
    if args.csv:
        pd.concat({"wall": seconds, "cpu": cpu}, axis=1).to_csv(args.csv)


def impressions(args):
    """Returns random impressions: the contents do not matter, the types do."""
    rng = np.random.default_rng(args.seed)
    columns = {}
    for index in range(args.integers + args.strings):
        ids = pd.Series(rng.integers(args.vocabulary, size=args.rows))
        is_string = index >= args.integers
        columns[f"field_{index}"] = "id_" + ids.astype("str") if is_string else ids
    for index in range(args.numbers):
        columns[f"number_{index}"] = rng.normal(size=args.rows)
    columns["click"] = rng.integers(2, size=args.rows)
    return pd.DataFrame(columns)


def fitted_schema(frame, args):
    """Returns the schema of the impressions."""
    from tf_ctr.features import Categorical, Numeric, Schema

    categories = range(args.integers + args.strings)
    fields = [Categorical(f"field_{index}") for index in categories]
    fields += [Numeric(f"number_{index}") for index in range(args.numbers)]
    return Schema(fields).fit(frame)


def training_step(frame, schema, args):
    """Returns a callable that trains on the next batches and waits for the result."""
    import keras

    from tf_ctr.backbones import dcn
    from tf_ctr.data import from_frame
    from tf_ctr.optimizers import SparseAdam

    keras.utils.set_random_seed(args.seed)
    model = dcn(schema, args.embedding_dim, args.hidden_units, args.cross_layers)
    model.compile(SparseAdam(), "binary_crossentropy")
    dataset = from_frame(frame, schema, args.batch_size, drop_remainder=True)
    batches = itertools.cycle(list(dataset.take(8)))

    def step():
        for _ in range(args.steps):
            model.train_on_batch(*next(batches))

    return step


def epochs(frame, schema, folder, args):
    """Returns callables that read the whole of each source once."""
    from tf_ctr import data

    paths = {name: folder / f"impressions.{name}" for name in SOURCES}
    frame.to_parquet(paths["parquet"], row_group_size=65_536)
    frame.to_csv(paths["csv"], index=False)
    data.to_tfrecord(frame, schema, paths["tfrecord"])
    data.to_cache(paths["parquet"], schema, paths["cache"])
    variants = {}
    for name, shuffle in itertools.product(SOURCES, (False, True)):
        read = getattr(data, f"from_{name}")
        rows = frame if name == "frame" else paths[name]
        dataset = read(rows, schema, args.batch_size, shuffle=shuffle)
        label = f"from_{name}{', shuffled' if shuffle else ''}"
        variants[label] = lambda dataset=dataset: _read(dataset)
    return variants


def with_cpu_time(variants):
    """Returns the variants, and `{name: seconds}` to which each call adds its own.

    The seconds are those of all threads of the process.
    """
    cpu = {name: [] for name in variants}

    def timed(name, call):
        start = time.process_time()
        call()
        cpu[name].append(time.process_time() - start)

    timed_calls = {
        name: functools.partial(timed, name, call) for name, call in variants.items()
    }
    return timed_calls, cpu


def _read(dataset):
    for _ in dataset:
        pass


def speeds(seconds, cpu, args):
    """Returns samples per second, and what share of a training step reading costs."""
    trained = args.steps * args.batch_size
    samples = {n: trained if n.startswith(STEP) else args.rows for n in seconds}
    samples = pd.Series(samples)
    table = {"thousand samples/s": (samples / seconds).median() / 1000}
    for clock, times in {"wall": seconds, "CPU": cpu}.items():
        each = times / samples
        shares = 100 * each.div(each[STEP], axis=0)
        table |= {
            f"% of a step, {clock}": shares.median(),
            f"low, {clock}": shares.quantile(0.25),
            f"high, {clock}": shares.quantile(0.75),
        }
    return pd.DataFrame(table).rename_axis("source")


if __name__ == "__main__":
    main()
