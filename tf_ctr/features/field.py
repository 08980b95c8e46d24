"""The base class of all fields: raw values, embedding table, encoding, learning."""

import abc
import dataclasses
import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_count, explain
from tf_ctr.features.names import check_field_name

if TYPE_CHECKING:
    from tf_ctr.features.learning import Learner

Id = str | int
IdType = Literal["string", "int64"]
Value = TypeVar("Value")
Pooling = Literal["mean", "sum"]
POOLINGS = ("mean", "sum")

# The key of row 0 in every table.
MISSING = ("missing",)


@dataclasses.dataclass(frozen=True)
class Field(abc.ABC):
    """A column of the data, and its encoding for a model.

    Everything that depends on the kind of field is a property or a method here, so that
    no other code needs to check the class. A field never changes: learning returns a
    completed copy.

    Args:
        name: The name of the field, of the Keras input and of the served input.
        column: The column of the rows, of any name; `None` takes `name`.

    Raises:
        ValueError: If the name cannot be that of an input, or `column` is not a name.
    """

    name: str
    # Keyword only: the last argument of every kind of field.
    column: str = dataclasses.field(  # type: ignore[assignment]  # `__post_init__`.
        default=None, kw_only=True, repr=False
    )

    # Whether a list that is too long keeps its last ids, or its first ones.
    keeps_newest = False
    # Whether models map the encoded values to the embedding dim by a matrix.
    projected = False
    # The rows that a table starts from; the field with the weights of this one's ids,
    # that whose ids this one weighs, and those that it crosses, in place of a column.
    pretrained = weights = weighs = parts = None

    def __post_init__(self) -> None:
        check_field_name(self.name)
        if self.column is None:
            self._set("column", self.name)
        if not isinstance(self.column, str) or not self.column:
            raise ValueError(
                explain(
                    f"the `column` of field {self.name!r} as text",
                    repr(self.column),
                    "leave it out if the column is called like the field",
                )
            )

    def linked(self, fields: "Mapping[str, Field]") -> "Field":
        """Returns the field, linked to the fields of its schema that it refers to.

        Args:
            fields: `{name: field}` of the schema.

        Raises:
            ValueError: If the schema lacks one of them.
        """
        return self

    # Raw values.

    @property
    @abc.abstractmethod
    def dtype(self) -> str | None:
        """The dtype of raw values, e.g. `"int64"`; `None` if not known yet."""

    @property
    @abc.abstractmethod
    def padding(self) -> Id | float | None:
        """The raw value that stands for a missing one; `None` if not known yet."""

    @property
    @abc.abstractmethod
    def multivalent(self) -> bool:
        """Whether each row holds a list of ids."""

    @property
    @abc.abstractmethod
    def max_length(self) -> int | None:
        """The ids kept per row; `None` if not known yet, or not multivalent."""

    @property
    @abc.abstractmethod
    def pooling(self) -> Pooling | None:
        """How a model pools the ids of a row; `None` if there is one value per row."""

    @property
    def row_shape(self) -> tuple[int | None, ...]:
        """The shape of a raw value: `()`, or `(None,)` for a list of any length."""
        return (None,) if self.multivalent else ()

    @property
    def keeps_places(self) -> bool:
        """Whether missing ids stay in their list; else they are dropped."""
        return self.weights is not None or self.weighs is not None

    def raw_spec(self) -> tf.TensorSpec:
        """Returns the specification of the raw values: `[B, *row_shape]`."""
        return tf.TensorSpec([None, *self.row_shape], self.dtype, self.name)

    @abc.abstractmethod
    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the checked column of a frame, as `encode` expects it.

        Returns:
            `[B]` of the field's dtype, strings as objects; lists as `[B, max_length]`,
            padded on the right.

        Raises:
            ValueError: If there is no such column.
            TypeError: If its values do not fit the field.
        """

    @abc.abstractmethod
    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` random raw values, a tenth missing and a tenth unseen."""

    # The embedding table.

    @property
    @abc.abstractmethod
    def table(self) -> str | None:
        """The name of `owner`; `None` for numbers, which have no embedding table."""

    @property
    @abc.abstractmethod
    def table_size(self) -> int | None:
        """Rows of the embedding table; `None` without one, or if not known yet."""

    @property
    def owner(self) -> "Field":
        """The field whose table and vocabulary this field uses, often itself."""
        return self

    @property
    def has_vocabulary(self) -> bool:
        """Whether the field has its own vocabulary, known or still to be learned."""
        return False

    @property
    def vocabulary(self) -> Sequence[Id] | None:
        """The field's own vocabulary; `None` without one, or if not known yet."""
        return None

    @property
    def num_oov(self) -> int:
        """The number of rows for ids outside the field's own vocabulary."""
        return 0

    @property
    def layout(self) -> Hashable:
        """The values that determine the rows: equal layouts have equal `row_keys`."""
        return None

    def row_keys(self) -> list[Hashable]:
        """Returns a key for each row of the table, for what the row stands for.

        The key of an id's row is the id. Every other key is a tuple, never an id.
        """
        return []

    # Encoded values.

    @property
    def width(self) -> int:
        """The encoded values per row: ids, or numbers."""
        return known(self.max_length) if self.multivalent else 1

    def keras_input(self) -> keras.KerasTensor:
        """Returns a Keras input for encoded values: ids as int64 `[B]` or `[B, T]`."""
        shape = (self.max_length,) if self.multivalent else ()
        return keras.Input(shape, dtype="int64", name=self.name)

    def lookup_table(self) -> tf.lookup.StaticHashTable | None:
        """Returns a new table from ids to rows; `None` without a vocabulary."""
        return None

    @abc.abstractmethod
    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None
    ) -> tf.Tensor:
        """Encodes raw values for a model, with TensorFlow ops.

        Args:
            values: Raw values of the field's dtype: `[B]`, or `[B, T]` with any T.
            table: The `lookup_table` of `owner`.

        Returns:
            Ids as int64, `[B]` or `[B, max_length]`; numbers as float32 `[B, width]`.
        """

    # Learning.

    @property
    @abc.abstractmethod
    def fitted(self) -> bool:
        """Whether nothing is left to learn."""

    @abc.abstractmethod
    def learner(self) -> "Learner":
        """Returns a learner of everything that the field leaves open."""

    @property
    def learns_ids(self) -> bool:
        """Whether `learner` learns a vocabulary."""
        return self.has_vocabulary and self.vocabulary is None

    def with_ids(self, ids: Iterable[Id]) -> "Field":
        """Returns a copy that appends the new ones of `ids` to its vocabulary."""
        return self

    def without_ids(self, ids: Collection[Id]) -> "Field":
        """Returns a copy without some ids; raises `ValueError` if none would stay."""
        return self

    def unfitted(self) -> "Field":
        """Returns a copy without vocabulary, moments and boundaries."""
        return self

    @property
    def scale(self) -> tuple[float, float] | None:
        """Mean and standard deviation of standardised numbers, once known."""
        return None

    @property
    def largest(self) -> float | None:
        """The largest distance from the mean that `fit` saw, in standard deviations."""
        return None

    # The constructor's arguments.

    @property
    def kind(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def arguments(self) -> dict[str, Any]:
        """Returns the constructor's arguments, as values that JSON can hold."""
        names = [entry.name for entry in dataclasses.fields(self) if entry.init]
        values = {name: getattr(self, name) for name in names}
        # As the releases before `column` wrote it.
        if self.column == self.name:
            del values["column"]
        return values

    @classmethod
    def restored(cls, arguments: Mapping[str, Any]) -> "Field":
        """Returns the field of saved `arguments`, also those of older releases.

        Args:
            arguments: What `arguments` returned, after a round trip through JSON.
        """
        return cls(**arguments)

    def _set(self, argument: str, value: Any) -> None:
        """Sets an argument in `__post_init__`, although the dataclass is frozen."""
        object.__setattr__(self, argument, value)

    def _set_count(self, argument: str, least: int, most: float = math.inf) -> None:
        """Checks a count, and stores it as a Python `int`, which JSON can hold."""
        value = getattr(self, argument)
        check_count(argument, value, least, most)
        self._set(argument, int(value))


def known(value: Value | None) -> Value:
    """Returns an argument that only a field that is not fitted may lack.

    Raises:
        ValueError: If the argument is `None`.
    """
    if value is None:
        raise ValueError(
            explain("a fitted field", "one that is not fitted", "call schema.fit")
        )
    return value
