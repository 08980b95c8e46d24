"""Measures whether the time of a training step grows with the vocabulary.

Trains a DCN with tables of 10 thousand to 10 million rows in all: "lazy", with
`tf_ctr.layers.Embedding` and `SparseAdam`; and "stock", the same network with
`keras.layers.Embedding` and `keras.optimizers.Adam`. All sizes and both variants take
turns in one interleaved run; "lazy" takes part twice, to show the noise. Prints each
variant's median step time, and its ratio to "lazy" with the fewest rows, with
quartiles.

At every size a field has the same number of ids that occur, so the batches differ only
in the table behind them. `--distinct 0` draws from whole tables instead; then the
number of rows that a step touches grows, too.

    python -m pipelines.benchmarks.vocabulary
"""

import argparse
import itertools
import os
from collections.abc import Sequence

import numpy as np

from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table

BATCHES = 8
# Weights and two moments in float32, and as much again for the whole-table
# arithmetic of stock Adam and the copies that initialisation makes.
BYTES_PER_VALUE = 4 * 3 * 2


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    seconds = "the seconds of every round"
    program = timing_parser("vocabulary", __doc__, rounds=15, csv=seconds)
    add_numbers(
        program,
        [
            ("fields", 26, "categorical fields, one table each"),
            ("batch-size", 4096, "examples in a batch"),
            ("embedding-dim", 16, "width of the embeddings"),
            ("steps", 1, "training steps in one timed call"),
        ],
    )
    add_numbers(
        program,
        [
            ("cross-layers", 3, "cross layers of the DCN"),
            ("distinct", 384, "ids per field that occur; 0 for the whole table"),
        ],
        least=0,
    )
    rows = [10_000, 100_000, 1_000_000, 10_000_000]
    add_number_list(program, "rows", rows, "table rows, all fields together")
    text = "widths of the deep layers"
    add_number_list(program, "hidden-units", [1024, 512, 256], text)
    args = program.parse_args(argv)
    if min(args.rows) < 2 * args.fields:
        program.error(f"--rows must be at least {2 * args.fields}, two for each field")
    needed = 2 * sum(args.rows) * args.embedding_dim * BYTES_PER_VALUE
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        program.error(
            f"the models need up to {needed / 1e9:.1f} GB, this machine has "
            f"{memory / 1e9:.1f} GB: leave out the largest of --rows"
        )
    return args


def main(argv: Sequence[str] | None = None) -> None:
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
    print(frame_table(ratios(seconds, f"lazy, {min(args.rows):,} rows")))
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
