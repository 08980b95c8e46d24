"""Measures CTNet: a training step, and serving with and without shared attention.

The model is the production backbone of CTNet's paper, with random weights and ids, and
CTNet with two such towers. `training` compares complete steps, with tables and
`SparseAdagrad`, with the sum of Base's step and the source's forward pass in the same
round: CTNet cannot cost less, and the aim is at most 1.5 times that sum. `serving`
compares inference with Base's. All variants of one table take turns in one interleaved
run; "Base again" shows the noise.

    python -m pipelines.benchmarks.ctnet_cost
"""

import argparse
import itertools
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.benchmarks.compiled import description, inference
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers
from pipelines.harness.tables import frame_table
from tf_ctr import features
from tf_ctr.backbones import taobao
from tf_ctr.features import Categorical, Schema
from tf_ctr.optimizers import SparseAdagrad
from tf_ctr.transfer import ctnet

BATCHES = 4
LEAST = "Base + source forward"
# Also the target attention, which in the paper each tower has for itself.
ALL = ("*_attention", "*_sim", "*_eta")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("ctnet_cost", __doc__, rounds=20, csv="the tables")
    add_numbers(
        program,
        [
            ("batch-size", 512, "examples in a training batch"),
            ("candidates", 512, "examples in a served batch"),
            ("fields", 20, "fields besides item and category, with a table each"),
            ("rows", 10_000, "rows of a table"),
            ("history", 200, "length of the history"),
            ("categories", 20, "categories, all equally frequent"),
            ("embedding-dim", 16, "width D of the embeddings"),
            ("attention-units", 256, "width of every attention, a multiple of 8"),
            ("top-k", 64, "behaviours that SIM and ETA keep"),
            ("steps", 2, "steps or batches in one timed call"),
        ],
    )
    text = "widths of the hidden layers"
    add_number_list(program, "hidden-units", [1024, 512, 256], text)
    args = program.parse_args(argv)
    if args.attention_units % 8:
        program.error("--attention-units must be a multiple of 8")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Prints both tables."""
    args = parse(argv)
    print(f"{description()}, taobao, T = {args.history}\n", flush=True)
    tables = {"training": training_costs(args), "serving": serving_costs(args)}
    for name, table in tables.items():
        print(f"{name}, ratio to {reference(name)}\n\n{frame_table(table)}\n")
        if args.csv:
            table.to_csv(f"{args.csv}_{name}.csv")


def reference(name):
    """Returns what a table compares with."""
    return LEAST if name == "training" else "Base"


def training_costs(args):
    """Returns seconds and ratios of a training step."""
    calls = {}
    for name, model in models(args).items():
        model.compile(SparseAdagrad(0.01), "binary_crossentropy")  # As CTNet.
        calls[name] = _steps(model.train_on_batch, args.batch_size, args)
    forward = inference(models(args)["Base"])
    calls["source forward"] = _steps(
        lambda features, labels: forward(features), args.batch_size, args
    )
    calls["Base again"] = calls["Base"]
    seconds = interleave(calls, args.rounds, args.seed, warmup=2) / args.steps
    seconds[LEAST] = seconds["Base"] + seconds["source forward"]
    return ratios(seconds, LEAST)


def serving_costs(args):
    """Returns seconds and ratios of a served batch."""
    calls = {}
    for name, model in models(args).items():
        run = inference(model)
        calls[name] = _steps(
            lambda features, labels, run=run: run(features), args.candidates, args
        )
    calls["Base again"] = calls["Base"]
    seconds = interleave(calls, args.rounds, args.seed, warmup=2) / args.steps
    return ratios(seconds, "Base")


def models(args):
    """Returns `{variant: uncompiled model}`."""
    keras.utils.set_random_seed(args.seed)
    source, target = (_backbone(args) for _ in range(2))
    return {
        "Base": target,
        "CTNet": ctnet(source, target),
        "CTNet, shared SIM and ETA": ctnet(source, target, share_attention=True),
        "CTNet, all attention shared": ctnet(source, target, share_attention=ALL),
    }


def _backbone(args):
    return taobao(
        schema(args),
        args.embedding_dim,
        tuple(args.hidden_units),
        categories={"history": ("history_category", "category")},
        attention_units=args.attention_units,
        recent_length=min(50, args.history),
        top_k=args.top_k,
    )


def schema(args):
    """Returns a schema of hashed fields; row 0 of a table is for missing values."""
    names = [f"field_{i}" for i in range(args.fields)]
    fields = [
        Categorical(name, num_buckets=args.rows - 1, dtype="int64")
        for name in (*names, "item")
    ]
    fields.append(Categorical("category", num_buckets=args.categories, dtype="int64"))
    for name, of in (("history", "item"), ("history_category", "category")):
        fields.append(features.Sequence(name, of=of, max_length=args.history))
    return Schema(fields)


def batch(rng, size, args):
    """Returns encoded features and labels, drawn uniformly."""
    encoded = {}
    # Half of the histories are shorter.
    lengths = rng.integers(1, 2 * args.history, size=(size, 1))
    for field in schema(args).fields:
        shape = (size, args.history) if field.multivalent else (size,)
        ids = rng.integers(1, field.table_size, size=shape)
        if field.multivalent:
            ids = np.where(np.arange(args.history) < lengths, ids, 0)
        encoded[field.name] = tf.constant(ids)
    return encoded, tf.constant(rng.integers(2, size=size).astype("float32"))


def _steps(call, size, args):
    """Returns a callable that makes some calls, each with the next batch."""
    rng = np.random.default_rng(args.seed)
    batches = itertools.cycle([batch(rng, size, args) for _ in range(BATCHES)])

    def steps():
        for _ in range(args.steps):
            call(*next(batches))

    return steps


if __name__ == "__main__":
    main()
