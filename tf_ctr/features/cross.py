"""A field of the pairs, or more, of values of other fields."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_name, explain
from tf_ctr.features.field import MISSING, Field
from tf_ctr.features.ids import hashed_rows
from tf_ctr.features.learning import Learner
from tf_ctr.features.list_checks import MOST_ROWS

# It stands in no number, and hardly in an id.
SEPARATOR = "\x1f"


@dataclasses.dataclass(frozen=True)
class Cross(Field):
    """A field of the combinations of values of other fields, hashed into buckets.

    It has no column and no input in a request: it is computed from its parts. A
    combination is missing (row 0) if one of the values is. Ids are combined as they
    are, also unseen ones; hours and bins by their number.

    Args:
        name: The fields to cross, e.g. `("city", "hour")`; the name of this field is
            then `"city_x_hour"`. Or a name, and the fields in `parts`.
        num_buckets: The number of rows that combinations are hashed into.
        parts: The fields to cross, at least two, with one value per row each.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> from tf_ctr.features import Categorical, Cross, Schema
    >>> fields = [Categorical("city", ["b", "p"]), Categorical("tab", [1, 2])]
    >>> schema = Schema([*fields, Cross(("city", "tab"), num_buckets=100)])
    >>> rows = schema.encode({"city": ["b", "b", "p", ""], "tab": [1, 1, 1, 1]})
    >>> one, same, other, missing = rows["city_x_tab"].numpy()
    >>> bool(one == same), bool(one == other), int(missing)
    (True, False, 0)
    """

    num_buckets: int = 0
    parts: Sequence[str] = ()  # type: ignore[assignment]
    # The parts themselves, set by `linked`.
    _of: tuple[Field, ...] = dataclasses.field(
        default=(), init=False, repr=False, compare=False
    )

    # Without annotations, so that the dataclass does not make arguments of them.
    dtype = "string"
    padding = ""
    multivalent = False
    max_length = None
    pooling = None

    def __post_init__(self) -> None:
        if isinstance(self.name, tuple | list):
            self._set("parts", self.name)
            self._set("name", "_x_".join(map(str, self.name)))
        super().__post_init__()
        self._set("parts", tuple(self.parts))
        self._set_count("num_buckets", 1, MOST_ROWS)
        if len(self.parts) < 2 or len(set(self.parts)) < len(self.parts):
            raise ValueError(
                explain(
                    f"two or more different fields to cross in {self.name!r}",
                    [*self.parts],
                    "pass e.g. Cross(('city', 'hour'), num_buckets=10_000)",
                )
            )

    def linked(self, fields: Mapping[str, Field]) -> "Cross":
        """Returns a copy that knows its parts; see `Field.linked`."""
        single = {
            name: field
            for name, field in fields.items()
            if field.table is not None and not field.multivalent and not field.parts
        }
        for part in self.parts:
            check_name("field with one id, hour or bin per row", part, single)
        copy = dataclasses.replace(self)
        copy._set("_of", tuple(single[part] for part in self.parts))
        return copy

    @property
    def fitted(self) -> bool:
        """Whether it is part of a schema; it learns nothing itself."""
        return bool(self._of)

    @property
    def table(self) -> str:
        """The field that owns the embedding table: this one."""
        return self.name

    @property
    def table_size(self) -> int:
        """Rows of the embedding table: missing, then the buckets."""
        return 1 + self.num_buckets

    @property
    def layout(self) -> Hashable:
        """The parts and the number of buckets, which determine the rows."""
        return self.parts, self.num_buckets

    def row_keys(self) -> list[Hashable]:
        """Returns a key for each row, as for a hashed field."""
        count = self.num_buckets
        buckets = (("crossed", self.parts, i, count) for i in range(count))
        return [MISSING, *buckets]

    def raw_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Raises: it has no raw values.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            explain(
                "a field with a column",
                f"{self.name!r}, which is computed from {self.parts}",
                "read those, and call schema.encode",
            )
        )

    def example_values(self, n: int, generator: np.random.Generator) -> pd.Series:
        """Raises: it has no raw values; see `raw_values`."""
        raise TypeError(f"{self.name!r} has no values of its own")

    def encode(
        self, values: tf.Tensor, table: tf.lookup.StaticHashTable | None = None
    ) -> tf.Tensor:
        """Returns the buckets of combinations of texts, int64 `[B]`; 0 for `""`."""
        rows = hashed_rows(values, self.num_buckets)
        return tf.where(values == "", tf.zeros_like(rows), rows)

    def combined(
        self, raw: Mapping[str, tf.Tensor], encoded: Mapping[str, tf.Tensor]
    ) -> tf.Tensor:
        """Returns the combination in each row as text, strings `[B]`.

        Args:
            raw: Raw values of the parts, `[B]`. In a request for candidates, those of
                the users may be `[R]` for items `[R * N]`.
            encoded: The rows of the parts, of the same shapes.
        """
        longest = tf.reduce_max([tf.size(encoded[part]) for part in self.parts])
        texts, present = [], tf.constant(True)
        for field in self._of:
            rows = encoded[field.name]
            own = raw[field.name] if field.num_oov else rows
            text = own if own.dtype == tf.string else tf.strings.as_string(own)
            repeats = longest // tf.maximum(tf.size(rows), 1)
            texts.append(tf.repeat(text, repeats))
            present = present & tf.repeat(rows > 0, repeats)
        joined = tf.strings.join(texts, SEPARATOR)
        return tf.where(present, joined, tf.zeros_like(joined))

    def learner(self) -> Learner:
        """Returns a learner that reads nothing."""
        return _NothingToLearn()


class _NothingToLearn(Learner):
    """A cross takes everything from its parts."""

    def update(self, frame):
        pass
