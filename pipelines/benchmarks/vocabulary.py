"""Does a training step's time grow with the vocabulary?

Trains a DCN with tables of 10 thousand to 10 million rows in all, (a) with
`tf_ctr.layers.Embedding` and `SparseAdam`, (b) with the same network, stock
`keras.layers.Embedding` and `keras.optimizers.Adam`. All sizes and both variants take
turns in one interleaved run, and (a) takes part twice, to show the noise. Prints a
Markdown table of each variant's median step time and its ratio to (a) with the fewest
rows, with quartiles.

Fields keep the same number of live ids at every size, so that the batches differ in
nothing but the table behind them; `--distinct 0` draws from whole tables instead, and
then the number of rows that a step touches grows, too.

    python -m pipelines.benchmarks.vocabulary
"""

import argparse
import itertools
import os
import pathlib

import numpy as np

from pipelines.benchmarks.interleave import add_counts, interleave, ratios
from pipelines.harness.tables import markdown

BATCHES = 8
# Weights and two moments in float32, and as much again for the whole-table
# arithmetic of stock Adam and the copies that initialisation makes.
BYTES_PER_VALUE = 4 * 3 * 2


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.benchmarks.vocabulary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_counts(
        parser,
        [
            ("fields", 26, "categorical fields, one table each"),
            ("batch-size", 4096, "examples in a batch"),
            ("embedding-dim", 16, "embedding dim"),
            ("cross-layers", 3, "cross layers of the DCN"),
            ("distinct", 384, "live ids per field; 0: the whole table"),
            ("rounds", 15, "timed rounds; each runs every variant once"),
            ("steps", 1, "training steps in one timed call"),
            ("seed", 0, "seed of ids, weights and orders"),
        ],
    )
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        metavar="N",
        default=[10_000, 100_000, 1_000_000, 10_000_000],
        help="table rows, all fields together (default: 10k 100k 1M 10M)",
    )
    parser.add_argument(
        "--hidden-units",
        type=int,
        nargs="+",
        metavar="N",
        default=[1024, 512, 256],
        help="widths of the deep layers (default: 1024 512 256)",
    )
    parser.add_argument(
        "--csv", metavar="PATH", help="also write the seconds of every round here"
    )
    args = parser.parse_args(argv)
    _check(parser, args)
    return args


def _check(parser, args):
    positive = ["fields", "batch_size", "embedding_dim", "rounds", "steps"]
    for name in positive:
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if args.distinct < 0 or args.cross_layers < 0 or min(args.hidden_units) < 1:
        parser.error("no size may be negative, and no deep layer empty")
    if min(args.rows) < 2 * args.fields:
        parser.error(f"--rows must be at least {2 * args.fields}, two for each field")
    if args.csv and not pathlib.Path(args.csv).absolute().parent.is_dir():
        parser.error(f"--csv {args.csv}: there is no such folder")
    needed = 2 * sum(args.rows) * args.embedding_dim * BYTES_PER_VALUE
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        parser.error(
            f"the models need up to {needed / 1e9:.1f} GB, this machine has "
            f"{memory / 1e9:.1f} GB: leave out the largest of --rows"
        )


def main(argv=None):
    """Times all variants and prints the table."""
    args = parse(argv)
    variants = {}
    for rows in args.rows:
        lazy = training_step(lazy_model(args, rows), args, rows)
        variants[f"lazy, {rows:,} rows"] = lazy
        variants[f"lazy again, {rows:,} rows"] = lazy
        stock = training_step(stock_model(args, rows), args, rows)
        variants[f"stock, {rows:,} rows"] = stock
    seconds = interleave(variants, args.rounds, args.seed) / args.steps
    print(markdown(ratios(seconds, f"lazy, {min(args.rows):,} rows")))
    if args.csv:
        seconds.to_csv(args.csv)


def lazy_model(args, rows):
    """Returns the DCN with tf_ctr's tables and lazy Adam."""
    from tf_ctr.optimizers import SparseAdam

    return _compiled(_dcn(args, rows), SparseAdam())


def stock_model(args, rows):
    """Returns the same network with Keras's own tables and Adam."""
    import keras

    from tf_ctr.layers import Embedding

    def stock(layer):
        if isinstance(layer, Embedding):
            return keras.layers.Embedding(
                layer.input_dim,
                layer.output_dim,
                layer.embeddings_initializer,
                name=layer.name,
            )
        return layer.__class__.from_config(layer.get_config())

    model = keras.models.clone_model(_dcn(args, rows), clone_function=stock)
    return _compiled(model, keras.optimizers.Adam())


def _dcn(args, rows):
    import keras

    from tf_ctr.backbones import dcn
    from tf_ctr.features import Categorical, Schema

    keras.utils.set_random_seed(args.seed)
    # A hashed field has one row more than it has buckets, for missing values.
    buckets = rows // args.fields - 1
    names = [f"field_{i}" for i in range(args.fields)]
    schema = Schema([Categorical(n, num_buckets=buckets, dtype="int64") for n in names])
    return dcn(schema, args.embedding_dim, args.hidden_units, args.cross_layers)


def _compiled(model, optimizer):
    # Neither variant with XLA, which is off by default on a CPU.
    model.compile(optimizer, "binary_crossentropy", jit_compile=False)
    return model


def training_step(model, args, rows):
    """Returns a callable that trains on the next batches and waits for the result."""
    batches = itertools.cycle(_batches(list(model.input), args, rows))

    def step():
        for _ in range(args.steps):
            model.train_on_batch(*next(batches))

    return step


def _batches(names, args, rows):
    import tensorflow as tf

    rng = np.random.default_rng(args.seed)
    table_rows = rows // args.fields
    live = {name: _live_ids(rng, table_rows, args.distinct) for name in names}
    labels = rng.integers(2, size=(BATCHES, args.batch_size)).astype("float32")
    for label in labels:
        ids = {n: rng.choice(live[n], size=args.batch_size) for n in names}
        yield {n: tf.constant(values) for n, values in ids.items()}, tf.constant(label)


def _live_ids(rng, table_rows, distinct):
    if not 0 < distinct < table_rows:
        return np.arange(table_rows)
    return rng.choice(table_rows, size=distinct, replace=False)


if __name__ == "__main__":
    main()
