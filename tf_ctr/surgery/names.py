"""Names of layers and weights: the suffixes that methods add, paths and patterns.

The *path* of a layer is its name, `"deep_0"`, with the name of its `Sequential` in
front if it is in one, `"deep_0/norm"`. The path of a weight ends in its own name,
`"deep_0/norm/gamma"`. The `variable.path` of Keras is another path, which changes when
a model is reloaded. A *pattern* (`fnmatch`) names all paths that it matches; a path
names itself.
"""

import fnmatch
import itertools
from collections.abc import Collection, Iterable

import keras

from tf_ctr.errors import unknown_name

# Do not change these names: saved models are matched by them. A layer that is added for
# another layer, a table or a field has that name plus one of these suffixes.

# Copies of a layer:
FROZEN = "_frozen"  # beside its tuned twin (AutoFT, SpotTune, NATR)
SOURCE = "_source"  # in the frozen source tower (CTNet, ProgressiveNN, PTU)
DUAL = "_dual"  # a trained second table, and its weights in the first hidden layer

# Layers that join two branches:
ROUTE = "_route"  # the choice of a branch (AutoFT)
ROUTER = "_router"  # the policy network of a component (AutoFT)
ADAPTER = "_adapter"  # from the source tower (CTNet)
LATERAL = "_lateral"  # from the source tower (ProgressiveNN)
TRANSFER = "_transfer"  # of both towers at a site (PTU)
GATE = "_gate"  # between the target's and the source's vector (NATR)
SUM = "_sum"  # of a layer's output and an added term
ACTIVATION = "_activation"  # of a dense layer, after that sum

# Layers that make one vector of a field:
EMBEDDING = "_embedding"  # its table, or the Dense layer of a number
POOLING = "_pooling"  # the mean over several values
ATTENTION = "_attention"  # the weighted mean over several values
INPUT = "_input"  # a number as a vector
POLICY = "_policy"  # before one of these: for the policies (AutoFT)
CONDITION = "_condition"  # the same for the generators (APG)

# Historical embeddings (E-CDCTR):
HISTORICAL = "_historical"  # the field as the backbone sees it
SNAPSHOTS = "_snapshots"  # its dated tables
AGGREGATION = "_aggregation"  # joins the snapshots
TABLE = "_table"  # both in one, for inference

# The rows of a batch that take a branch, for inference (AutoFT):
FROZEN_ROWS = "_frozen_rows"
TUNED_ROWS = "_tuned_rows"


def layers_by_path(model: keras.Model, prefix: str = "") -> dict[str, keras.Layer]:
    """Returns all layers with weights by path, a `Sequential` before its layers.

    Args:
        model: A `keras.Model`.
        prefix: Put before every path.

    Returns:
        `{path: layer}`, in the order of the model.
    """
    found = {}
    for layer in model.layers:
        if layer.weights:
            path = prefix + layer.name
            found[path] = layer
            if isinstance(layer, keras.Model):
                found |= layers_by_path(layer, f"{path}/")
    return found


def weights_by_path(model: keras.Model) -> list[tuple[str, keras.Variable]]:
    """Returns `[(path, variable)]` of all weights; two may share a path."""
    return [
        (f"{path}/{variable.name}", variable)
        for path, layer in layers_by_path(model).items()
        if not isinstance(layer, keras.Model)
        for variable in layer.weights
    ]


def select(
    patterns: Iterable[str], *models: keras.Model, weights: bool = True
) -> set[str]:
    """Returns the paths of layers, and of weights, that some patterns name.

    Args:
        patterns: Patterns of paths; `*` also matches `/`. The exact path of a layer or
            weight names only that one, even with characters such as `[`.
        *models: The models to search.
        weights: Whether a pattern may name a weight.

    Returns:
        The paths.

    Raises:
        ValueError: If a pattern matches nothing; the message lists the layers.
    """
    layers = {path for model in models for path in layers_by_path(model)}
    paths = set(layers)
    if weights:
        paths |= {path for model in models for path, _ in weights_by_path(model)}
    chosen: set[str] = set()
    for pattern in patterns:
        found = [pattern] if pattern in paths else fnmatch.filter(paths, pattern)
        if not found:
            raise ValueError(unknown_name("layer with weights", pattern, layers))
        chosen.update(found)
    return chosen


def chosen_part(path: str, chosen: Collection[str]) -> str | None:
    """Returns the largest part of the model around `path` that is in `chosen`.

    Args:
        path: Path of a layer or a weight.
        chosen: Paths, as `select` returns them.

    Returns:
        `path` or a layer around it, e.g. `"deep_0"` for `"deep_0/norm"`; `None` if
        none of them is in `chosen`.

    Example:

    >>> chosen_part("deep_0/norm/gamma", {"deep_0/norm"})
    'deep_0/norm'
    """
    parts = itertools.accumulate(path.split("/"), lambda a, b: f"{a}/{b}")
    return next((part for part in parts if part in chosen), None)
