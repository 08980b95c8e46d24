"""Settings of experiments over periods, and their options on the command line."""

import dataclasses
import json

from pipelines import options
from tf_ctr.backbones import BACKBONES
from tf_ctr.continual import Training
from tf_ctr.optimizers import SparseAdagrad, SparseAdam

OPTIMIZERS = {"adagrad": SparseAdagrad, "adam": SparseAdam}
# The default candidates. CTNet (arXiv 2208.05728), section 4.2, has AdaGrad at 0.01;
# on increments of some thousand rows it learns too little at any rate, and Adam is the
# default.
RATES = {"adagrad": (0.01, 0.03, 0.1), "adam": (1e-3, 3e-3, 1e-2)}


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
    positive = options.number(int, 1)
    rate = options.number(float, 1e-12)
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


RATES_HELP = (
    "candidates; the first seed chooses for all rows, before the tested periods; "
    "default: " + ", ".join(f"{name} {values}" for name, values in RATES.items())
)


def add_count(add, name, least, default, text):
    """Adds the option of a whole number."""
    kind, flag = options.number(int, least), f"--{name.replace('_', '-')}"
    add(flag, type=kind, default=default, metavar="N", help=text)


def settings(kind, arguments):
    """Returns the settings of a class, from the command line's arguments."""
    names = [field.name for field in dataclasses.fields(kind)]
    given = {name: getattr(arguments, name) for name in names}
    given["learning_rates"] = given["learning_rates"] or RATES[arguments.optimizer]
    lists = {name: tuple(given[name]) for name in ("hidden_units", "learning_rates")}
    return kind(**{**given, **lists})


def as_json(settings):
    """Returns settings as JSON has them."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))
