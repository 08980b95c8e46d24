"""Compares retrieval with attention to the whole history, as histories grow.

All take turns in one interleaved run for each length T, on vectors looked up before:

  full            `TargetAttention`, which projects no key; the reference
  full again      the same layer: the noise
  full, projected `keras.layers.MultiHeadAttention`, the textbook form, which projects
                  every key and every value
  SIM, ETA        search among T behaviours, then attention to k
  k given         attention to k without a search: the least that both can cost

`forward` is inference. `gradient` is the forward pass and the gradients of weights and
vectors, as in training.

    python -m pipelines.benchmarks.sequences
"""

import argparse
import functools
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.benchmarks.compiled import compiled, description
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table
from tf_ctr.layers import ETAAttention, SIMAttention, TargetAttention

PASSES = ("forward", "gradient")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("sequences", __doc__, rounds=20)
    text = "lengths T of the histories"
    add_number_list(program, "lengths", [50, 200, 1000, 2000], text)
    add_numbers(
        program,
        [
            ("batch-size", 128, "examples in a batch"),
            ("embedding-dim", 16, "width D of the embeddings"),
            ("units", 256, "width of the attention"),
            ("num-heads", 8, "heads of the attention"),
            ("top-k", 64, "behaviours that a search keeps"),
            ("bits", 32, "bits of ETA's codes"),
            ("categories", 10, "categories, all equally frequent"),
        ],
    )
    args = program.parse_args(argv)
    if args.units % args.num_heads:
        program.error("--units must be a multiple of --num-heads")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table of times."""
    args = parse(argv)
    print(f"{description()}, B = {args.batch_size}, D = {args.embedding_dim}\n")
    tables = []
    for length in args.lengths:
        for which in PASSES:
            tables.append(measure(length, which, args))
            print(f"measured T = {length}, {which}", flush=True)
    table = pd.concat(tables, ignore_index=True)
    if args.csv:
        table.to_csv(args.csv, index=False)
    print(f"\n{frame_table(table.set_index('T'))}")


def measure(length, which, args):
    """Returns the rows of one length and pass, one per variant.

    Args:
        length: Length T of the histories.
        which: `"forward"` or `"gradient"`.
        args: As `parse` returns them.

    Returns:
        A frame with the columns `T`, `pass`, `variant`, `ms`, `ratio`, `low`, `high`
        (to full attention).
    """
    seconds = interleave(variants(length, which, args), args.rounds, args.seed, 2)
    table = ratios(seconds, "full")
    columns = {name: table[name].to_numpy() for name in ("ratio", "low", "high")}
    milliseconds = table["seconds"].to_numpy() * 1e3
    head = {"T": length, "pass": which, "variant": table.index, "ms": milliseconds}
    return pd.DataFrame({**head, **columns})


def variants(length, which, args):
    """Returns `{variant: callable}`, all on the same vectors."""
    keras.utils.set_random_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    shape = (args.batch_size, length)
    query, rows = (
        tf.constant(rng.normal(size=size).astype("float32"))
        for size in ((shape[0], args.embedding_dim), (*shape, args.embedding_dim))
    )
    # Half of the histories are shorter.
    lengths = rng.integers(1, 2 * length, size=(shape[0], 1))
    ids = tf.constant((np.arange(length) < lengths).astype("int64"))
    category, categories = (
        tf.constant(rng.integers(1, args.categories + 1, size=size))
        for size in (shape[0], shape)
    )
    few = min(args.top_k, length)
    sizes = {"units": args.units, "num_heads": args.num_heads}
    full = TargetAttention(**sizes)
    sim = SIMAttention(**sizes, top_k=args.top_k)
    eta = ETAAttention(**sizes, top_k=args.top_k, bits=args.bits)
    timed = functools.partial(_timed, which)
    calls = {
        "full": timed(full, query, rows, ids),
        "full, projected": timed(_textbook(args), query, rows, ids),
        "SIM": timed(sim, query, rows, ids, category, categories),
        "ETA": timed(eta, query, rows, ids),
        "k given": timed(TargetAttention(**sizes), query, rows[:, :few], ids[:, :few]),
    }
    return {**calls, "full again": calls["full"]}


def _textbook(args):
    """Keras's multi-head attention with the call of `TargetAttention`."""
    query, rows = (
        keras.Input((args.embedding_dim,)),
        keras.Input((None, args.embedding_dim)),
    )
    ids = keras.Input((None,), dtype="int64")
    attention = keras.layers.MultiHeadAttention(
        args.num_heads,
        args.units // args.num_heads,
        use_bias=False,
        output_shape=args.units,
    )
    present = keras.ops.expand_dims(ids != 0, 1)
    output = attention(keras.ops.expand_dims(query, 1), rows, attention_mask=present)
    model = keras.Model([query, rows, ids], output)
    return lambda *arguments: model(list(arguments))


def _timed(which, layer, query, rows, *others):
    def forward(query, rows, *others):
        return layer(query, rows, *others)

    def gradient(query, rows, *others):
        with tf.GradientTape() as tape:
            tape.watch((query, rows))
            loss = tf.reduce_sum(forward(query, rows, *others) ** 2)
        sources = [query, rows, *tape.watched_variables()]
        return tape.gradient(loss, list({id(s): s for s in sources}.values()))

    forward(query, rows, *others)  # Variables are made outside of the graph.
    run = compiled({"forward": forward, "gradient": gradient}[which])
    return lambda: run(query, rows, *others)


if __name__ == "__main__":
    main()
