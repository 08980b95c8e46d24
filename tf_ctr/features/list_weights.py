"""The weights of the ids in the lists of another field."""

import dataclasses
from collections.abc import Iterable, Mapping

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_name, explain
from tf_ctr.features.arrow import as_floats, flat_lists, to_float32
from tf_ctr.features.columns import column
from tf_ctr.features.field import Field, known
from tf_ctr.features.learning import Learner


@dataclasses.dataclass(frozen=True)
class ListWeights(Field):
    """The weights of the ids in each list of a field, a number per id.

    A schema has one for each `Categorical(..., weights="column")`; the model takes it
    as an input, and pools the ids by it. Weights are at least 0; one that is missing is
    0, so that its id does not count.

    Args:
        name: The name of the field and of the Keras input.
        of: The field whose ids are weighted.
        column: The column of the rows; `None` takes `name`.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> from tf_ctr.features import Categorical, Schema
    >>> lists = {"multivalent": True, "max_length": 2, "weights": "w"}
    >>> tags = Categorical("tags", ["a", "b"], **lists)
    >>> encoded = Schema([tags]).encode({"tags": [["b", "?"]], "w": [[0.5, 2.0]]})
    >>> encoded["tags"].numpy(), encoded["w"].numpy()
    (array([[3, 1]]), array([[0.5, 2. ]], dtype=float32))
    """

    of: str
    # The field `of` itself, set by `linked`.
    _of: Field | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    # Without annotations, so that the dataclass does not make arguments of them.
    dtype = "float32"
    padding = 0.0
    multivalent = True
    pooling = None
    table = None
    table_size = None

    @property
    def weighs(self) -> str:  # type: ignore[override]
        """The field whose ids are weighted."""
        return self.of

    @property
    def max_length(self) -> int | None:
        """The ids per row of the field `of`."""
        return None if self._of is None else self._of.max_length

    @property
    def fitted(self) -> bool:
        """Whether the length of the lists is known."""
        return self.max_length is not None

    def linked(self, fields: Mapping[str, Field]) -> "ListWeights":
        """Returns a copy linked to the field `of`; see `Field.linked`."""
        check_name("field", self.of, fields)
        copy = dataclasses.replace(self)
        copy._set("_of", fields[self.of])
        return copy

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the weights of a frame as float32 `[B, max_length]`, 0 as padding.

        Raises:
            ValueError: For a missing column, a negative or infinite weight, or lists
                that are not as long as those of the ids; the message names the row.
            TypeError: For a column without lists of numbers.
        """
        array = column(frame, self.column)
        values, rows = flat_lists(array, self.column)
        weights = np.nan_to_num(to_float32(as_floats(values, self.column)), posinf=-1.0)
        lengths = np.bincount(rows, minlength=len(array))
        self._check(frame, weights, rows, lengths)
        place = np.arange(len(rows)) - (np.cumsum(lengths) - lengths)[rows]
        kept = place < known(self.max_length)
        padded = np.zeros((len(array), known(self.max_length)), np.float32)
        padded[rows[kept], place[kept]] = weights[kept]
        return padded

    def _check(self, frame, weights, rows, lengths):
        wrong = weights < 0
        if wrong.any():
            raise ValueError(
                explain(
                    f"finite weights of at least 0 in column {self.column!r}",
                    f"a negative or infinite one in row {rows[wrong.argmax()]}, and "
                    f"{wrong.sum()} such weights",
                    "correct these rows; a weight of 0 leaves an id out",
                )
            )
        ids = None if self._of is None else self._of.column
        # A client may ask for this column by itself.
        if ids not in frame.columns:
            return
        _, rows_of_ids = flat_lists(column(frame, ids), ids)
        differ = np.bincount(rows_of_ids, minlength=len(lengths)) != lengths
        if differ.any():
            row = int(differ.argmax())
            raise ValueError(
                explain(
                    f"a weight in column {self.column!r} for each id in column {ids!r}",
                    f"{lengths[row]} weights for {(rows_of_ids == row).sum()} ids in "
                    f"row {row}, and {differ.sum()} such rows of {len(lengths)}",
                    "correct these rows; give a missing id its weight, too",
                )
            )

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` lists of `max_length` random weights."""
        weights = generator.uniform(0, 2, (n, known(self.max_length)))
        return pd.Series(list(weights), dtype=object)

    def keras_input(self) -> keras.KerasTensor:
        """Returns a Keras input, float32 `[B, max_length]`."""
        return keras.Input((self.max_length,), dtype="float32", name=self.name)

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None = None
    ) -> tf.Tensor:
        """Returns float32 `[B, max_length]`, 0 for a weight that is not one."""
        valid = tf.math.is_finite(values) & (values > 0)
        weights = tf.where(valid, values, tf.zeros_like(values))
        return in_place(weights, known(self.max_length))

    def learner(self) -> Learner:
        """Returns a learner that only checks that the column holds lists of numbers."""
        return _WeightCheck(self)


class _WeightCheck(Learner):
    """Learns nothing: the length of the lists is that of the ids."""

    def __init__(self, field):
        self._field = field

    def update(self, frame):
        array, name = column(frame, self._field.column), self._field.column
        values, rows = flat_lists(array, name)
        weights = np.nan_to_num(to_float32(as_floats(values, name)), posinf=-1.0)
        lengths = np.bincount(rows, minlength=len(array))
        self._field._check(frame, weights, rows, lengths)


def with_list_weights(fields: Iterable[Field]) -> list[Field]:
    """Returns fields, each followed by that of its weights unless it is among them.

    Raises:
        ValueError: If another field has the name of the weights.
    """
    given = list(fields)
    by_name = {getattr(field, "name", None): field for field in given}
    found: list[Field] = []
    for field in given:
        found.append(field)
        weights = getattr(field, "weights", None)
        if weights is None:
            continue
        companion = ListWeights(weights, of=field.name)
        taken = by_name.setdefault(weights, companion)
        if taken is companion:
            found.append(companion)
        elif taken != companion:
            raise ValueError(
                explain(
                    f"a column of weights of {field.name!r} that is no other field",
                    f"weights={weights!r}, which is {taken!r}",
                    "rename one of them, or leave the other field out",
                )
            )
    return found


def in_place(values: tf.Tensor, length: int) -> tf.Tensor:
    """Cuts or pads lists `[B, T]` on the right to `[B, length]`; drops no padding."""
    missing = tf.maximum(length - tf.shape(values)[1], 0)
    padded = tf.pad(values[:, :length], [[0, 0], [0, missing]])
    return tf.ensure_shape(padded, [None, length])
