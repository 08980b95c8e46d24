"""The encoder of raw values, the same in training and in serving."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.features.cross import Cross
from tf_ctr.features.field import Field


class Encoder:
    """Encodes raw tensors as ids and standardised numbers, with TensorFlow ops.

    The same ops run in a `tf.data` pipeline and in an exported model, so that
    training and serving cannot differ.

    Args:
        fields: The fitted fields.
        make_table: A function from a field to its lookup table, `None` for a field
            without one. Defaults to `Field.lookup_table`.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        make_table: Callable[[Field], tf.lookup.StaticHashTable | None] | None = None,
    ):
        self.fields = fields
        make_table = make_table or (lambda field: field.lookup_table())
        # Outside any graph being traced, because the tables outlive it. On the CPU,
        # because the lookup ops run only there.
        with tf.init_scope(), tf.device("CPU:0"):
            tables = {field.name: make_table(field) for field in fields}
        self._tables = {name: table for name, table in tables.items() if table}

    @property
    def tables(self) -> list[tf.lookup.StaticHashTable]:
        """The lookup tables, one per vocabulary."""
        return list(self._tables.values())

    def __call__(self, features: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Encodes every field, and ignores other entries of `features`.

        Args:
            features: Raw values of every field, as `Schema.encode` takes them.

        Returns:
            Encoded values of every field, as `Schema.encode` returns them.

        Raises:
            ValueError: For a missing field, a wrong dtype or a wrong shape.
        """
        raw, encoded = {}, {}
        crosses = [field for field in self.fields if isinstance(field, Cross)]
        for field in self.fields:
            if field.parts:
                continue
            if field.name not in features:
                raise ValueError(
                    explain(
                        f"raw values of every field, including {field.name!r}",
                        f"values of {sorted(features)}",
                        f"add features[{field.name!r}]",
                    )
                )
            values = raw[field.name] = raw_tensor(features[field.name], field)
            table = self._tables.get(field.owner.name)
            encoded[field.name] = field.encode(values, table)
        for cross in crosses:
            encoded[cross.name] = cross.encode(cross.combined(raw, encoded))
        return {field.name: encoded[field.name] for field in self.fields}


def raw_tensor(value: Any, field: Field) -> tf.Tensor:
    """Returns a tensor of the field's dtype, `[B, *row_shape]`.

    Args:
        value: Anything that `tf.convert_to_tensor` accepts, of shape `[B]` or `[B, 1]`;
            for a multivalent field `[B, T]` or ragged; for a vector `[B, dim]`.
            Smaller dtypes are widened.
        field: A fitted field.

    Raises:
        ValueError: For another dtype or shape.
    """
    dtype = tf.as_dtype(field.dtype)
    if isinstance(value, tf.RaggedTensor) and field.multivalent:
        value = value.to_tensor(field.padding)
    # With a hint, TensorFlow casts NumPy's arrays: 2.9 to 2, and NaN to any integer.
    typed = isinstance(value, np.ndarray | np.generic) and value.dtype != object
    try:
        tensor = tf.convert_to_tensor(value, dtype_hint=None if typed else dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            explain(
                f"field {field.name!r} as a rectangular array of {dtype.name} values",
                str(error).rstrip("."),
                "fill missing values with the padding value (NaN for a number)",
            )
        ) from error
    if not (_castable(tensor.dtype, dtype) and _shape_fits(tensor.shape, field)):
        raise ValueError(
            explain(
                f"field {field.name!r} as {dtype.name} of shape {_shape(field)}",
                f"{tensor.dtype.name} of shape {tensor.shape}",
                "cast or reshape it before encoding",
            )
        )
    tensor = tf.cast(tensor, dtype)
    if field.row_shape:
        return tf.ensure_shape(tensor, [None, *field.row_shape])
    if tensor.shape.rank == 1:
        return tensor
    return tf.squeeze(tf.ensure_shape(tensor, [None, 1]), axis=1)


def _shape(field: Field) -> str:
    if not field.row_shape:
        return "[B] or [B, 1]"
    return f"[B, {field.row_shape[0] or 'T'}]"


def _castable(given, wanted):
    if given.is_integer:
        fits = wanted.is_integer and given != tf.uint64  # It holds larger numbers.
        return fits or wanted.is_floating
    return given == wanted or (given.is_floating and wanted.is_floating)


def _shape_fits(shape, field):
    if field.row_shape:
        return shape.is_compatible_with([None, *field.row_shape]) and shape.rank
    return shape.rank == 1 or (shape.rank == 2 and shape[1] in (1, None))
