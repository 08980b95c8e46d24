"""Rows of a user as the input tensors of a signature."""

import numbers
import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_rows
from tf_ctr.features.reading import rows_of
from tf_ctr.rows import Rows as Opened
from tf_ctr.rows import Source

# A list with a dict per row, a dict of columns (a dict without any list is one row), or
# rows of any kind that `tf_ctr.data.rows` opens.
Rows: TypeAlias = Source | list[dict[str, Any]] | Mapping[str, Any]


def to_inputs(
    rows: Rows, signature: meta_graph_pb2.SignatureDef, schema: Schema | None = None
) -> dict[str, np.ndarray]:
    """Returns rows as `{input: array}`, with the dtypes and ranks of a signature.

    Args:
        rows: A frame, a list of dicts (one per row), a dict of columns, or rows of any
            kind that `tf_ctr.data.rows` opens; a dict without any list is one row. The
            names are those of the signature, which are the names of the fields.
        signature: The signature.
        schema: The schema of the model. It fills missing values and pads lists of
            different lengths, where the signature takes the schema's raw fields; and
            the rows may name a field by its `column`.

    Raises:
        ValueError: For a missing input or columns of different lengths; without a
            schema, for missing values or lists of different lengths; for values of a
            wrong dtype.
        TypeError: For rows of another kind; with a schema, as `Schema.raw_columns`.
    """
    columns = _by_field(_columns(rows, schema), schema)
    if missing := sorted(set(signature.inputs) - set(columns)):
        raise ValueError(
            explain(
                f"values of every input of the signature, {sorted(signature.inputs)}",
                f"none of {missing}",
                "add them to the rows",
            )
        )
    if schema is not None and _takes_fields(signature, schema):
        arrays = {
            field.name: _encoded(
                field.raw_values(pd.DataFrame({field.column: columns[field.name]}))
            )
            for field in schema.fields
        }
        check_rows(max(map(len, arrays.values())))
    else:
        arrays = {
            name: _array(columns[name], info, name)
            for name, info in signature.inputs.items()
        }
    if len({len(values) for values in arrays.values()}) > 1:
        lengths = {name: len(values) for name, values in arrays.items()}
        raise ValueError(
            explain("as many values of every input", lengths, "give one per row")
        )
    return arrays


def check_fields(names: Iterable[str], signature: meta_graph_pb2.SignatureDef) -> None:
    """Raises, listing the valid names, unless all names are inputs of a signature."""
    for name in sorted(names):
        check_name("field", name, signature.inputs)


def with_context(
    rows: Rows, context: Mapping[str, Any], schema: Schema | None = None
) -> dict[str, Any]:
    """Returns rows as columns, with the values that all of them share.

    Args:
        rows: As for `to_inputs`.
        context: `{field: value}`.
        schema: As for `to_inputs`.
    """
    columns = _by_field(_columns(rows, schema), schema)
    size = max(map(len, columns.values()), default=1)
    return {**columns, **{name: [value] * size for name, value in context.items()}}


def _by_field(columns: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    """Columns under the names of the fields that they belong to."""
    fields = () if schema is None else schema.fields
    owned = {f.name: columns[f.column] for f in fields if f.column in columns}
    return {**columns, **owned}


def _columns(rows: Rows, schema: Schema | None) -> dict[str, Any]:
    """Rows of any form as `{name: list of values}`."""
    if _of_many_rows(rows):
        rows = rows_of(rows, () if schema is None else schema.fields).to_pandas()
    if isinstance(rows, pd.DataFrame):
        return {str(name): rows[name].tolist() for name in rows.columns}
    if isinstance(rows, Mapping):
        single = all(np.ndim(value) == 0 for value in rows.values())
        return {k: [v] if single else _listed(v) for k, v in rows.items()}
    if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: [row.get(name) for row in rows] for name in names}
    raise TypeError(
        explain(
            "a frame, a list of dicts or a dict of columns, with at least one row",
            f"{type(rows).__name__} {str(rows)[:60]}",
            'pass e.g. [{"user": "ann", "item": 7}]',
        )
    )


def _of_many_rows(rows):
    """Whether these are the rows of files or of another library."""
    paths = isinstance(rows, str | os.PathLike | Opened)
    arrow = hasattr(rows, "__arrow_c_stream__") and not isinstance(rows, pd.DataFrame)
    return paths or arrow


def _listed(values):
    return values.tolist() if isinstance(values, np.ndarray | pd.Series) else values


def _takes_fields(signature, schema):
    return {
        name: (spec.dtype.as_datatype_enum, spec.shape.rank)
        for name, spec in schema.raw_signature().items()
    } == {
        name: (info.dtype, len(info.tensor_shape.dim))
        for name, info in signature.inputs.items()
    }


def _array(values, info, name):
    """A column as an array of the dtype and rank of a `TensorInfo`."""
    dtype, rank = tf.as_dtype(info.dtype), len(info.tensor_shape.dim)
    array = np.array(values, object)  # Lists of different lengths stay lists.
    missing = pd.isna(array)
    if dtype.is_floating:
        array[missing] = np.nan
    if array.ndim != rank or (missing.any() and not dtype.is_floating):
        raise ValueError(
            explain(
                f"{name!r} with {rank} dimensions, lists of one length and no missing "
                "values",
                repr(values)[:80],
                "pass schema= to the client, or fill and pad with the field's padding",
            )
        )
    return _cast(array, dtype, name)


def _cast(array, dtype, name):
    # NumPy would turn 7.5 into 7, "7" into 7 and True into 1.
    kinds = str | bytes if dtype == tf.string else numbers.Real
    kinds = numbers.Integral if dtype.is_integer else kinds
    wrong = [v for v in array.flat if not isinstance(v, kinds) or isinstance(v, bool)]
    try:
        if not wrong:
            return _encoded(array.astype(dtype.as_numpy_dtype))
    except OverflowError:
        wrong = [max(array.flat, key=abs)]
    raise ValueError(
        explain(
            f"{name!r} as {dtype.name}",
            f"{wrong[0]!r}",
            f"convert the values to {dtype.name}",
        )
    )


def _encoded(array):
    """Strings as bytes, which is how requests carry them; other arrays as they are."""
    if array.dtype.kind not in "OU":
        return array
    flat = [e.encode() if isinstance(e, str) else e for e in array.ravel()]
    encoded = np.empty(array.shape, object)
    encoded.ravel()[:] = flat
    return encoded
