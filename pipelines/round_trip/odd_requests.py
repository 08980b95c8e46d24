"""Requests unlike any training row, as every server receives sooner or later."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.features import Schema
from tf_ctr.serving.parity import WAYS

LONG = 1000
INTEGERS = (None, -1, -(2**63), 2**63 - 1)
STRINGS = (None, "", "no such value", "x" * LONG)
NUMBERS = (None, np.nan, np.inf, -1e30)
# A fresh process refuses the same requests as this one, and is slow to start.
REFUSING_WAYS = ("this process", "v1 session", "C++ loader")
# The errors of a refused request.
REFUSALS = (TypeError, ValueError, RuntimeError, tf.errors.OpError)


def odd_rows(schema: Schema, row: Mapping[str, Any]) -> pd.DataFrame:
    """Returns copies of a row, each with one value that is missing, unseen or extreme.

    Args:
        schema: The fitted `tf_ctr.Schema`.
        row: `{field: value}`, the raw values of a row.

    Returns:
        A frame with missing, negative, huge and unseen ids, empty and overlong lists,
        NaN and infinite numbers, and finally a row in which every value is missing.
    """
    rows, names = [], [field.name for field in schema.fields]
    for field in schema.fields:
        for value in _odd_values(field):
            rows.append({**{name: row[name] for name in names}, field.name: value})
    nothing = {f.name: [] if f.multivalent else None for f in schema.fields}
    return pd.DataFrame([*rows, nothing], columns=names, dtype=object)


def _odd_values(field):
    if field.dtype == "float32":
        return NUMBERS
    values = INTEGERS if field.dtype == "int64" else STRINGS
    if not field.multivalent:
        return values
    return [[], list(values[1:]), [values[-1]] * LONG]


def wrong_requests(
    tensors: Mapping[str, np.ndarray],
) -> dict[str, dict[str, np.ndarray]]:
    """Returns requests that every server must refuse.

    Args:
        tensors: `{field: array [B, ...]}`, a request to `serving_default`.

    Returns:
        `{error: request}`.
    """
    found = {}
    for name, values in tensors.items():
        found.setdefault(f"{_kind(values)} as float64", {name: np.ones(values.shape)})
        if values.dtype.kind not in "SO":
            text = np.full(values.shape, b"1", object)
            found.setdefault(f"{_kind(values)} as text", {name: text})
        found.setdefault("one dimension more", {name: values[..., np.newaxis]})
    found = {what: {**tensors, **change} for what, change in found.items()}
    first, *others = tensors
    found["an input left out"] = {name: tensors[name] for name in others}
    found["an unknown input"] = {**tensors, "no_such_input": tensors[first]}
    return found


def refusals(
    version: pathlib.Path,
    tensors: Mapping[str, np.ndarray],
    ways: Sequence[str] = REFUSING_WAYS,
) -> pd.DataFrame:
    """Sends wrong requests to a version, loaded in every way.

    Args:
        version: A version directory.
        tensors: A valid request to `serving_default`.
        ways: The ways to load it, names of `tf_ctr.serving.parity.WAYS`.

    Returns:
        A frame with a row per request and a column per way: the name of the error,
        or `"scored"` if the request was accepted.
    """
    rows = {}
    for what, request in wrong_requests(tensors).items():
        rows[what] = {way: _answer(WAYS[way], version, request) for way in ways}
    return pd.DataFrame(rows).T.rename_axis("request")


def _answer(way, version, request):
    try:
        way(version, {"serving_default": request})
    except REFUSALS as error:
        return type(error).__name__
    return "scored"


def _kind(values):
    return {"i": "integers", "f": "numbers"}.get(values.dtype.kind, "text")
