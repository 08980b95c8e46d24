"""A field of histories: lists of past ids of another field."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_choice
from tf_ctr.features.arrow import flat_lists
from tf_ctr.features.columns import column, raw_id_lists
from tf_ctr.features.field import POOLINGS, Field, Id, Pooling
from tf_ctr.features.ids import example_id_lists, fixed_length, look_up
from tf_ctr.features.learning import Learner
from tf_ctr.features.names import check_field_name
from tf_ctr.features.sharing import find_owner, linked_owner

if TYPE_CHECKING:
    from tf_ctr.features.categorical import Categorical


@dataclasses.dataclass(frozen=True)
class Sequence(Field):
    """A field of histories: in each row a list of ids of the field `of`, oldest first.

    It shares the vocabulary and the embedding table of the field `of`. Histories add
    nothing to the vocabulary: an id that occurs only in histories is unseen.

    Args:
        name: The name of the field and of the Keras input.
        of: The `Categorical` field whose ids these are.
        max_length: The number of ids to keep in each row: the newest (last) ones.
        pooling: `"mean"` or `"sum"` over the ids, for backbones that pool.
        column: The column of the rows; `None` takes `name`.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> from tf_ctr.features import Categorical, Schema, Sequence
    >>> item = Categorical("item", vocabulary=[3, 5])
    >>> schema = Schema([item, Sequence("history", of="item", max_length=2)])
    >>> schema.encode({"item": [5], "history": [[9, 5, 3]]})["history"].numpy()
    array([[3, 2]])
    """

    of: str
    max_length: int = 50
    pooling: Pooling = "mean"
    # The field `of` itself, set by `linked`.
    _owner: "Categorical | None" = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    multivalent = True
    keeps_newest = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_field_name(self.of)
        self._set_count("max_length", 1)
        check_choice("pooling", self.pooling, POOLINGS)

    def linked(self, fields: Mapping[str, Field]) -> "Sequence":
        """Returns a copy linked to the field `of`; see `Field.linked`."""
        copy = dataclasses.replace(self)
        copy._set("_owner", find_owner(self.of, fields))
        return copy

    @property
    def owner(self) -> "Categorical":
        """The field `of`.

        Raises:
            ValueError: If the sequence is not yet part of a schema.
        """
        return linked_owner(self, self._owner)

    @property
    def table(self) -> str:
        """The field that owns the embedding table: `of`."""
        return self.of

    @property
    def table_size(self) -> int | None:
        """Rows of the embedding table of `of`."""
        return self.owner.table_size

    @property
    def dtype(self) -> str | None:
        """The dtype of `of`."""
        return self.owner.dtype

    @property
    def padding(self) -> Id | None:
        """The padding value of `of`."""
        return self.owner.padding

    @property
    def fitted(self) -> bool:
        """Whether the field `of` is fitted."""
        return self.owner.fitted

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the raw ids of a frame, `[B, max_length]`, padded on the right."""
        return raw_id_lists(frame, self)

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` random lists of ids, a tenth missing and a tenth unseen."""
        return example_id_lists(self.owner, self.max_length, n, generator)

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None
    ) -> tf.Tensor:
        """Returns the rows of raw ids, int64 `[B, max_length]`; see `Field.encode`."""
        rows = look_up(values, self.owner, table)
        return fixed_length(rows, self.max_length, newest=True)

    def learner(self) -> Learner:
        """Returns a learner that only checks that the column holds lists."""
        return _ListCheck(self)


class _ListCheck(Learner):
    """Learns nothing, because a sequence takes everything from its field `of`."""

    def __init__(self, field):
        self._field = field

    def update(self, frame):
        name = self._field.column
        flat_lists(column(frame, name), name)
