"""The golden files of the backbones: the names and shapes of their weights.

They are a contract with saved models. For a new backbone, or after a change on purpose,
write its file with

    python -m tests.support.golden NAME
"""

import json
import pathlib
import sys

from tests.support.frames import click_schema
from tf_ctr.backbones import BACKBONES

FOLDER = pathlib.Path(__file__).parents[1] / "backbones" / "golden"
SIZES = {"embedding_dim": 4, "hidden_units": (8, 6)}


def golden_file(backbone):
    """The golden file of the backbone of a name."""
    return FOLDER / f"{backbone}.json"


def weight_shapes(model):
    """`{layer: [[weight, shape], ...]}` of every layer with weights."""
    return {
        layer.name: [[w.path.split("/")[-1], list(w.shape)] for w in layer.weights]
        for layer in model.layers
        if layer.weights
    }


def write(backbone):
    """Writes the golden file of a backbone."""
    model = BACKBONES[backbone](click_schema(), **SIZES)
    text = json.dumps(weight_shapes(model), indent=1)
    golden_file(backbone).write_text(text + "\n")


if __name__ == "__main__":
    for each in sys.argv[1:] or sys.exit(__doc__):
        write(each)
