"""Do several workers train the model of one process, with its loss and its metrics?

Trains each model by one process and by 2 and 4 workers on this machine, with the same
rows in every step, and compares weights and metrics. AutoFT's workers draw the same
noise for their rows; the one process is made to do so.

    python -m pipelines.scale.equal
"""

import argparse
import json
import pathlib
import tempfile
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

import tf_ctr
from pipelines.harness.arguments import add_number_list, add_numbers, parser
from pipelines.harness.tables import table
from pipelines.scale import problem
from pipelines.scale.processes import addresses, start, wait
from tf_ctr.layers import GumbelRouter

RESULTS = pathlib.Path(__file__).parent / "results" / "equal.jsonl"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.scale.equal", __doc__)
    names = [*problem.MODELS, "batch_norm"]
    program.add_argument("--models", nargs="+", choices=names, default=names)
    add_number_list(program, "workers", [2, 4], "numbers of workers")
    add_numbers(program, [("steps", 8, "steps per epoch"), ("epochs", 2, "epochs")])
    program.add_argument("--worker", type=pathlib.Path, help=argparse.SUPPRESS)
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a table, and writes the results."""
    args = parse(argv)
    if args.worker:
        train_as_worker(args)
        return
    RESULTS.parent.mkdir(exist_ok=True)
    rows = []
    with RESULTS.open("w") as file:
        for count in args.workers:
            rows += [compared(args, count, name) for name in trained(args, count)]
            for row in rows[-len(args.models) :]:
                file.write(json.dumps(row) + "\n")
    head = ["model", "workers", "weights", "metrics", "loss of the last epoch"]
    print(
        table(
            head,
            [
                [
                    row["model"],
                    str(row["workers"]),
                    f"{row['weights']:.1e} ({row['variable']})",
                    f"{row['metrics']:.1e}",
                    f"{row['loss']:.6f}",
                ]
                for row in rows
            ],
        )
    )


def train_as_worker(args: argparse.Namespace) -> None:
    """Trains every model together with the other workers."""
    schema = problem.schema()
    with tf_ctr.training.workers(schema):
        shard = tf_ctr.training.shard()
        for name in args.models:
            model = problem.build(name, schema)
            run_dir = args.worker / f"run-{name}"
            history = problem.fit(
                model, schema, shard, args.steps, args.epochs, run_dir
            )
            np.savez(args.worker / f"{name}-{shard[0]}.npz", **_values(model, history))


def trained(args: argparse.Namespace, count: int) -> list[str]:
    """Starts the workers, and keeps what they wrote in `args.folder`."""
    args.folder = pathlib.Path(tempfile.mkdtemp())
    options = ["--steps", str(args.steps), "--epochs", str(args.epochs)]
    program = ["-m", __spec__.name, "--worker", str(args.folder), *options]
    hosts, log = addresses(count), args.folder / "log"
    processes = [
        start([*program, "--models", *args.models], hosts, index, log)
        for index in range(count)
    ]
    print(f"{count} workers train {', '.join(args.models)}; see {log}", flush=True)
    codes = wait(processes, 1200)
    if set(codes) != {0}:
        raise SystemExit(f"exit codes {codes}:\n{log.read_text()[-3000:]}")
    return args.models


def compared(args: argparse.Namespace, count: int, name: str) -> dict[str, object]:
    """Trains a model in this process, and returns how far the workers' is from it."""
    own = GumbelRouter._gumbel_noise

    def noise(router, shape):
        one = own(router, (shape[0] // count, *shape[1:]))
        return tf.tile(one, (count, *[1] * (len(shape) - 1)))

    GumbelRouter._gumbel_noise = noise
    try:
        schema = problem.schema()
        model = problem.build(name, schema)
        history = problem.fit(model, schema, (0, 1), args.steps, args.epochs)
    finally:
        GumbelRouter._gumbel_noise = own
    expected = _values(model, history)
    far = {key: 0.0 for key in expected}
    for index in range(count):
        found = np.load(args.folder / f"{name}-{index}.npz")
        for key, value in expected.items():
            far[key] = max(far[key], float(np.abs(found[key] - value).max()))
    weights = {key: x for key, x in far.items() if not key.startswith("history ")}
    worst = max(weights, key=weights.__getitem__)
    return {
        "model": name,
        "workers": count,
        "weights": weights[worst],
        "variable": worst,
        "metrics": max(x for key, x in far.items() if key not in weights),
        "loss": history["loss"][-1],
    }


def _values(model: keras.Model, history):
    values = {v.path: np.asarray(v, "float64") for v in model.weights}
    return values | {f"history {key}": np.array(x) for key, x in history.items()}


if __name__ == "__main__":
    main()
