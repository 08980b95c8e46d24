"""Rows of a user as the input tensors of a signature, or as examples."""

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.data.examples import FEATURE_KIND, to_examples
from tf_ctr.data.serialized import serialized_examples
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.padding import filled
from tf_ctr.serving.client.rows import Rows, columns_of, is_missing, values_of


def to_inputs(
    rows: Rows, signature: meta_graph_pb2.SignatureDef, schema: Schema | None = None
) -> dict[str, np.ndarray]:
    """Returns rows as `{input: array}`, with the dtypes and ranks of a signature.

    Args:
        rows: As for `columns_of`. The names are those of the signature, which are the
            names of the fields.
        signature: The signature.
        schema: The schema of the model. It fills missing values and pads lists of ids
            to `max_length`; and the rows may name a field by its `column`.

    Raises:
        ValueError: For no row, a missing input or columns of different lengths;
            without a schema, for missing values or lists of different lengths; for
            values of a wrong dtype.
        TypeError: For rows of another kind; with a schema, as `Schema.raw_columns`.
    """
    columns = _inputs_among(columns_of(rows, schema), signature)
    if schema is not None and _takes_fields(signature, schema):
        return {
            field.name: encoded(_raw_values(columns[field.name], field), field.name)
            for field in schema.raw_fields
        }
    fields = {} if schema is None else {field.name: field for field in schema.fields}
    for name in set(fields) & set(signature.inputs):
        columns[name] = filled(columns[name], signature.inputs[name], fields[name])
    return {
        name: _array(columns[name], info, name)
        for name, info in signature.inputs.items()
    }


def to_row_examples(
    rows: Rows, signature: meta_graph_pb2.SignatureDef, schema: Schema | None = None
) -> list[tf.train.Example]:
    """Returns the example of each row, with values of the dtypes of a signature.

    Missing values are left out, and lists may have any lengths, also without a schema.

    Args:
        rows: As for `to_inputs`.
        signature: A signature whose inputs are the fields: `[B]`, or `[B, T]`.
        schema: As for `to_inputs`.

    Raises:
        ValueError: For no row, a missing input, columns of different lengths, or values
            of a wrong dtype.
        TypeError: As `to_inputs`.
    """
    if schema is not None and _takes_fields(signature, schema):
        return list(to_examples(to_inputs(rows, signature, schema), schema.fields))
    columns = _inputs_among(columns_of(rows, schema), signature)
    features = [
        _features(columns[name], info, name) for name, info in signature.inputs.items()
    ]
    examples = []
    for row in zip(*features, strict=True):
        # A server takes one value per row or no feature, but no empty feature.
        given = {n: f for n, f in zip(signature.inputs, row, strict=True) if f}
        examples.append(tf.train.Example(features=tf.train.Features(feature=given)))
    return examples


def to_serialized(
    rows: Rows, signature: meta_graph_pb2.SignatureDef, schema: Schema | None = None
) -> np.ndarray:
    """Returns `to_row_examples`, each serialized: an array of bytes `[B]`."""
    if schema is not None and _takes_fields(signature, schema):
        columns = to_inputs(rows, signature, schema)
        return np.array(serialized_examples(columns, schema.fields), object)
    examples = to_row_examples(rows, signature, schema)
    return np.array([each.SerializeToString() for each in examples], object)


def check_fields(names: Iterable[str], signature: meta_graph_pb2.SignatureDef) -> None:
    """Raises, listing the valid names, unless all names are inputs of a signature."""
    for name in sorted(map(str, names)):
        check_name("field", name, signature.inputs)


def with_context(
    rows: Rows, context: Mapping[str, Any], schema: Schema | None = None
) -> dict[str, Any]:
    """Returns rows as columns, with the values that all of them share.

    Args:
        rows: As for `to_inputs`.
        context: `{field: value}`.
        schema: As for `to_inputs`.

    Raises:
        ValueError: If a field is in the rows and in the context.
    """
    columns = columns_of(rows, schema)
    if both := sorted(set(columns) & set(context)):
        raise ValueError(
            explain(
                "each field either in the rows or in the context",
                f"{both} in both",
                "leave them out of one of the two",
            )
        )
    size = max(map(len, columns.values()))
    return {**columns, **{name: [value] * size for name, value in context.items()}}


