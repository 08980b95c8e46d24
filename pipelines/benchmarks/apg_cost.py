"""Measures the cost of APG's versions in serving: table 5 of its paper.

Three hidden layers of five sizes on 393 inputs, static ("Base") or generated from a
condition of width 32, K = 4. v4 is v5 after `collapse`. All versions of one size and
batch take turns in one interleaved run. `ratio` is to Base, "Base again" shows the
noise, and `paper` is the ratio of the paper's seconds (arXiv 2203.16218).

Memory is that of the hidden layers, as the paper counts it: `rule_mb` is 12 bytes per
parameter (its value and two slots of Adam) without the biases of the layers;
`measured_mb` is the size of all variables, including biases, once Adam has its slots.
The paper does not count the kernels generated for a batch, `batch_gb`; a version that
needs more of it than `--max-gigabytes` is not run.

    python -m pipelines.benchmarks.apg_cost
"""

import argparse
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
from keras import ops

from pipelines.benchmarks.compiled import description, inference
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.harness.arguments import add_number_list, add_numbers, number, widths
from pipelines.harness.tables import frame_table
from tf_ctr.inference import collapse
from tf_ctr.layers import APGDense

VERSIONS = ("v1", "v2", "v3", "v4")
SIZES = ((64, 32, 16), (128, 64, 32), (256, 128, 64), (512, 256, 128), (1024, 512, 256))
PAPER_SECONDS = {
    "Base": (4.52, 5.27, 5.89, 7.12, 13.04),
    "v1": (16.52, 50.31, 126.27, 420.33, 1462.78),
    "v2": (13.83, 39.53, 90.43, 363.07, 1065.35),
    "v3": (6.31, 5.42, 5.71, 6.31, 11.23),
    "v4": (4.49, 4.78, 5.46, 5.89, 7.99),
}


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("apg_cost", __doc__, rounds=20, csv="the times")
    add = program.add_argument
    add(
        "--sizes",
        type=widths,
        nargs="+",
        metavar="N-N-N",
        default=list(SIZES),
        help="widths of the hidden layers; default: those of table 5",
    )
    add_number_list(program, "batch-sizes", [512, 4096, 8192], "batch sizes B")
    add_numbers(
        program,
        [
            ("input-width", 393, "width of the input"),
            ("condition-width", 32, "width D of the condition"),
            ("rank", 4, "rank K"),
        ],
    )
    add(
        "--max-gigabytes",
        type=number(float, 0),
        default=6.0,
        metavar="N",
        help="maximum memory for the generated kernels of a batch; default: 6",
    )
    add("--xla", action="store_true", help="compile with XLA")
    args = program.parse_args(argv)
    narrowest = min(width for size in args.sizes for width in size)
    if min(args.input_width, narrowest) < args.rank:
        program.error("every width must be at least the rank")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table of memory and the table of time."""
    args = parse(argv)
    print(f"{description(args.xla)}\n")
    models = {size: towers(size, args) for size in args.sizes}
    print(frame_table(memory_table(models, args).set_index("layers")), flush=True)
    times = [
        time_table(size, models[size], batch_size, args)
        for size in args.sizes
        for batch_size in args.batch_sizes
    ]
    table = pd.concat(times, ignore_index=True)
    if args.csv:
        table.to_csv(args.csv, index=False)
    print(f"\n{frame_table(table.set_index('layers'))}")


def towers(size, args):
    """Returns `{version: model}`, from `{"x", "z"}` to the last hidden layer."""
    keras.utils.set_random_seed(args.seed)
    models = {"Base": _tower(size, args, None)}
    for version in VERSIONS:
        built = "v5" if version == "v4" else version
        models[version] = collapse(_tower(size, args, built))
    return models


def _tower(size, args, version):
    x = keras.Input((args.input_width,), name="x")
    z = keras.Input((args.condition_width,), name="z")
    h = x
    for i, units in enumerate(size):
        options = {"activation": "relu", "name": f"deep_{i}"}
        if version is None:
            h = keras.layers.Dense(units, **options)(h)
        else:
            h = APGDense(units, args.rank, version=version, **options)(h, z)
    return keras.Model({"x": x, "z": z}, h)


def memory_table(models, args):
    """Returns megabytes of the hidden layers, one row per size and version."""
    rows = [
        {
            "layers": _name(size, args),
            "version": version,
            "rule_mb": 12 * parameters(size, version, args) / 1e6,
            "measured_mb": _with_slots(model) / 1e6,
        }
        for size, versions in models.items()
        for version, model in versions.items()
    ]
    return pd.DataFrame(rows)


def _with_slots(model):
    """Returns the bytes of a model's variables and of Adam's slots for them."""
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    return sum(np.asarray(variable).nbytes for variable in variables)


def parameters(size, version, args):
    """Returns the number of parameters of the hidden layers, without their biases."""
    rank, generated = args.rank, args.condition_width + 1
    count = {
        "Base": lambda m, n: m * n,
        "v1": lambda m, n: generated * m * n,
        "v2": lambda m, n: generated * ((m + n) * rank + rank**2),
        "v3": lambda m, n: generated * ((m + n) * rank + rank**2),
        "v4": lambda m, n: (m + n) * rank + generated * rank**2,
    }[version]
    return sum(count(m, n) for m, n in _shapes(size, args))


def time_table(size, models, batch_size, args):
    """Times all versions of one size on one batch size."""
    rng = np.random.default_rng(args.seed)
    widths = {"x": args.input_width, "z": args.condition_width}
    batch = {
        name: ops.convert_to_tensor(rng.normal(size=(batch_size, n)).astype("float32"))
        for name, n in widths.items()
    }
    variants, gigabytes = {}, {}
    for version, model in models.items():
        gigabytes[version] = batch_gigabytes(size, version, batch_size, args)
        if gigabytes[version] <= args.max_gigabytes:
            run = inference(model, args.xla)
            variants[version] = lambda run=run: run(batch)
    variants["Base again"] = variants["Base"]
    seconds = interleave(variants, args.rounds, args.seed, warmup=2)
    table = ratios(seconds, "Base").reindex(["Base again", *models])
    return pd.DataFrame(
        {
            "layers": _name(size, args),
            "batch": batch_size,
            "version": table.index,
            "ms": table["seconds"].to_numpy() * 1e3,
            **{name: table[name].to_numpy() for name in ("ratio", "low", "high")},
            "paper": [_paper_ratio(size, version) for version in table.index],
            "batch_gb": [gigabytes.get(version, 0.0) for version in table.index],
        }
    )


def batch_gigabytes(size, version, batch_size, args):
    """Returns the memory of the kernels generated for a batch, of the largest layer.

    That is twice their size: a generator makes a product, and then adds its bias.
    """
    count = {
        "Base": lambda m, n: 0,
        "v1": lambda m, n: m * n,
        "v2": lambda m, n: m * n,
        "v3": lambda m, n: (m + n) * args.rank,
        "v4": lambda m, n: args.rank**2,
    }[version]
    return 8 * batch_size * max(count(m, n) for m, n in _shapes(size, args)) / 1e9


def _shapes(size, args):
    return zip((args.input_width, *size[:-1]), size, strict=True)


def _paper_ratio(size, version):
    if size not in SIZES or version not in PAPER_SECONDS:
        return float("nan")
    i = SIZES.index(size)
    return PAPER_SECONDS[version][i] / PAPER_SECONDS["Base"][i]


def _name(size, args):
    return "-".join(map(str, (args.input_width, *size)))


if __name__ == "__main__":
    main()
