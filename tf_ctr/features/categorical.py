"""A field of ids, each with an embedding row."""

import dataclasses
from collections.abc import Hashable, Iterable, Sequence

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
from tf_ctr.features.ids import (
    example_id_lists,
    example_ids,
    fixed_length,
    look_up,
    make_lookup_table,
)
from tf_ctr.features.learning import IdLearner

DEFAULT_PADDING = {"string": "", "int64": -1}
# `tf_ctr.data` holds rows as 32-bit integers on their way to a batch.
MOST_ROWS = 2**31 - 2
PYTHON_TYPE = {"string": str, "int64": int}
INT64 = np.iinfo(np.int64)


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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("pooling", self.pooling, POOLINGS)
        check_choice("dtype", self.dtype, ("string", "int64", None))
        self._set_count("min_count", 1)
        self._set_count("num_oov", 1)
        self._check_max_length()
        if self.num_buckets is not None:
            self._check_hashed()
        if self.vocabulary is not None:
            self._set_vocabulary()
        self._set_padding()

    @property
    def table(self) -> str:
        """The field that owns the embedding table: this one."""
        return self.name

    @property
    def table_size(self) -> int | None:
        """Rows of the embedding table; `None` before the vocabulary is known."""
        if self.num_buckets is not None:
            return 1 + self.num_buckets
        if self.vocabulary is not None:
            return 1 + self.num_oov + len(self.vocabulary)
        return None

    @property
    def fitted(self) -> bool:
        """Whether nothing is left to learn."""
        length_known = self.max_length is not None or not self.multivalent
        return None not in (self.table_size, self.dtype) and length_known

    @property
    def has_vocabulary(self) -> bool:
        """Whether the field has a vocabulary: all fields do that are not hashed."""
        return self.num_buckets is None

    @property
    def layout(self) -> Hashable:
        """The arguments that determine the rows of the table; see `Field.layout`."""
        return self.num_buckets, self.num_oov, self.vocabulary

    def row_keys(self) -> list[Hashable]:
        """Returns a key for each row of the table; see `Field.row_keys`."""
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
            return example_id_lists(self, known(self.max_length), n, generator)
        # Nullable: integers with missing values would become floats.
        dtype = "Int64" if self.dtype == "int64" else "str"
        return pd.Series(example_ids(self, n, generator), dtype=dtype)

    def lookup_table(self) -> tf.lookup.StaticHashTable | None:
        """Returns a new table from ids to rows; `None` for a hashed field."""
        return make_lookup_table(self) if self.has_vocabulary else None

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None
    ) -> tf.Tensor:
        """Returns the rows of raw ids as int64; see `Field.encode`."""
        rows = look_up(values, self, table)
        if not self.multivalent:
            return rows
        return fixed_length(rows, known(self.max_length), newest=False)

    def learner(self, grow: bool = False) -> IdLearner:
        """Returns the learner of the vocabulary, `dtype` and `max_length`."""
        return IdLearner(self, grow)

    def with_ids(self, ids: Iterable[Id]) -> "Categorical":
        """Returns a copy that appends the new ones of `ids` to its vocabulary."""
        # A dict drops repeated ids and keeps the order of their first occurrence.
        vocabulary = tuple(dict.fromkeys((*(self.vocabulary or ()), *ids)))
        return dataclasses.replace(self, vocabulary=vocabulary)

    def unfitted(self) -> "Categorical":
        """Returns a copy without its vocabulary, to learn it from other data."""
        return dataclasses.replace(self, vocabulary=None)

    def _check_max_length(self):
        if self.max_length is None:
            return
        self._set_count("max_length", 1)
        if not self.multivalent:
            raise ValueError(
                explain(
                    "`max_length` only with a multivalent field",
                    f"max_length={self.max_length} for field {self.name!r}",
                    "pass multivalent=True, or leave max_length out",
                )
            )

    def _check_hashed(self):
        self._set_count("num_buckets", 1, MOST_ROWS)
        if self.vocabulary is not None or (self.min_count, self.num_oov) != (1, 1):
            raise ValueError(
                explain(
                    "either `num_buckets`, or `vocabulary`, `min_count` and `num_oov`",
                    f"both, for field {self.name!r}",
                    "leave one of them out: a hashed field has no vocabulary",
                )
            )

    def _set_vocabulary(self):
        ids = self.vocabulary
        if isinstance(ids, str | set | frozenset):
            raise TypeError(
                explain(
                    f"a list of ids as the vocabulary of field {self.name!r}",
                    type(ids).__name__,
                    "pass a list, in the order of the embedding rows",
                )
            )
        ids = tuple(ids)
        if any(issubclass(kind, np.generic) for kind in set(map(type, ids))):
            # JSON cannot hold NumPy values.
            ids = tuple(i.item() if isinstance(i, np.generic) else i for i in ids)
        kinds = {str: "string", int: "int64"}
        dtypes = {kinds.get(kind) for kind in set(map(type, ids))}
        if len(dtypes) != 1 or None in dtypes or self.dtype not in (None, *dtypes):
            raise TypeError(
                explain(
                    f"the vocabulary of field {self.name!r} to be all strings or all "
                    f"integers, and not empty (dtype={self.dtype!r})",
                    f"values of types {sorted({type(i).__name__ for i in ids})}",
                    "convert them: [str(value) for value in vocabulary]",
                )
            )
        if len(set(ids)) != len(ids):
            raise ValueError(
                explain(
                    f"each id once in the vocabulary of field {self.name!r}",
                    f"{len(ids) - len(set(ids))} repeated",
                    "drop them: list(dict.fromkeys(vocabulary))",
                )
            )
        self._set("vocabulary", ids)
        self._set("dtype", dtypes.pop())

    def _set_padding(self):
        if self.dtype is None:
            return
        if self.padding is None:
            self._set("padding", DEFAULT_PADDING[self.dtype])
        if type(self.padding) is not PYTHON_TYPE[self.dtype]:
            raise TypeError(
                explain(
                    f"`padding` of type {self.dtype} for field {self.name!r}",
                    repr(self.padding),
                    f"pass padding={DEFAULT_PADDING[self.dtype]!r}",
                )
            )
        if self.padding in (self.vocabulary or ()):
            raise ValueError(
                explain(
                    f"a vocabulary of field {self.name!r} without the padding value",
                    f"{self.padding!r} among the ids",
                    "pass a padding= that is not an id",
                )
            )
        ids = (self.padding, *(self.vocabulary or ()))
        wrong = [
            value
            for value in ids
            if self.dtype == "int64" and not INT64.min <= value <= INT64.max
        ]
        if wrong:
            raise ValueError(
                explain(
                    f"ids of field {self.name!r} that fit in a signed 64-bit integer",
                    f"{len(wrong)} that do not fit, e.g. {wrong[0]}",
                    "pass strings: [str(value) for value in vocabulary]",
                )
            )
