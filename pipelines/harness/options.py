"""The command-line options of experiments that train with `Settings`."""

import argparse
import dataclasses
import math
from collections.abc import Mapping

from pipelines.harness.arguments import number
from pipelines.harness.runs import Settings

# Name: minimum, maximum, description.
DESCRIPTIONS = {
    "embedding_dim": (1, math.inf, "width of the embeddings"),
    "hidden_units": (1, math.inf, "widths of the deep layers"),
    "num_cross_layers": (0, math.inf, "number of cross layers"),
    "batch_size": (1, math.inf, "examples per training step"),
    "epochs": (1, math.inf, "maximum number of epochs of a training run"),
    "patience": (1, math.inf, "stop after this many epochs without a better AUC"),
    "dropout": (0, 0.99, "dropout rate of the deep layers"),
    "l2": (0, math.inf, "L2 penalty on the kernels"),
    "embedding_l2": (0, math.inf, "L2 penalty on the embedding rows of the batch"),
    "learning_rates": (1e-12, 10, "candidates; the validation AUC chooses one"),
}
NAMES = [field.name for field in dataclasses.fields(Settings)]


def add_settings(
    parser: argparse.ArgumentParser, presets: Mapping[str, Settings]
) -> None:
    """Adds an option for every field of `Settings`.

    Args:
        parser: The parser.
        presets: `{data set: Settings}`, the defaults.
    """
    title = "settings of the model and its training"
    if len(presets) > 1:
        title += "; the default depends on --dataset"
    group = parser.add_argument_group(title)
    for name in NAMES:
        by_dataset = {}
        for dataset, preset in presets.items():
            by_dataset.setdefault(_shown(getattr(preset, name)), []).append(dataset)
        example = getattr(next(iter(presets.values())), name)
        many = isinstance(example, tuple)
        minimum, maximum, text = DESCRIPTIONS[name]
        # The most common value is the default; only the others need their names.
        usual, *others = sorted(by_dataset, key=lambda value: -len(by_dataset[value]))
        exceptions = [f"{', '.join(by_dataset[v])}: {v}" for v in others]
        default = "; ".join([f"default: {usual}", *exceptions])
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=number(type(example[0] if many else example), minimum, maximum),
            nargs="+" if many else None,
            metavar="N",
            help=f"{text}; {default}",
        )


def _shown(value):
    return " ".join(f"{v:g}" for v in (value if isinstance(value, tuple) else [value]))


def settings(arguments: argparse.Namespace, preset: Settings) -> Settings:
    """Returns `preset`, with the options of the command line in place of its own."""
    given = {name: getattr(arguments, name) for name in NAMES}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return dataclasses.replace(preset, **given)
