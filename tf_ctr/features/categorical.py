"""A field of ids, each with an embedding row."""

import dataclasses
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.columns import raw_id_lists, raw_ids
from tf_ctr.features.field import (
    MISSING,
    POOLINGS,
    Field,
    Id,
    IdType,
    Pooling,
    known,
)
from tf_ctr.features.id_learning import IdLearner
from tf_ctr.features.ids import (
    example_id_lists,
    example_ids,
    fixed_length,
    look_up,
    make_lookup_table,
)
from tf_ctr.features.learning import Learner
from tf_ctr.features.list_checks import check_hashed, check_lists
from tf_ctr.features.list_weights import in_place
from tf_ctr.features.names import check_field_name
from tf_ctr.features.pretrained import IN_MEMORY, check_pretrained, is_path
from tf_ctr.features.sharing import (
    SharedIdCheck,
    check_ids_alike,
    check_no_table_of_its_own,
    find_owner,
    linked_owner,
)
from tf_ctr.features.vocabulary import (
    DEFAULT_PADDING,
    check_padding,
    checked_vocabulary,
)
from tf_ctr.rows import Source


@dataclasses.dataclass(frozen=True)
class Categorical(Field):
    """A field of ids, strings or integers, with one embedding row each.

    Row 0 of the table stands for padding and missing values, rows `1..num_oov` for ids
    outside the vocabulary; the rows of the vocabulary follow. A hashed field
    (`num_buckets`) has no vocabulary: its buckets are the rows `1..num_buckets`.

    A field never changes: `Schema.fit` puts a completed copy in its place.

    Args:
        name: The name of the field and of the Keras input.
        vocabulary: The ids, in the order of their rows. `None` learns them from the
            data, most frequent first and equal counts by value.
        num_buckets: The number of rows to hash ids into, instead of a vocabulary; for
            an unbounded number of ids.
        min_count: A learned vocabulary leaves out ids seen fewer times than this. A
            given vocabulary keeps all of its ids.
        multivalent: Whether each row holds a list of ids.
        max_length: The number of ids to keep in each row of a multivalent field: the
            first ones. `None` learns the length of the longest list, 128 at most.
        pooling: `"mean"` or `"sum"` over the ids of a multivalent field.
        dtype: `"string"` or `"int64"`; `None` takes it from the vocabulary or data.
        padding: The raw value that stands for a missing id, in the data too. Defaults
            to `""` for strings and to `-1` for integers.
        num_oov: Rows for ids outside the vocabulary, chosen by hash.
        weights: The column of the weights of the ids of a multivalent field, a list per
            row: a model pools the ids with them. The schema has a field of that name.
        table: The name of another categorical field, to share its table and its
            vocabulary. As with `Sequence`, this field's own ids add nothing to the
            vocabulary. `None` for a table of its own.
        pretrained: Rows with a column of ids, called like the field or `"id"`, and one
            of vectors: a frame, the path of a Parquet file, or rows of any kind that
            `tf_ctr.data.rows` opens. A model's table starts from them and is as wide as
            they are; ids without one start as usual. A schema file keeps a path only.
        trainable: Whether a model trains the table; only with `pretrained` rows. A
            transfer method says itself what it trains.
        column: The column of the rows, of any name, such as `"user-item"`; `None` takes
            `name`. `True` and `False` are the ids 1 and 0.

    Raises:
        ValueError: For a wrong argument.
        TypeError: For a vocabulary that is neither all strings nor all integers.

    Example:

    >>> from tf_ctr.features import Categorical
    >>> gender = Categorical("gender", vocabulary=["F", "M"])
    >>> gender.dtype, gender.table_size
    ('string', 4)
    """

    vocabulary: Sequence[Id] | None = dataclasses.field(default=None, repr=False)
    num_buckets: int | None = None
    min_count: int = 1
    multivalent: bool = False
    max_length: int | None = None
    pooling: Pooling = "mean"
    dtype: IdType | None = None
    padding: Id | None = None
    num_oov: int = 1
    weights: str | None = None  # type: ignore[assignment]
    table: str = None  # type: ignore[assignment]  # Set by `__post_init__`.
    pretrained: Source | None = dataclasses.field(  # type: ignore[assignment]
        default=None, repr=False, compare=False
    )
    trainable: bool = True
    # The field whose table is shared, set by `linked`.
    _owner: "Categorical | None" = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("pooling", self.pooling, POOLINGS)
        check_choice("dtype", self.dtype, ("string", "int64", None))
        self._set_count("min_count", 1)
        self._set_count("num_oov", 1)
        check_lists(self)
        if self.table is None:
            self._set("table", self.name)
        if self.shares:
            check_field_name(self.table)
            check_no_table_of_its_own(self)
        check_pretrained(self)
        if self.num_buckets is not None:
            check_hashed(self)
        if self.vocabulary is not None:
            ids, dtype = checked_vocabulary(self.name, self.vocabulary, self.dtype)
            self._set("vocabulary", ids)
            self._set("dtype", dtype)
        if self.dtype is not None:
            if self.padding is None:
                self._set("padding", DEFAULT_PADDING[self.dtype])
            known_ids = self.vocabulary or ()
            check_padding(self.name, self.padding, self.dtype, known_ids)

    @property
    def shares(self) -> bool:
        """Whether the table is that of another field."""
        return self.table != self.name

    @property
    def owner(self) -> "Categorical":
        """The field with the table and the vocabulary: this one, or that of `table`.

        Raises:
            ValueError: If the table is shared, and the field not yet in a schema.
        """
        return linked_owner(self, self._owner) if self.shares else self

    def linked(self, fields: Mapping[str, Field]) -> "Categorical":
        """Returns the field, linked to that of `table`; see `Field.linked`."""
        if not self.shares:
            return self
        owner = find_owner(self.table, fields)
        check_ids_alike(self, owner)
        alike: dict[str, Any] = {"dtype": owner.dtype, "padding": owner.padding}
        given = {name: value for name, value in alike.items() if value is not None}
        copy = dataclasses.replace(self, **given)
        copy._set("_owner", owner)
        return copy

    @property
    def table_size(self) -> int | None:
        """Rows of the embedding table; `None` before the vocabulary is known."""
        if self.shares:
            return self.owner.table_size
        if self.num_buckets is not None:
            return 1 + self.num_buckets
        if self.vocabulary is not None:
            return 1 + self.num_oov + len(self.vocabulary)
        return None

    @property
    def fitted(self) -> bool:
        """Whether nothing is left to learn."""
        length_known = self.max_length is not None or not self.multivalent
        if self.shares:
            return self._owner is not None and self._owner.fitted and length_known
        return None not in (self.table_size, self.dtype) and length_known

    @property
    def has_vocabulary(self) -> bool:
        """Whether the field has its own vocabulary: it is not hashed, nor shared."""
        return self.num_buckets is None and not self.shares

    @property
    def layout(self) -> Hashable:
        """The arguments that determine the rows of the table; see `Field.layout`."""
        if self.shares:
            return self.owner.layout
        return self.num_buckets, self.num_oov, self.vocabulary

    def row_keys(self) -> list[Hashable]:
        """Returns a key for each row of the table; see `Field.row_keys`."""
        if self.shares:
            return self.owner.row_keys()
        if self.num_buckets is not None:
            count = self.num_buckets
            return [MISSING, *(("hashed", i, count) for i in range(count))]
        count = self.num_oov
        unseen = (("unseen", i, count) for i in range(count))
        return [MISSING, *unseen, *(self.vocabulary or ())]

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the raw ids of a frame; see `Field.raw_values`."""
        return (raw_id_lists if self.multivalent else raw_ids)(frame, self)

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Returns `n` random ids or lists of ids; see `Field.example_values`."""
        if self.multivalent:
            return example_id_lists(self.owner, known(self.max_length), n, generator)
        # Nullable: integers with missing values would become floats.
        dtype = "Int64" if self.dtype == "int64" else "str"
        return pd.Series(example_ids(self.owner, n, generator), dtype=dtype)

    def lookup_table(self) -> tf.lookup.StaticHashTable | None:
        """Returns a new table from ids to rows; `None` for a hashed field."""
        return make_lookup_table(self) if self.has_vocabulary else None

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None
    ) -> tf.Tensor:
        """Returns the rows of raw ids as int64; see `Field.encode`."""
        rows = look_up(values, self.owner, table)
        if not self.multivalent:
            return rows
        if self.keeps_places:
            return in_place(rows, known(self.max_length))
        return fixed_length(rows, known(self.max_length), newest=False)

    def learner(self) -> Learner:
        """Returns the learner of the vocabulary, `dtype` and `max_length`."""
        return SharedIdCheck(self) if self.shares else IdLearner(self)

    def with_ids(self, ids: Iterable[Id]) -> "Categorical":
        """Returns a copy that appends the new ones of `ids` to its vocabulary."""
        # A dict drops repeated ids and keeps the order of their first occurrence.
        vocabulary = tuple(dict.fromkeys((*(self.vocabulary or ()), *ids)))
        return dataclasses.replace(self, vocabulary=vocabulary)

    def without_ids(self, ids: Collection[Id]) -> "Categorical":
        """Returns a copy without some ids; see `Field.without_ids`."""
        left = [each for each in known(self.vocabulary) if each not in ids]
        if not left:
            raise ValueError(
                explain(
                    f"an id of field {self.name!r} that stays",
                    f"none of {len(known(self.vocabulary))}",
                    "raise idle_periods",
                )
            )
        return dataclasses.replace(self, vocabulary=left)

    def unfitted(self) -> "Categorical":
        """Returns a copy without its vocabulary, to learn it from other data."""
        return dataclasses.replace(self, vocabulary=None)

    def arguments(self) -> dict[str, Any]:
        """Returns the constructor's arguments; see `Field.arguments`."""
        values = super().arguments()
        # As the releases before these arguments wrote it.
        if not self.shares:
            del values["table"]
        if self.weights is None:
            del values["weights"]
        if self.pretrained is None:
            del values["pretrained"], values["trainable"]
        else:
            is_file = is_path(self.pretrained)
            values["pretrained"] = str(self.pretrained) if is_file else IN_MEMORY
        return values
