"""Measures what AutoFT costs in serving; its paper says "almost the same".

The variants are a DCN with random weights, and three models made from it: AutoFT as it
is trained, with both branches for every instance; "grouped", by
`tf_ctr.inference.group_by_route`, with the same scores; and "static", by
`static_route`, with other scores. Tables, layers and policies are included, lookups of
raw values are not. The policies are set so that half of the instances take the frozen
branch at every site, the worst case for grouping. All variants of one size and batch
take turns in one interleaved run; `ratio` is to DCN, "DCN again" shows the noise.
Source: AutoFT (arXiv 2106.04873).

    python -m pipelines.benchmarks.autoft_cost
"""

import argparse
import time
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.benchmarks.compiled import description, inference
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers, widths
from pipelines.harness.tables import frame_table
from tf_ctr.backbones import dcn
from tf_ctr.features import Categorical, Schema
from tf_ctr.inference import group_by_route, static_route
from tf_ctr.layers import GumbelRouter
from tf_ctr.transfer import autoft, route_shares

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
BALANCE_ROWS = 4096


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("autoft_cost", __doc__, rounds=30)
    program.add_argument(
        "--sizes",
        type=widths,
        nargs="+",
        metavar="N-N-N",
        default=[(256, 128, 64), (1024, 512, 256)],
        help="widths of the deep layers; default: 256-128-64 1024-512-256",
    )
    add_number_list(program, "batch-sizes", [1, 64, 1024, 4096], "batch sizes B")
    add_numbers(
        program,
        [
            ("fields", 26, "fields, with a table each"),
            ("rows", 2000, "rows of a table"),
            ("embedding-dim", 16, "width D of the embeddings"),
            ("cross-layers", 3, "cross layers"),
            ("instances", 256, "instances in a timed call, at least one batch"),
        ],
    )
    program.add_argument(
        "--clock",
        choices=sorted(CLOCKS),
        default="wall",
        help="cpu counts only this process, and is steadier on a busy machine; "
        "default: wall",
    )
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Times all variants at all sizes and prints the tables."""
    args = parse(argv)
    print(f"{description()}, {args.clock} time\n", flush=True)
    tables = []
    for size in args.sizes:
        variants = models(size, args)
        shares = route_shares(variants["AutoFT"], batch(BALANCE_ROWS, args))
        print(
            f"{_name(size)}: of {len(shares)} sites, {shares.min():.2f} to "
            f"{shares.max():.2f} of the instances take the frozen branch",
            flush=True,
        )
        tables += [measure(size, variants, n, args) for n in args.batch_sizes]
    table = pd.concat(tables, ignore_index=True)
    if args.csv:
        table.to_csv(args.csv, index=False)
    print(f"\n{frame_table(table.set_index('layers'))}")


def models(size, args):
    """Returns `{variant: model}`; "AutoFT" and "grouped" have the same scores."""
    keras.utils.set_random_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    schema = Schema(
        [
            Categorical(name, num_buckets=args.rows - 1, dtype="int64")
            for name in _fields(args)
        ]
    )
    base = dcn(schema, args.embedding_dim, size, args.cross_layers)
    for weight in base.weights:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    model = autoft(base)
    for weight in model.trainable_weights:  # Otherwise the copies would be equal.
        weight.assign(weight + 0.01 * rng.normal(size=weight.shape))
    balance(model, batch(BALANCE_ROWS, args))
    return {
        "DCN": base,
        "AutoFT": model,
        "grouped": group_by_route(model),
        "static": static_route(model, batch(BALANCE_ROWS, args)),
    }


def balance(model, features):
    """Shifts the policies' biases so that half of the instances are frozen.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`, changed in place.
        features: `{field: ids}` of the instances.
    """
    for router in model.layers:  # In graph order: one router may feed the next.
        if isinstance(router, GumbelRouter):
            x = keras.Model(model.input, router.input)(features)
            logits = np.array(router.logits(x))
            weights = router.get_weights()
            *_, bias, _ = weights  # The last one is the temperature.
            bias[0::2] -= np.median(logits[..., 0] - logits[..., 1], axis=0)
            router.set_weights(weights)


def batch(size, args):
    """Returns `{field: ids [B]}`, drawn uniformly."""
    rng = np.random.default_rng(args.seed + 1)
    return {
        name: tf.constant(rng.integers(args.rows, size=size)) for name in _fields(args)
    }


def measure(size, variants, batch_size, args):
    """Returns the rows of one size of net and batch, one per variant.

    Args:
        size: Widths of the deep layers.
        variants: As `models` returns them.
        batch_size: Batch size B.
        args: As `parse` returns them.

    Returns:
        A frame with the columns `layers`, `batch`, `variant`, `ms` (of one batch),
        `ratio`, `low` and `high` (to DCN).
    """
    features = batch(batch_size, args)
    calls = max(1, args.instances // batch_size)
    runs = {
        name: _repeated(inference(model), features, calls)
        for name, model in variants.items()
    }
    runs["DCN again"] = runs["DCN"]
    clock = CLOCKS[args.clock]
    seconds = interleave(runs, args.rounds, args.seed, warmup=2, clock=clock)
    table = ratios(seconds / calls, "DCN").reindex(["DCN again", *variants])
    return pd.DataFrame(
        {
            "layers": _name(size),
            "batch": batch_size,
            "variant": table.index,
            "ms": table["seconds"].to_numpy() * 1e3,
            **{name: table[name].to_numpy() for name in ("ratio", "low", "high")},
        }
    )


def _repeated(run, features, calls):
    def call():
        for _ in range(calls):
            run(features)

    return call


def _fields(args):
    return [f"field_{i}" for i in range(args.fields)]


def _name(size):
    return "-".join(map(str, size))


if __name__ == "__main__":
    main()