def encoded(array: np.ndarray, name: str) -> np.ndarray:
    """Returns strings as bytes, as requests carry them; other arrays as they are.

    Args:
        array: An array of any shape.
        name: The field, for the error.

    Raises:
        ValueError: For text that UTF-8 cannot hold: one half of a surrogate pair.
    """
    if array.dtype.kind not in "OU":
        return array
    bytes_of = np.empty(array.size, object)
    for i, value in enumerate(array.ravel().tolist()):
        try:
            bytes_of[i] = value.encode() if isinstance(value, str) else value
        except UnicodeEncodeError as error:
            raise ValueError(_not_unicode(name, error)) from None
    return bytes_of.reshape(array.shape)


def _raw_values(values, field):
    if isinstance(values, list):
        # pandas would make floats of integers, if one of them is missing.
        values = pd.Series(values, dtype=object)
    try:
        frame = pd.DataFrame({field.column: values})
    except UnicodeEncodeError as error:  # pandas keeps text as UTF-8.
        raise ValueError(_not_unicode(field.name, error)) from None
    return field.raw_values(frame)


def _not_unicode(name, error):
    return explain(
        f"{name!r} as Unicode text",
        str(error).rstrip("."),
        "replace what UTF-8 cannot hold: text.encode('utf-8', 'replace').decode()",
    )


def _inputs_among(columns, signature):
    if missing := sorted(set(signature.inputs) - set(columns)):
        raise ValueError(
            explain(
                f"values of every input of the signature, {sorted(signature.inputs)}",
                f"none of {missing}",
                "add them to the rows",
            )
        )
    return columns


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
    try:
        array = np.array(values, object)  # Lists of different lengths stay lists.
    except ValueError:  # Lists whose lists differ in length.
        array = np.empty(0, object)
    missing = pd.isna(array)
    if dtype.is_floating:
        array[missing] = np.nan
    if (
        array.ndim != rank
        or (missing.any() and not dtype.is_floating)
        or not len(array)
    ):
        raise ValueError(
            explain(
                f"{name!r} with {rank} dimensions, lists of one length and no missing "
                "values",
                repr(values)[:80],
                "pass schema= to the client, or fill and pad with the field's padding",
            )
        )
    return _cast(array, dtype, name)


def _features(values, info, name):
    """The feature of each row of a column, `None` where no value is given."""
    dtype, rank = tf.as_dtype(info.dtype), len(info.tensor_shape.dim)
    lists = [_present(value, rank, name) for value in values]
    flat = np.empty(sum(map(len, lists)), object)
    for i, value in enumerate(value for each in lists for value in each):
        flat[i] = value
    flat = iter(_cast(flat, dtype, name).tolist())
    kind = FEATURE_KIND[
        "string" if dtype == tf.string else "int64" if dtype.is_integer else "float32"
    ]
    for each in lists:
        feature = tf.train.Feature()
        getattr(feature, kind).value.extend([next(flat) for _ in each])
        yield feature if each else None


def _present(value, rank, name):
    """The values of a cell that are not missing; one or none without lists."""
    values = values_of(value)
    if (values is not None) != (rank > 1) and not is_missing(value):
        raise ValueError(
            explain(
                f"{name!r} as {'a list' if rank > 1 else 'one value'} per row",
                repr(value)[:80],
                "wrap one row in a list: [{...}]; give a list only where the signature "
                "has one",
            )
        )
    return [v for v in ([value] if values is None else values) if not is_missing(v)]


def _cast(array, dtype, name):
    # NumPy would turn 7.5 into 7, "7" into 7 and True into 1.
    kinds = str | bytes if dtype == tf.string else numbers.Real
    kinds = numbers.Integral if dtype.is_integer else kinds
    wrong = [v for v in array.flat if not isinstance(v, kinds) or isinstance(v, bool)]
    try:
        if not wrong:
            array = encoded(array, name) if dtype == tf.string else array
            with np.errstate(over="ignore"):  # A number too large becomes infinite.
                return array.astype(dtype.as_numpy_dtype)
    except OverflowError:
        wrong = [max(array.flat, key=abs)]
    raise ValueError(
        explain(
            f"{name!r} as {dtype.name}",
            f"{wrong[0]!r}"[:80],
            f"convert the values to {dtype.name}",
        )
    )
