"""Compares what a version costs when it is asked by examples and by tensors.

Takes the CPU time of this process for `serving_default` and `predict_examples` on the
same rows, without network: the signature, and what the client does to build the
request. All variants take turns in one interleaved run; "tensors again" is the noise.

    python -m pipelines.benchmarks.examples savedmodels/dcn/1
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.benchmarks.compiled import description
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list
from pipelines.harness.tables import frame_table
from tf_ctr.features import Schema
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.version import load_saved_model, load_schema
from tf_ctr.serving.wire.protos import predict_request
from tf_ctr.serving.wire.signatures import DEFAULT, EXAMPLES, signature_inputs

# Short calls are repeated, so that the clock of the CPU has something to count.
REPEATED_ROWS = 256


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("examples", __doc__, rounds=100)
    program.add_argument("version", metavar="VERSION", help="a version directory")
    add_number_list(program, "batch-sizes", [1, 64, 1024], "batch sizes B")
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the CPU time of a request, on the server and in the client."""
    args = parse(argv)
    print(f"{description()}, {args.rounds} rounds\n")
    frame = costs(args.version, args.batch_sizes, args.rounds, args.seed)
    print(frame_table(frame))
    if args.csv:
        frame.to_csv(args.csv)


def costs(
    version: str, batch_sizes: Sequence[int], rounds: int, seed: int
) -> pd.DataFrame:
    """Returns a row per batch size and side, with ms of tensors and ratios to them.

    Args:
        version: A version directory.
        batch_sizes: Rows per request.
        rounds: Timed rounds.
        seed: Seed of rows and orders.
    """
    schema, loaded = load_schema(version), load_saved_model(version)
    found = []
    for size in batch_sizes:
        columns = raw_columns(schema, schema.example_rows(size, seed))
        for side, calls in _sides(loaded, columns, schema).items():
            repeats = max(1, REPEATED_ROWS // size)
            variants = {name: _repeated(call, repeats) for name, call in calls.items()}
            seconds = interleave(variants, rounds, seed, 3, time.process_time)
            table = ratios(seconds / repeats, "tensors")
            quartiles = table.loc["examples", ["ratio", "low", "high"]]
            found.append(
                {
                    "batch": size,
                    "side": side,
                    "ms by tensors": 1e3 * table.loc["tensors", "seconds"],
                    "tensors again": table.loc["tensors again", "ratio"],
                    "examples": quartiles["ratio"],
                    "low": quartiles["low"],
                    "high": quartiles["high"],
                }
            )
    return pd.DataFrame(found).set_index("batch")


def _sides(
    loaded: Any, columns: dict[str, np.ndarray], schema: Schema
) -> dict[str, dict[str, Callable[[], Any]]]:
    """The calls to time: `{side: {variant: call}}`."""

    def inputs(name):
        return signature_inputs(name, columns, schema, ())

    def asked(name):
        tensors = {key: tf.constant(array) for key, array in inputs(name).items()}
        function = loaded.signatures[name]
        return lambda: [value.numpy() for value in function(**tensors).values()]

    def built(name):
        return lambda: predict_request(inputs(name)).SerializeToString()

    return {
        side: {
            "tensors": make(DEFAULT),
            "examples": make(EXAMPLES),
            "tensors again": make(DEFAULT),
        }
        for side, make in (("server", asked), ("client", built))
    }


def _repeated(call, times):
    def calls():
        for _ in range(times):
            call()

    return calls


if __name__ == "__main__":
    main()
