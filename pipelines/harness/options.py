"""Command line options that the pipelines share."""

import argparse
import dataclasses
import json
import math
import pathlib

from pipelines.harness.runs import Settings
from tf_ctr.backbones import BACKBONES
from tf_ctr.continual import Training
from tf_ctr.optimizers import SparseAdagrad, SparseAdam

# Name: minimum, maximum, description.
DESCRIPTIONS = {
    "embedding_dim": (1, math.inf, "embedding dim"),
    "hidden_units": (1, math.inf, "widths of the deep layers"),
    "num_cross_layers": (0, math.inf, "cross layers"),
    "batch_size": (1, math.inf, "examples in a step"),
    "epochs": (1, math.inf, "most epochs of a training"),
    "patience": (1, math.inf, "epochs without a better validation AUC to stop after"),
    "dropout": (0, 0.99, "dropout rate of the deep layers"),
    "l2": (0, math.inf, "L2 penalty on the kernels"),
    "embedding_l2": (0, math.inf, "L2 penalty on the embedding rows in the batch"),
    "learning_rates": (1e-12, 10, "candidates, chosen by the validation AUC"),
}

NAMES = [field.name for field in dataclasses.fields(Settings)]

OPTIMIZERS = {"adagrad": SparseAdagrad, "adam": SparseAdam}

# The default candidates. CTNet (arXiv 2208.05728), section 4.2, has AdaGrad at 0.01;
# on increments of some thousand rows it learns too little at any rate, and Adam is the
# default.
RATES = {"adagrad": (0.01, 0.03, 0.1), "adam": (1e-3, 3e-3, 1e-2)}

RATES_HELP = (
    "candidates; the first seed chooses for all rows, before the tested periods; "
    "default: " + ", ".join(f"{name} {values}" for name, values in RATES.items())
)


def program(name, description, data, run_dir):
    """Returns a parser with the options `--data-dir` and `--run-dir`.

    Args:
        name: Name of the module.
        description: Shown by `--help` as it is.
        data: What the folder of the data holds.
        run_dir: What goes to the folder of the run, and its default.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data-dir",
        type=existing_folder,
        metavar="DIR",
        help=f"{data}; default: $TF_CTR_DATA, else TFDS",
    )
    parser.add_argument("--run-dir", type=new_folder, metavar="DIR", help=run_dir)
    return parser


def add_settings(parser, presets):
    """Adds an option for every field of `Settings`.

    Args:
        parser: The `argparse.ArgumentParser`.
        presets: `{dataset: Settings}`, the defaults.
    """
    group = parser.add_argument_group("settings; the default depends on --dataset")
    for name in NAMES:
        _add_setting(group, name, presets)


def settings(arguments, preset):
    """Returns `preset` with what the command line gave."""
    given = {name: getattr(arguments, name) for name in NAMES}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return dataclasses.replace(preset, **given)


def _add_setting(group, name, presets):
    values = {dataset: getattr(preset, name) for dataset, preset in presets.items()}
    example = next(iter(values.values()))
    many = isinstance(example, tuple)
    kind = type(example[0] if many else example)
    minimum, maximum, text = DESCRIPTIONS[name]
    defaults = ", ".join(f"{dataset} {_show(v)}" for dataset, v in values.items())
    group.add_argument(
        f"--{name.replace('_', '-')}",
        type=number(kind, minimum, maximum),
        nargs="+" if many else None,
        metavar="N",
        help=f"{text} ({defaults})",
    )


def _show(value):
    return " ".join(f"{v:g}" for v in (value if isinstance(value, tuple) else [value]))


def number(kind, minimum, maximum=math.inf):
    """Returns an argparse type for numbers in `[minimum, maximum]`."""

    def parse(text):
        value = kind(text)
        if not minimum <= value <= maximum:  # False for NaN.
            raise argparse.ArgumentTypeError(f"{text} is not in [{minimum}, {maximum}]")
        return value

    parse.__name__ = kind.__name__
    return parse


def existing_folder(text):
    """An argparse type for a folder that is there."""
    path = pathlib.Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return path


def new_folder(text):
    """An argparse type for a folder that is there or can be made."""
    path = pathlib.Path(text)
    for parent in (path, *path.parents):
        if parent.exists() and not parent.is_dir():
            raise argparse.ArgumentTypeError(f"{parent} is a file")
    return path


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Sizes and training, the same for all rows.

    Attributes:
        backbone: Name of the backbone.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of the hidden layers.
        optimizer: Of `OPTIMIZERS`.
        learning_rates: Candidates of its learning rate; one, once it is chosen.
        batch_size: Examples per step.
    """

    backbone: str
    embedding_dim: int
    hidden_units: tuple
    optimizer: str
    learning_rates: tuple
    batch_size: int

    def compile(self, model):
        """Compiles a model."""
        (learning_rate,) = self.learning_rates
        optimizer = OPTIMIZERS[self.optimizer](learning_rate)
        model.compile(optimizer, "binary_crossentropy")

    def training(self, epochs=1):
        """Returns how all rows are trained, joint models on each row of both once."""
        return Training(
            self.compile,
            self.batch_size,
            epochs,
            ratio=None,
            # A few hundred steps do not bring momentum to where it belongs.
            measure_batch_norm=True,
        )


def add_options(add, rows, tables):
    """Adds the options of tables, rows and models.

    Args:
        add: `add_argument` of a parser.
        rows: `{name: row}`.
        tables: `{name: names of its rows}`.
    """
    positive = number(int, 1)
    rate = number(float, 1e-12)
    add("--table", nargs="+", choices=tables, default=list(tables), help="default: all")
    names = f"only these rows, of {', '.join(rows)}"
    add("--rows", nargs="+", choices=rows, metavar="ROW", help=names)
    add("--report", action="store_true", help="print the tables of what is done")
    add("--backbone", choices=BACKBONES, default="dnn", help="default: dnn")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="default: adam")
    widths = "widths of the hidden layers; default: 128 64"
    units = {"type": positive, "nargs": "+", "default": [128, 64], "metavar": "N"}
    add("--hidden-units", help=widths, **units)
    add("--learning-rates", type=rate, nargs="+", metavar="N", help=RATES_HELP)


def add_count(add, name, least, default, text):
    """Adds the option of a whole number."""
    kind, flag = number(int, least), f"--{name.replace('_', '-')}"
    add(flag, type=kind, default=default, metavar="N", help=text)


def settings_of(kind, arguments):
    """Returns the settings_of of a class, from the command line's arguments."""
    names = [field.name for field in dataclasses.fields(kind)]
    given = {name: getattr(arguments, name) for name in names}
    given["learning_rates"] = given["learning_rates"] or RATES[arguments.optimizer]
    lists = {name: tuple(given[name]) for name in ("hidden_units", "learning_rates")}
    return kind(**{**given, **lists})


def as_json(settings_of):
    """Returns settings_of as JSON has them."""
    return json.loads(json.dumps(dataclasses.asdict(settings_of)))
