"""Predicts and exports in eight threads at once, and compares all scores.

Four threads score the same rows again and again, four export the model into one folder.
Every score must equal that of a single thread, and every version must be whole, have a
number of its own, and give the scores of the model.

    python -m pipelines.faults.threads
"""

import argparse
import concurrent.futures
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np

from tests.support.exported import trained_dcn
from tests.support.frames import click_frame, click_schema
from tf_ctr.evaluation import predict
from tf_ctr.export import export
from tf_ctr.serving.parity import compare_ways
from tf_ctr.verification import verify

THREADS = 8


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the threads, and prints what they did."""
    program = argparse.ArgumentParser(
        prog="python -m pipelines.faults.threads", description=__doc__.splitlines()[0]
    )
    program.add_argument("--rounds", type=int, default=12, metavar="N")
    args = program.parse_args(argv)
    print(run(args.rounds))


def run(rounds: int) -> str:
    """Runs the threads, and returns what they did, in words.

    Args:
        rounds: How often each thread that predicts does so; a third as many exports.
    """
    schema, rows = click_schema(), click_frame()
    model = trained_dcn(schema)
    expected = predict(model, rows, schema)
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder, "dcn")

        def scores(_: int) -> int:
            return sum(
                np.array_equal(predict(model, rows, schema), expected)
                for _ in range(rounds)
            )

        def versions(_: int) -> list[pathlib.Path]:
            return [
                export(model, schema, directory, sample=rows, verbose=False)
                for _ in range(max(1, rounds // 3))
            ]

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            half = range(THREADS // 2)
            predicting = [pool.submit(scores, each) for each in half]
            exporting = [pool.submit(versions, each) for each in half]
            equal = sum(each.result() for each in predicting)
            made = [path for each in exporting for path in each.result()]
        differences = [
            compare_ways(each, rows, ways=["this process"], trust=True).largest
            for each in made
        ]
        found = verify(directory)
    total = rounds * THREADS // 2
    return (
        f"{equal} of {total} predictions equal to the bit; {len(set(made))} of "
        f"{len(made)} versions with a number of their own, largest difference of a "
        f"score {max(differences):.1e}; {found}"
    )


if __name__ == "__main__":
    main()
