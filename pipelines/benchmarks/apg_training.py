"""Measures a training step with APG, on a model of the size of MovieLens-1M.

The step is complete, with embeddings and `SparseAdam`, on random ids of tables as large
as MovieLens-1M's. Base, Base again (the noise), v4, and v5 with some widths P take
turns in one interleaved run. The aim is at most 1.5 times Base for v5.

    python -m pipelines.benchmarks.apg_training
"""

import argparse
import itertools
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.benchmarks.compiled import description
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table
from tf_ctr import training
from tf_ctr.backbones import BACKBONES
from tf_ctr.features import Categorical, Schema
from tf_ctr.transfer import apg

# Distinct values of users, movies, genders, ages, occupations and zip codes.
ROWS = {
    "user_id": 6040,
    "movie_id": 3706,
    "gender": 2,
    "age": 7,
    "occupation": 21,
    "zip_code": 3439,
}
BATCHES = 8


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("apg_training", __doc__, rounds=30)
    add_numbers(
        program,
        [
            ("batch-size", 1024, "examples in a batch"),
            ("embedding-dim", 32, "width of the embeddings"),
            ("rank", 4, "rank K"),
            ("steps", 4, "training steps in one timed call"),
        ],
    )
    add_number_list(program, "hidden-units", [256, 128, 64], "widths of deep layers")
    add_number_list(program, "over-parameters", [32, 256], "widths P of v5")
    add = program.add_argument
    add(
        "--backbone",
        choices=sorted(BACKBONES),
        default="dcn",
        help="the model; default: dcn",
    )
    add(
        "--condition",
        choices=["self", *ROWS],
        default="user_id",
        help="the field that APG adapts to, or self; default: user_id",
    )
    args = program.parse_args(argv)
    if min(args.hidden_units) < args.rank:
        program.error("every width must be at least the rank")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Times a step of each variant and prints the table."""
    args = parse(argv)
    variants = {name: _steps(model, args) for name, model in models(args).items()}
    variants["Base again"] = variants["Base"]
    seconds = interleave(variants, args.rounds, args.seed, warmup=2) / args.steps
    print(f"{description()}, {args.backbone}, condition {args.condition}\n")
    print(frame_table(ratios(seconds, "Base")))


def models(args):
    """Returns `{variant: compiled model}`."""
    keras.utils.set_random_seed(args.seed)
    # A hashed field has one row more than it has buckets, for missing values.
    schema = Schema(
        [Categorical(n, num_buckets=rows, dtype="int64") for n, rows in ROWS.items()]
    )
    base = BACKBONES[args.backbone](
        schema, embedding_dim=args.embedding_dim, hidden_units=tuple(args.hidden_units)
    )
    options = {"v4": {"version": "v4"}}
    for width in args.over_parameters:
        options[f"v5, P = {width}"] = {"over_parameter": width}
    variants = {"Base": base}
    for name, option in options.items():
        variants[name] = apg(base, args.condition, args.rank, **option)
    return {name: training.compile(model) for name, model in variants.items()}


def _steps(model, args):
    """Returns a callable that trains for some steps and waits for the result."""
    rng = np.random.default_rng(args.seed)
    batches = itertools.cycle([_batch(rng, args) for _ in range(BATCHES)])

    def step():
        for _ in range(args.steps):
            model.train_on_batch(*next(batches))

    return step


def _batch(rng, args):
    ids = {
        name: tf.constant(rng.integers(rows + 1, size=args.batch_size))
        for name, rows in ROWS.items()
    }
    return ids, tf.constant(rng.integers(2, size=args.batch_size).astype("float32"))


if __name__ == "__main__":
    main()
