"""Measures how well `tf_ctr.data` shuffles rows that are in the order of their time.

Writes rows that hold their own number, and reads them shuffled. The correlation of the
numbers of neighbouring rows is 0 for a random order of all rows and 1 for the order of
the files. The second number is the same for rows 4,096 apart, one batch: as long as it
is high, a batch sees a part of the log only. Sources: the whole frame in memory, a
cache, and Parquet in small and in large row groups, with 8 and 32 blocks mixed.

    python -m pipelines.benchmarks.shuffling
"""

import argparse
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.harness.arguments import add_numbers, parser
from pipelines.harness.tables import frame_table

LAGS = (1, 4096)
BLOCKS = (8, 32)
ROW_GROUPS = (1 << 16, 1 << 20)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.benchmarks.shuffling", __doc__)
    add_numbers(program, [("rows", 1 << 22, "rows"), ("seed", 0, "seed of the orders")])
    args = program.parse_args(argv)
    if args.rows <= max(LAGS) + 1:
        program.error(f"--rows must be at least {max(LAGS) + 2}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Reads all sources and prints the table."""
    args = parse(argv)
    with tempfile.TemporaryDirectory() as folder:
        table = {
            name: {f"rows {lag:,} apart": correlation(order, lag) for lag in LAGS}
            for name, order in orders(args, pathlib.Path(folder))
        }
    print(frame_table(pd.DataFrame(table).T.rename_axis("source")))


def orders(args, folder):
    """Yields the name of each source, and the numbers of its rows as they are read."""
    from tf_ctr import data
    from tf_ctr.features import Numeric, Schema

    frame = pd.DataFrame({"row": np.arange(args.rows, dtype="float32"), "click": 0})
    schema = Schema([Numeric("row", mean=0.0, std=1.0, clip=None)])
    how = {"batch_size": 4096, "shuffle": True, "seed": args.seed}
    yield "frame", numbers(data.from_frame(frame, schema, **how))
    data.to_cache(frame, schema, folder / "cache")
    for blocks in BLOCKS:
        dataset = data.from_cache(
            folder / "cache", schema, shuffle_blocks=blocks, **how
        )
        yield f"cache, {blocks} blocks", numbers(dataset)
    for size in ROW_GROUPS:
        path = folder / f"{size}.parquet"
        frame.to_parquet(path, row_group_size=size)
        for blocks in BLOCKS:
            dataset = data.from_parquet(path, schema, shuffle_blocks=blocks, **how)
            name = f"Parquet, row groups of {size:,}, {blocks} blocks"
            yield name, numbers(dataset)


def numbers(dataset):
    """Returns the numbers of the rows in their order, `[rows]`."""
    return np.concatenate([features["row"].numpy()[:, 0] for features, _ in dataset])


def correlation(order, lag):
    """Returns the correlation of the numbers of rows that are `lag` apart."""
    return float(np.corrcoef(order[:-lag], order[lag:])[0, 1])


if __name__ == "__main__":
    main()
