"""A field of ids with an embedding row each."""

import dataclasses

import numpy as np

from tf_ctr.errors import check_choice, explain
from tf_ctr.features.checks import POOLINGS, check_name, set_count

DEFAULT_PADDING = {"string": "", "int64": -1}
# Rows are counted in 32 bits on their way to a batch.
MOST_ROWS = 2**31 - 2
PYTHON_TYPE = {"string": str, "int64": int}
INT64 = np.iinfo(np.int64)


@dataclasses.dataclass(frozen=True)
class Categorical:
    """Ids, strings or integers, that get one embedding row each.

    Row 0 of the table is padding and missing values, rows `1..num_oov` are ids
    outside the vocabulary, then follows the vocabulary. A hashed field
    (`num_buckets`) has no vocabulary: its buckets are the rows `1..num_buckets`.

    A field is never changed: `Schema.fit` puts a completed copy in its place.

    Args:
        name: The column of the frame, and the name of the Keras input.
        vocabulary: The ids, in the order of their rows. `None` learns them from the
            data, most frequent first and equal counts by value.
        num_buckets: Hash into so many rows instead of keeping a vocabulary; for ids
            without bound.
        min_count: Ids seen less often are left out of a learned vocabulary; a given
            one stays whole.
        multivalent: Whether each row holds a list of ids.
        max_length: Ids kept of each row of a multivalent field, the first ones.
            `None` learns the longest list, 128 at most.
        pooling: `"mean"` or `"sum"` over the ids of a multivalent field.
        dtype: `"string"` or `"int64"`; `None` takes it from the vocabulary or data.
        padding: The raw value that stands for missing, also as an ordinary value in
            the data. `None` means `""` for strings and `-1` for integers.
        num_oov: Rows for ids outside the vocabulary, chosen by hash.

    Raises:
        ValueError: For a wrong argument.
        TypeError: For a vocabulary that is neither all strings nor all integers.

    Example:

    >>> from tf_ctr.features import Categorical
    >>> gender = Categorical("gender", vocabulary=["F", "M"])
    >>> gender.dtype, gender.table_size
    ('string', 4)
    """

    name: str
    vocabulary: tuple | None = dataclasses.field(default=None, repr=False)
    num_buckets: int | None = None
    min_count: int = 1
    multivalent: bool = False
    max_length: int | None = None
    pooling: str = "mean"
    dtype: str | None = None
    padding: str | int | None = None
    num_oov: int = 1

    # Of a list that is too long, the first ids are kept.
    keeps_newest = False

    def __post_init__(self):
        check_name(self.name)
        check_choice("pooling", self.pooling, POOLINGS)
        check_choice("dtype", self.dtype, ("string", "int64", None))
        set_count(self, "min_count", 1)
        set_count(self, "num_oov", 1)
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

    def _check_max_length(self):
        if self.max_length is None:
            return
        set_count(self, "max_length", 1)
        if not self.multivalent:
            raise ValueError(
                explain(
                    "`max_length` with a multivalent field only",
                    f"max_length={self.max_length} for field {self.name!r}",
                    "pass multivalent=True, or leave max_length out",
                )
            )

    def _check_hashed(self):
        set_count(self, "num_buckets", 1, MOST_ROWS)
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
        # JSON holds Python values only.
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
        object.__setattr__(self, "vocabulary", ids)
        object.__setattr__(self, "dtype", dtypes.pop())

    def _set_padding(self):
        if self.dtype is None:
            return
        if self.padding is None:
            object.__setattr__(self, "padding", DEFAULT_PADDING[self.dtype])
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
                    "pass padding= a value that is no id",
                )
            )
        if self.dtype == "int64":
            self._check_range()

    def _check_range(self):
        ids = (self.padding, *(self.vocabulary or ()))
        wrong = [value for value in ids if not INT64.min <= value <= INT64.max]
        if wrong:
            raise ValueError(
                explain(
                    f"ids of field {self.name!r} that fit in 64 bits, with a sign",
                    f"{len(wrong)} others, {wrong[0]} among them",
                    "pass strings: [str(value) for value in vocabulary]",
                )
            )
