"""What of a model is frozen, tuned and new."""

import math

import keras
import pandas as pd

from tf_ctr.transfer.layer_names import chosen_part, layers_by_path


def summary(model, report=None):
    """Returns one line per layer with weights: how it started and how it is trained.

    Args:
        model: A `keras.Model`.
        report: The `WeightReport` of its warm start; without it no layer is new.

    Returns:
        `pandas.DataFrame` indexed by the path of the layer: `state`, `"frozen"`,
        `"tuned"` (starts from the source and is trained) or `"new"` (trained from
        its initial weights); `start`, what the report says of it; `parameters`;
        `trained`, how many of them are; `learning_rate_multiplier`, as
        `tf_ctr.optimizers` apply it; `rows_new`, of a table.

    Example:

    >>> import keras
    >>> from tf_ctr.transfer import fine_tune
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, name="deep_0")(inputs["age"])
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(hidden))
    >>> model, report = fine_tune(model, freeze=["deep_0"], return_report=True)
    >>> summary(model, report)[["state", "start", "parameters"]]
             state   start  parameters
    layer
    deep_0  frozen  copied           8
    logit    tuned  copied           5
    """
    entries = {} if report is None else {each.layer: each for each in report.layers}
    trained = {id(v) for v in model.trainable_variables}
    lines = [
        _line(path, layer, trained, entries)
        for path, layer in layers_by_path(model).items()
        if not isinstance(layer, keras.Model)
    ]
    frame = pd.DataFrame(lines).astype({"rows_new": "Int64"})
    return frame.set_index("layer")


def _line(path, layer, trained, entries):
    moving = [v for v in layer.weights if id(v) in trained]
    entry = entries.get(path) or entries.get(chosen_part(path, entries))
    start = entry.action if entry else None
    factors = {getattr(v, "learning_rate_multiplier", 1.0) for v in moving}
    return {
        "layer": path,
        "state": _state(moving, start),
        "start": start,
        "parameters": layer.count_params(),
        "trained": sum(math.prod(v.shape) for v in moving),
        "learning_rate_multiplier": factors.pop() if len(factors) == 1 else None,
        "rows_new": entry.rows_new if entry else None,
    }


def _state(moving, start):
    if not moving:
        return "frozen"
    return "new" if start in ("new", "skipped") else "tuned"
