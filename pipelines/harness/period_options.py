"""The command-line options of experiments over periods, and their settings."""

import argparse
import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import keras

from pipelines.harness.arguments import number
from tf_ctr.backbones import BACKBONES
from tf_ctr.continual import Training
from tf_ctr.optimizers import SparseAdagrad, SparseAdam

OPTIMIZERS = {"adagrad": SparseAdagrad, "adam": SparseAdam}
# The default candidates. CTNet (arXiv 2208.05728), section 4.2, has AdaGrad at 0.01.
# On increments of a few thousand rows that learns too little at any rate, so Adam is
# the default.
RATES = {"adagrad": (0.01, 0.03, 0.1), "adam": (1e-3, 3e-3, 1e-2)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The sizes of the models and their training, the same for all rows.

    Attributes:
        backbone: Name of the backbone.
        embedding_dim: Width D of the embeddings.
        hidden_units: Widths of the hidden layers.
        optimizer: A name of `OPTIMIZERS`.
        learning_rates: Candidates for its learning rate; a single one after the choice.
        batch_size: Examples per step.
    """

    backbone: str
    embedding_dim: int
    hidden_units: tuple[int, ...]
    optimizer: str
    learning_rates: tuple[float, ...]
    batch_size: int

    def compile(self, model: keras.Model) -> None:
        """Compiles a model with the chosen learning rate."""
        (learning_rate,) = self.learning_rates
        optimizer = OPTIMIZERS[self.optimizer](learning_rate)
        model.compile(optimizer, "binary_crossentropy")

    def training(self, epochs: int = 1) -> Training:
        """Returns how every row is trained; joint models read each row of both once."""
        return Training(
            self.compile,
            self.batch_size,
            epochs,
            ratio=None,
            # A few hundred steps are too few for moving averages to converge.
            measure_batch_norm=True,
        )


AnySettings = TypeVar("AnySettings", bound=ModelSettings)


def add_options(
    parser: argparse.ArgumentParser,
    rows: Mapping[str, Any],
    tables: Mapping[str, Sequence[str]],
) -> None:
    """Adds the options that choose tables, rows, model and optimizer.

    Args:
        parser: The parser.
        rows: `{name: row}`.
        tables: `{table: names of its rows}`.
    """
    add = parser.add_argument
    add(
        "--table",
        nargs="+",
        choices=tables,
        default=list(tables),
        help="the tables to fill; default: all",
    )
    names = f"run only these rows: {', '.join(rows)}; default: all of --table"
    add("--rows", nargs="+", choices=rows, metavar="ROW", help=names)
    add("--report", action="store_true", help="only print the tables of finished rows")
    add("--backbone", choices=BACKBONES, default="dnn", help="the model; default: dnn")
    add(
        "--optimizer",
        choices=OPTIMIZERS,
        default="adam",
        help="the optimizer; default: adam",
    )
    widths = "widths of the hidden layers; default: 128 64"
    units = {"type": number(int, 1), "nargs": "+", "default": [128, 64], "metavar": "N"}
    add("--hidden-units", help=widths, **units)
    rate = number(float, 1e-12)
    defaults = (f"{n} {' '.join(map(str, rates))}" for n, rates in RATES.items())
    rates = (
        "candidates; the first seed chooses one for all rows, on periods before the "
        f"tested ones; default: {', '.join(defaults)}"
    )
    add("--learning-rates", type=rate, nargs="+", metavar="N", help=rates)


def settings_of(kind: type[AnySettings], arguments: argparse.Namespace) -> AnySettings:
    """Returns the settings of a class, taken from the command line."""
    names = [field.name for field in dataclasses.fields(kind)]
    given = {name: getattr(arguments, name) for name in names}
    given["learning_rates"] = given["learning_rates"] or RATES[arguments.optimizer]
    lists = {name: tuple(given[name]) for name in ("hidden_units", "learning_rates")}
    return kind(**{**given, **lists})


def as_json(settings: ModelSettings) -> dict[str, Any]:
    """Returns the settings as JSON stores them: tuples become lists."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def wanted(
    arguments: argparse.Namespace,
    rows: Collection[str],
    tables: Mapping[str, Sequence[str]],
) -> list[str]:
    """Returns the names of the rows to run, in order."""
    in_tables = {row for table in arguments.table for row in tables[table]}
    chosen = in_tables if arguments.rows is None else set(arguments.rows)
    return [name for name in rows if name in chosen]
