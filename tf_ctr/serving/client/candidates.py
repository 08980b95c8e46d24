"""Many candidates of one user as rows of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.rows import Rows, columns_of, values_of


def crossed(
    rows: Rows,
    candidates: meta_graph_pb2.SignatureDef,
    default: meta_graph_pb2.SignatureDef,
    schema: Schema | None = None,
) -> tuple[dict[str, list[Any]], tuple[int, int]]:
    """Returns a row for each pair of a user and a candidate, and the shape `[R, N]`.

    Args:
        rows: A row per user; every field of an item has N values in it.
        candidates: The signature `candidates`, which tells the fields of the items: in
            it they have a dimension more.
        default: The signature `serving_default`.
        schema: As for `columns_of`.

    Raises:
        ValueError: For another number of candidates in one field or user than in
            another, or none.
    """
    columns = columns_of(rows, schema)
    names = _item_fields(candidates, default)
    items = {
        name: [values_of(cell) or [] for cell in columns[name]]
        for name in names
        if name in columns
    }
    found = {len(cell) for cells in items.values() for cell in cells}
    if len(found) != 1 or found == {0}:
        counts = {name: [*map(len, cells)] for name, cells in items.items()}
        raise _refused(counts or f"none of the fields {names}")
    (size,) = found
    users = max(map(len, columns.values()))
    return {
        name: [each for cell in items[name] for each in cell]
        if name in items
        else [cell for cell in cells for _ in range(size)]
        for name, cells in columns.items()
    }, (users, size)


def candidates_shape(
    inputs: Mapping[str, np.ndarray],
    candidates: meta_graph_pb2.SignatureDef,
    default: meta_graph_pb2.SignatureDef,
) -> tuple[int, ...]:
    """Returns the shape `[R, N]` of the scores of a request by tensors.

    Args:
        inputs: `{input: array}`.
        candidates: As for `crossed`.
        default: As for `crossed`.

    Raises:
        ValueError: For no candidate, or another number in one field than in another.
    """
    names = _item_fields(candidates, default)
    shapes = {name: inputs[name].shape[:2] for name in names}
    if len(set(shapes.values())) != 1 or 0 in shapes[names[0]]:
        raise _refused({name: list(shape) for name, shape in shapes.items()})
    return shapes[names[0]]


def _item_fields(candidates, default):
    """The fields that have a dimension more in `candidates`."""
    return [
        name
        for name, info in default.inputs.items()
        if len(candidates.inputs[name].tensor_shape.dim) > len(info.tensor_shape.dim)
    ]


def _refused(received):
    return ValueError(
        explain(
            "the same number of candidates, at least one, in every field of an item",
            received,
            "give each field of an item a list per user, with a value per candidate",
        )
    )
