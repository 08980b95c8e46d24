"""What historical embeddings cost in serving, merged and as they are trained.

A DNN with BatchNorm on random ids, without historical embeddings, with a table of
snapshots and their self-attention for user and item, and with these merged into one
table per field. All variants take turns in one interleaved run; "Base again" shows the
noise.

    python -m pipelines.benchmarks.ecdctr_cost
"""

import argparse
import functools
import itertools

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.benchmarks.compiled import description, inference
from pipelines.benchmarks.interleave import add_counts, interleave, ratios
from pipelines.harness.tables import markdown
from tf_ctr.backbones import dnn
from tf_ctr.features import Categorical, Schema
from tf_ctr.inference import merge_historical
from tf_ctr.transfer import add_historical, fill_historical
from tf_ctr.transfer.historical import historical_tables

BATCHES = 4
FIELDS = ("user", "item")


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.benchmarks.ecdctr_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_counts(
        parser,
        [
            ("fields", 20, "fields beside user and item, with a table each"),
            ("rows", 100_000, "ids of user and of item"),
            ("embedding-dim", 16, "embedding dim D, and width of the snapshots"),
            ("snapshots", 3, "snapshots"),
            ("rounds", 50, "timed rounds; each runs every variant once"),
            ("steps", 4, "batches in one timed call"),
            ("seed", 0, "seed of ids, weights and orders"),
        ],
    )
    many = {"type": int, "nargs": "+", "metavar": "N"}
    parser.add_argument("--hidden-units", default=[256, 128, 64], **many)
    parser.add_argument(
        "--candidates", default=[1, 64, 512], help="examples in a served batch", **many
    )
    parser.add_argument("--csv", metavar="PATH", help="also write the tables here")
    args = parser.parse_args(argv)
    counts = [v for k, v in vars(args).items() if isinstance(v, int) and k != "seed"]
    if min(*counts, *args.hidden_units, *args.candidates) < 1:
        parser.error("every size must be at least 1")
    return args


def main(argv=None):
    """Prints a table for every size of a batch."""
    args = parse(argv)
    print(f"{description()}, {args.snapshots} snapshots of {args.rows:,} ids\n")
    runs = {name: inference(model) for name, model in models(args).items()}
    tables = {}
    for size in args.candidates:
        tables[size] = costs(runs, size, args)
        print(f"{size} candidates, ratio to Base\n\n{markdown(tables[size])}\n")
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
