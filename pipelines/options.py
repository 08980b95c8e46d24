"""Command line options that the pipelines share."""

import argparse
import dataclasses
import math
import pathlib

from pipelines.runs import Settings

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
