"""Compares forms of APG's K x K product with each other and with the machine's limit.

Every example has its own matrix: `y_b = h_b S_b`. Three forms, written in
`keras.ops`, and the form that `tf_ctr.layers` chooses ("library") take turns in one
interleaved run; "einsum again" shows the noise. A timed call chains several products,
so that it does not measure the cost of a call from Python.

The limit is the speed of a large matrix product on the same machine, measured in the
same run; `of_peak` is the share of it that a form reaches. If that is small at every
size, bytes are the limit and not products: each number of `S_b` is read for only one
multiplication and one addition. `gb_per_s` is the rate at which `S` is read.

    python -m pipelines.benchmarks.apg_forms
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd
from keras import ops

from pipelines.benchmarks.compiled import compiled, description
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table
from tf_ctr.layers.core.ops import vector_matrix

PEAK = "peak"


def einsum(h, s):
    """Multiplies by einsum, the form that one writes first."""
    return ops.einsum("bk,bkj->bj", h, s)


def batched_matmul(h, s):
    """Multiplies `[1, K]` by `[K, K]` for each example."""
    return ops.squeeze(ops.matmul(ops.expand_dims(h, 1), s), 1)


def multiply_reduce(h, s):
    """Multiplies with broadcasting, then sums."""
    return ops.sum(ops.expand_dims(h, 2) * s, axis=1)


FORMS = {
    "einsum": einsum,
    "einsum again": einsum,
    "batched matmul": batched_matmul,
    "multiply-reduce": multiply_reduce,
    "library": vector_matrix,
}


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("apg_forms", __doc__, rounds=30)
    add_number_list(program, "ranks", [2, 4, 8, 16, 32], "ranks K")
    add_number_list(program, "batch-sizes", [64, 512, 4096, 8192], "batch sizes B")
    add_numbers(
        program,
        [
            ("chain", 8, "products in one timed call"),
            ("peak-size", 1024, "rows and columns of the large matrix product"),
        ],
    )
    program.add_argument("--xla", action="store_true", help="compile with XLA")
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Times all forms at all sizes and prints the table."""
    args = parse(argv)
    tables = [
        measure(rank, batch_size, args)
        for rank in args.ranks
        for batch_size in args.batch_sizes
    ]
    table = pd.concat(tables, ignore_index=True)
    if args.csv:
        table.to_csv(args.csv, index=False)
    print(f"{description(args.xla)}\n")
    print(frame_table(table.set_index("form")))


def measure(rank, batch_size, args):
    """Returns the rows of one size, one per form.

    Args:
        rank: Rank K.
        batch_size: Batch size B.
        args: As `parse` returns them.

    Returns:
        A frame with the columns `rank`, `batch`, `form`, `us` (microseconds of one
        product), `ratio`, `low`, `high` (to einsum), `gflop_per_s`, `of_peak`,
        `gb_per_s`.
    """
    rng = np.random.default_rng(args.seed)
    # With variance 1 / K, a chain of products neither grows nor vanishes.
    matrices = rng.normal(size=(batch_size, rank, rank)) / np.sqrt(rank)
    s = ops.convert_to_tensor(matrices.astype("float32"))
    h = ops.convert_to_tensor(rng.normal(size=(batch_size, rank)).astype("float32"))
    variants = {name: _chain(form, h, s, args) for name, form in FORMS.items()}
    variants[PEAK] = _large_product(args)
    seconds = interleave(variants, args.rounds, args.seed, warmup=3)
    table = ratios(seconds, "einsum")
    peak = 2 * args.peak_size**3 / table.loc[PEAK, "seconds"]
    table = table.drop(index=PEAK)
    table["seconds"] /= args.chain
    speed = 2 * batch_size * rank**2 / table["seconds"]
    return pd.DataFrame(
        {
            "form": table.index,
            "rank": rank,
            "batch": batch_size,
            "us": table["seconds"].to_numpy() * 1e6,
            **{name: table[name].to_numpy() for name in ("ratio", "low", "high")},
            "gflop_per_s": speed.to_numpy() / 1e9,
            "of_peak": speed.to_numpy() / peak,
            "gb_per_s": speed.to_numpy() * 2 / 1e9,  # 4 bytes for 2 operations.
        }
    )


def _chain(form, h, s, args):
    def products(h, s):
        for _ in range(args.chain):
            h = form(h, s)
        return h

    run = compiled(products, args.xla)
    return lambda: run(h, s)


def _large_product(args):
    matrix = ops.ones((args.peak_size, args.peak_size))
    run = compiled(ops.matmul, args.xla)
    return lambda: run(matrix, matrix)


if __name__ == "__main__":
    main()
