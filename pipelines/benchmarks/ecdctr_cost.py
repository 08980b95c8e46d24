"""Measures historical embeddings in serving, merged and as they are trained.

The variants are a DNN with BatchNorm on random ids, without historical embeddings; with
a table of snapshots and their self-attention for user and item; and with these merged
into one table per field. All variants take turns in one interleaved run; "Base again"
shows the noise.

    python -m pipelines.benchmarks.ecdctr_cost
"""

import argparse
import functools
import itertools
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.benchmarks.compiled import description, inference
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table
from tf_ctr.backbones import dnn
from tf_ctr.features import Categorical, Schema
from tf_ctr.inference import merge_historical
from tf_ctr.transfer import add_historical, fill_historical
from tf_ctr.transfer.historical import historical_tables

BATCHES = 4
FIELDS = ("user", "item")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("ecdctr_cost", __doc__, rounds=50, csv="the tables")
    add_numbers(
        program,
        [
            ("fields", 20, "fields besides user and item, with a table each"),
            ("rows", 100_000, "ids of user and of item"),
            ("embedding-dim", 16, "width D of the embeddings and of the snapshots"),
            ("snapshots", 3, "snapshots"),
            ("steps", 4, "batches in one timed call"),
        ],
    )
    add_number_list(program, "hidden-units", [256, 128, 64], "widths of hidden layers")
    add_number_list(program, "candidates", [1, 64, 512], "examples in a served batch")
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a table for every size of a batch."""
    args = parse(argv)
    print(f"{description()}, {args.snapshots} snapshots of {args.rows:,} ids\n")
    runs = {name: inference(model) for name, model in models(args).items()}
    tables = {}
    for size in args.candidates:
        tables[size] = costs(runs, size, args)
        print(f"{size} candidates, ratio to Base\n\n{frame_table(tables[size])}\n")
    if args.csv:
        pd.concat(tables, names=["candidates", "variant"]).to_csv(args.csv)


def costs(runs, size, args):
    """Returns seconds and ratios of a served batch."""
    calls = {name: _steps(run, size, args) for name, run in runs.items()}
    calls["Base again"] = calls["Base"]
    seconds = interleave(calls, args.rounds, args.seed, warmup=2) / args.steps
    return ratios(seconds, "Base")


def models(args):
    """Returns `{variant: model}`, all with random weights."""
    keras.utils.set_random_seed(args.seed)
    sizes = {
        "embedding_dim": args.embedding_dim,
        "hidden_units": tuple(args.hidden_units),
    }
    build = functools.partial(dnn, batch_norm=True, **sizes)
    rng = np.random.default_rng(args.seed)
    model = add_historical(
        build, schema(args), FIELDS, args.embedding_dim, args.snapshots
    )
    found = {}
    for field, table in historical_tables(model).items():
        shape = (table.input_dim, args.snapshots)
        values = rng.normal(size=(*shape, args.embedding_dim)).astype("float32")
        found[field] = range(args.snapshots), values, rng.random(shape) < 0.8
    fill_historical(model, found)
    return {
        "Base": build(schema(args)),
        "Snapshots": model,
        "Merged": merge_historical(model),
    }


def schema(args):
    """Returns a schema of user, item, and small fields."""
    ids = [Categorical(name, vocabulary=range(args.rows)) for name in FIELDS]
    small = [Categorical(f"field_{i}", range(100)) for i in range(args.fields)]
    return Schema([*ids, *small])


def _steps(run, size, args):
    """Returns a callable that makes some calls, each with the next batch."""
    rng = np.random.default_rng(args.seed)
    batches = itertools.cycle(
        [
            {
                field.name: tf.constant(rng.integers(1, field.table_size, size))
                for field in schema(args).fields
            }
            for _ in range(BATCHES)
        ]
    )

    def steps():
        for _ in range(args.steps):
            run(next(batches))

    return steps


if __name__ == "__main__":
    main()
