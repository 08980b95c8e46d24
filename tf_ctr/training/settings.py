"""What a training run depends on, and how two runs differ, in words."""

import hashlib
import json
import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import pandas as pd

from tf_ctr.features import Schema
from tf_ctr.training.crossentropy import loss_weights_of

# Named in an error, which is to be read.
MOST = 5


def model_settings(model: keras.Model) -> dict[str, Any]:
    """Returns the layers, optimizer and loss of a compiled model, to compare runs.

    Left out are seeds, and the numbers that Keras counts up in names.

    Args:
        model: The model.
    """
    layers: list[Any] = [
        _plain(_config(layer))
        | {"name": _name(layer), "shapes": [list(w.shape) for w in layer.weights]}
        for layer in model.layers
    ]
    optimizer = model.optimizer
    return {
        "model": layers,
        "optimizer": None
        if optimizer is None
        else {"class": type(optimizer).__name__, **_plain(optimizer.get_config())},
        "loss": _plain(_loss(model)),
    } | _loss_weights(model)


def schema_sum(schema: Schema) -> str:
    """Returns a checksum of a schema with its vocabularies."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "schema.json")
        schema.save(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def settings_sum(settings: Mapping[str, Any]) -> str:
    """Returns a checksum of settings, of JSON-like values."""
    text = json.dumps(settings, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def frame_sum(frame: pd.DataFrame) -> str:
    """Returns the number of rows of a frame, and a checksum of its values in order."""
    total = hashlib.sha256(repr(list(frame.columns)).encode())
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object:  # May hold lists, which pandas cannot hash.
            column = column.map(repr)
        total.update(pd.util.hash_pandas_object(column, index=False).to_numpy())
    return f"{len(frame)} rows, {total.hexdigest()[:16]}"


def differences(known: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Returns how two settings differ, in words, a few at most.

    A value that is `None` in one of them was not known, and does not count.

    Example:

    >>> differences({"optimizer": {"rate": 0.1}}, {"optimizer": {"rate": 0.2}})
    ['optimizer rate was 0.1 and is 0.2']
    """
    found = list(_differences("", dict(known), dict(own)))
    if len(found) > MOST:
        found = [*found[:MOST], f"and {len(found) - MOST} more"]
    return found


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(each for each in new if each not in old)]:
            if name or (old.get(key) is not None and new.get(key) is not None):
                yield from _differences(f"{name} {key}", old.get(key), new.get(key))
    elif name == " model":
        names = [[layer["name"] for layer in layers] for layers in (old, new)]
        if names[0] != names[1]:
            gone, added = (
                [each for each in one if each not in two]
                for one, two in (names, names[::-1])
            )
            parts = {"no longer": gone, "new": added}
            said = [f"{word} {each}" for word, each in parts.items() if each]
            yield f"the model's layers: {', '.join(said) or 'in another order'}"
            return
        for one, two in zip(old, new, strict=True):
            yield from _differences(f" layer {one['name']}:", one, two)
    elif old != new:
        texts = _short(old), _short(new)
        if texts[0] == texts[1]:  # Numbers that differ in a late digit.
            texts = str(old), str(new)
        yield f"{name.strip()} was {texts[0]} and is {texts[1]}"


def _short(value):
    # Keras keeps a rate of 0.001 in 32 bits, as 0.0010000000474974513.
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name(layer):
    """The name of a layer, without the number that Keras gives to one without a name.

    Source: `auto_name` in Keras's `src/utils/naming.py`.
    """
    base = re.sub(r"_\d+$", "", layer.name)
    is_counted = base.replace("_", "") == type(layer).__name__.lower()
    return base if is_counted else layer.name


def _config(layer):
    try:
        config = layer.get_config()
    except (NotImplementedError, TypeError):  # A user's layer without a configuration.
        return {"class": type(layer).__name__}
    return {"class": type(layer).__name__, **config}


def _loss(model):
    loss = model.loss
    if isinstance(loss, keras.losses.Loss):
        return {"class": type(loss).__name__, **loss.get_config()}
    return getattr(loss, "__name__", loss)


def _loss_weights(model):
    weights = loss_weights_of(model)
    return {} if weights is None else {"loss weights": _plain(weights)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _plain(each)
            for key, each in value.items()
            # Two calls may count differently, or start from other random weights.
            # The schema has a checksum of its own; older runs have no `ids`.
            if key
            not in ("seed", "build_config", "input_layers", "output_layers", "ids")
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"_\d+$", "", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return type(value).__name__
