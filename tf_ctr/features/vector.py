"""A field of dense vectors, such as embeddings of images or texts."""

import dataclasses
import math

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.features.arrow import flat_lists
from tf_ctr.features.columns import column
from tf_ctr.features.field import Field
from tf_ctr.features.learning import Learner, Presence


@dataclasses.dataclass(frozen=True)
class Vector(Field):
    """A field of dense vectors of one length, such as embeddings of images or texts.

    A model multiplies each vector by a matrix of weights, to the embedding dim of the
    other fields. Vectors are taken as they are; scale them to a norm of about 1 first.

    A cell holds a list, a tuple or an array of `dim` numbers. A missing vector is a row
    of zeros. In a request it is a row of NaN, and so is any vector with NaN or an
    infinite number, because one bad row must not fail the others of its batch.

    Args:
        name: The name of the field and of the Keras input.
        dim: The length of the vectors.
        column: The column of the rows; `None` takes `name`.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> import pandas as pd
    >>> from tf_ctr.features import Schema, Vector
    >>> frame = pd.DataFrame({"image": [[0.5, 1.0], None]})
    >>> schema = Schema([Vector("image", dim=2)]).fit(frame)
    >>> schema.encode(schema.raw_columns(frame))["image"].numpy()
    array([[0.5, 1. ],
           [0. , 0. ]], dtype=float32)
    """

    dim: int

    # Without annotations, so that the dataclass does not make arguments of them.
    dtype = "float32"
    padding = math.nan
    multivalent = False
    max_length = None
    pooling = None
    table = None
    table_size = None
    projected = True
    fitted = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set_count("dim", 1)

    @property
    def row_shape(self) -> tuple[int]:
        """The shape of a raw value, `(dim,)`."""
        return (self.dim,)

    @property
    def width(self) -> int:
        """The numbers per row, `dim`."""
        return self.dim

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the vectors of a frame as float32 `[B, dim]`, NaN where missing.

        Raises:
            ValueError: For a missing column, or a vector of another length or with NaN
                or an infinite number; the message names the first such row.
            TypeError: For a column without lists of numbers.
        """
        array = column(frame, self.column)
        values, rows = flat_lists(array, self.column)
        numbers = _numbers(values, self.column)
        lengths = np.bincount(rows, minlength=len(array))
        given = np.ones(len(array), bool)
        if len(array):
            given = pc.is_valid(array).to_numpy(zero_copy_only=False)
            # pandas has floats where all vectors are missing.
            given &= not (pa.types.is_floating(array.type) and not len(values))
        wrong = given & (lengths != self.dim)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                explain(
                    f"{self.dim} numbers in each row of column {self.column!r}",
                    f"{lengths[row]} in row {row}, and {wrong.sum()} such rows of "
                    f"{len(array)}",
                    f"correct these rows, or pass Vector({self.name!r}, "
                    f"dim={lengths[row] or self.dim}); a missing vector is None",
                )
            )
        vectors = np.full((len(array), self.dim), np.nan, np.float32)
        with np.errstate(over="ignore"):
            vectors[given] = numbers.reshape(-1, self.dim)
        wrong = given & ~np.isfinite(vectors).all(axis=1)
        if wrong.any():
            row = int(wrong.argmax())
            found = vectors[row][~np.isfinite(vectors[row])][0]
            raise ValueError(
                explain(
                    f"finite numbers in each vector of column {self.column!r}",
                    f"{found} in row {row}, and {wrong.sum()} such rows of "
                    f"{len(array)}",
                    "correct these rows; a missing vector is None as a whole",
                )
            )
        return vectors

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` random vectors, a tenth missing."""
        vectors = generator.normal(size=(n, self.dim))
        missing = generator.random(n) < 0.1
        cells = [None if m else v for v, m in zip(vectors, missing, strict=True)]
        return pd.Series(cells, dtype=object)

    def keras_input(self) -> keras.KerasTensor:
        """Returns a Keras input, float32 `[B, dim]`."""
        return keras.Input((self.dim,), dtype="float32", name=self.name)

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None = None
    ) -> tf.Tensor:
        """Returns float32 `[B, dim]`, zeros in place of a vector that is not finite."""
        finite = tf.reduce_all(tf.math.is_finite(values), axis=1, keepdims=True)
        return tf.where(finite, values, tf.zeros_like(values))

    def learner(self) -> Learner:
        """Returns a learner that checks the vectors, and counts those given."""
        return _VectorCheck(self)


class _VectorCheck(Learner):
    """Learns nothing: counts the vectors that are not missing."""

    def __init__(self, field):
        self._field = field
        self._rows = self._given = 0

    def update(self, frame):
        vectors = self._field.raw_values(frame)
        self._rows += len(vectors)
        self._given += int(np.isfinite(vectors[:, 0]).sum())

    def statistics(self, period):
        return Presence(self._rows, self._given)


def _numbers(values: pa.Array, name: str) -> np.ndarray:
    """Returns the values of vectors as float64, NaN where missing."""
    types = pa.types
    kinds = types.is_integer, types.is_floating, types.is_decimal, types.is_null
    if not any(is_kind(values.type) for is_kind in kinds):
        raise TypeError(
            explain(
                f"lists of numbers in column {name!r}",
                f"lists of {values.type}",
                f"convert them: frame[{name!r}].map(lambda v: [float(x) for x in v])",
            )
        )
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
