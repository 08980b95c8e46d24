"""The description of a data set: its fields, label and group."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_name, explain
from tf_ctr.features import columns, serialization
from tf_ctr.features import schema as reports
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.encoder import Encoder
from tf_ctr.features.example_rows import example_column
from tf_ctr.features.fields import keras_input, raw_spec, vocabulary_owner
from tf_ctr.features.learning import extend, learn, union
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.sequence import Sequence


class Schema:
    """The fields of a data set, its label and its group.

    The only place for names and dtypes. Of encoded ids, row 0 is padding and missing
    values, rows `1..num_oov` are unseen ids, then follows the vocabulary.

    Args:
        fields: `Categorical`, `Numeric` and `Sequence` fields.
        label: The column that holds 0 or 1.
        group: The column whose values group the impressions, for GAUC; often the
            user. It may be a field or any other column.

    Raises:
        ValueError: For repeated names, or a `Sequence` of no categorical field.
        TypeError: For something that is no field, or a group that is no name.

    Example:

    >>> import pandas
    >>> from tf_ctr.features import Categorical, Schema
    >>> frame = pandas.DataFrame({"item": [7, 9, 7], "click": [0, 1, 1]})
    >>> schema = Schema([Categorical("item")]).fit(frame)
    >>> schema.encode({"item": [9, 5, -1]})["item"].numpy()
    array([3, 1, 0])
    """

    def __init__(self, fields, label: str = "click", group: str | None = None):
        self.label = label
        self.group = group
        self._specs = list(fields)
        check_fields(self._specs, label, group)
        self._complete(self._specs, coverage={})

    def __repr__(self):
        return f"Schema({self.fields!r}, label={self.label!r}, group={self.group!r})"

    def _complete(self, fields, coverage):
        self.fields = linked(fields)
        self.coverage = coverage
        self._encoder = None

    @property
    def fitted(self) -> bool:
        """Whether every field is complete."""
        return all(field.fitted for field in self.fields)

    def field(self, name: str):
        """Returns the field called `name`.

        Raises:
            ValueError: If there is none, with the names there are.
        """
        fields = {field.name: field for field in self.fields}
        check_name("field", name, fields)
        return fields[name]

    def fit(self, data) -> "Schema":
        """Learns what the fields leave open, in one pass.

        A second call learns anew. If it raises, the schema stays as it was.

        Args:
            data: A pandas frame, or an iterable of frames for data that does not fit
                in memory. It needs no label.

        Returns:
            The schema itself.

        Raises:
            ValueError: For a missing column, or values that nothing is learned from.
            TypeError: For a column whose values do not fit its field.
        """
        self._complete(*learn(self._specs, data))
        return self

    def extend(self, data) -> "Schema":
        """Returns a schema that knows the new ids of `data` too, after the old ones.

        No known id changes its row, and nothing else is learned anew: a given
        vocabulary, hashed fields, bins, means and list lengths stay. An id is new if
        `data` alone has it at least `min_count` times. Carry a trained model over
        with `tf_ctr.surgery.grow`.

        Args:
            data: As for `fit`. The order of the new rows is that of `fit`, too.

        Returns:
            A new schema; this one stays as it is. Its `coverage` is that of `data`.

        Raises:
            ValueError: For a missing column, no row, or a schema that is not fitted.
            TypeError: For a column whose values do not fit its field.

        Example:

        >>> import pandas
        >>> from tf_ctr.features import Categorical, Schema
        >>> schema = Schema([Categorical("item")])
        >>> schema = schema.fit(pandas.DataFrame({"item": [7, 9, 7]}))
        >>> schema.extend(pandas.DataFrame({"item": [9, 5]})).field("item").vocabulary
        (7, 9, 5)
        """
        check_fitted(self.fields)
        grown = Schema(self._specs, self.label, self.group)
        grown._complete(*extend(self.fields, self._specs, data))
        return grown

    def union(self, other) -> "Schema":
        """Returns a schema that knows the ids of another one too, after its own.

        As `extend`, with the vocabularies of `other` for data: no known id changes
        its row, and all else stays.

        Args:
            other: A fitted schema. Its fields that this one lacks are left out.

        Returns:
            A new schema; this one stays as it is.

        Raises:
            ValueError: For a schema that is not fitted.
            TypeError: For ids of one field that are strings here and integers there.

        Example:

        >>> from tf_ctr.features import Categorical, Schema
        >>> one, two = (
        ...     Schema([Categorical("item")]).fit(pd.DataFrame({"item": items}))
        ...     for items in ([7, 9], [9, 5])
        ... )
        >>> one.union(two).field("item").vocabulary
        (7, 9, 5)
        """
        check_fitted(self.fields)
        check_fitted(other.fields)
        joined = Schema(self._specs, self.label, self.group)
        joined._complete(union(self.fields, self._specs, other.fields), self.coverage)
        return joined

    def raw_columns(self, frame) -> dict[str, np.ndarray]:
        """Returns the fields' columns as checked arrays, the input of `encode`.

        Args:
            frame: A pandas frame with a column for every field.

        Returns:
            Per field: strings as objects, integers as int64, numbers as float32;
            multivalued fields of shape `[B, max_length]`, padded on the right.

        Raises:
            ValueError: For a missing column, no row, or a schema that is not fitted.
            TypeError: For a column whose values do not fit its field.
        """
        check_fitted(self.fields)
        columns.check_frame(frame)
        columns.check_rows(len(frame))
        return {field.name: columns.raw(frame, field) for field in self.fields}

    def labels(self, frame) -> np.ndarray:
        """Returns the label column as float32 `[B]`.

        Raises:
            ValueError: For a missing column, or a value other than 0 and 1.
            TypeError: For values that are no numbers.
        """
        return columns.labels(frame, self.label)

    def groups(self, frame) -> np.ndarray:
        """Returns the group of each row as int64 codes `[B]`, -1 where it is missing.

        Raises:
            ValueError: If the schema has no group, or the frame no such column.
            TypeError: For values that are lists.
        """
        return columns.groups(frame, self.group)

    def encode(self, features: dict) -> dict[str, tf.Tensor]:
        """Turns raw values into ids and standardised numbers, by TensorFlow ops.

        Works on eager tensors, in `tf.data` and in a `tf.function`.

        Args:
            features: Raw tensor of every field: `[B]` or `[B, 1]`, and `[B, T]` (any
                T, or ragged) for multivalued fields.

        Returns:
            Per field: ids as int64, `[B]` or `[B, max_length]`; standardised numbers
            as float32 `[B, 1]`.

        Raises:
            ValueError: For a missing field, a wrong dtype or shape, or a schema that
                is not fitted.
        """
        return self._fitted_encoder()(features)

    @property
    def tables(self) -> list:
        """The lookup tables of `encode`, for an export to keep track of."""
        return self._fitted_encoder().tables

    def raw_signature(self) -> dict[str, tf.TensorSpec]:
        """Returns the specification of the raw values that `encode` takes."""
        check_fitted(self.fields)
        return {field.name: raw_spec(field) for field in self.fields}

    def inputs(self) -> dict[str, keras.KerasTensor]:
        """Returns a fresh Keras input per field, for encoded values."""
        check_fitted(self.fields)
        return {field.name: keras_input(field) for field in self.fields}

    def unseen_share(self, frame) -> pd.Series:
        """Returns the share of unseen ids among all ids, per field with a vocabulary.

        `frame` may be an iterable of frames, too, with at least one row. Missing values
        do not count; a field with no value at all has NaN.
        """
        return reports.unseen_share(self, frame)

    def example_rows(self, n: int, seed: int = 0) -> pd.DataFrame:
        """Returns `n` raw rows drawn at random, a tenth missing and a tenth unseen."""
        check_fitted(self.fields)
        generator = np.random.default_rng(seed)
        drawn = {each.name: example_column(each, n, generator) for each in self.fields}
        return pd.DataFrame(drawn)

    def summary(self) -> pd.DataFrame:
        """Returns one line per field.

        `rows` is the size of the embedding table; `coverage` the share of the values
        seen by `fit` that are neither missing nor unseen, NaN where not counted.
        """
        return reports.summary(self)

    def save(self, path):
        """Writes the schema as JSON; an existing file is replaced in one step."""
        pairs = zip(self.fields, self._specs, strict=True)
        serialization.write(
            path,
            label=self.label,
            group=self.group,
            coverage=self.coverage,
            fields=[serialization.to_record(field, spec) for field, spec in pairs],
        )

    @classmethod
    def load(cls, path) -> "Schema":
        """Returns the schema that `save` wrote.

        Raises:
            ValueError: For any other file, none, or one of another version.
        """
        record = serialization.read(path)
        specs = [spec for _, spec in record["fields"]]
        schema = cls(specs, record["label"], record["group"])
        schema._complete([field for field, _ in record["fields"]], record["coverage"])
        return schema

    def _fitted_encoder(self):
        if self._encoder is None:
            check_fitted(self.fields)
            self._encoder = Encoder(self.fields)
        return self._encoder


def check_fields(fields, label, group):
    """Raises unless the names are unique and every sequence is of a known field."""
    for field in fields:
        if not isinstance(field, Categorical | Numeric | Sequence):
            raise TypeError(
                explain("fields only", repr(field), "pass e.g. Categorical('item')")
            )
    names = [field.name for field in fields]
    if not fields or label in names or len(set(names)) < len(names):
        raise ValueError(
            explain(
                "at least one field, each with a name of its own that is not the label",
                f"fields {names} and label {label!r}",
                "rename or drop the repeated one",
            )
        )
    if not isinstance(group, str | None):
        raise TypeError(
            explain(
                "a column name as `group`, or None", repr(group), "pass group='user'"
            )
        )
    owners = [field.name for field in fields if isinstance(field, Categorical)]
    for field in fields:
        if isinstance(field, Sequence):
            check_name("categorical field", field.of, owners)


def check_fitted(fields):
    """Raises unless every field is complete."""
    unfitted = [field.name for field in fields if not field.fitted]
    if unfitted:
        raise ValueError(
            explain("a fitted schema", f"open fields {unfitted}", "call schema.fit")
        )


def linked(fields) -> list:
    """Returns the fields, each sequence knowing the field it is `of`."""
    by_name = {field.name: field for field in fields}
    return [
        field.owned_by(by_name[field.of]) if isinstance(field, Sequence) else field
        for field in fields
    ]


def summary(schema) -> pd.DataFrame:
    """Returns one line per field of `schema`."""
    lines = [
        {
            "field": field.name,
            "kind": type(field).__name__,
            "table": field.table,
            "rows": field.table_size,
            "dtype": field.dtype,
            "coverage": schema.coverage.get(field.name),
        }
        for field in schema.fields
    ]
    types = {"rows": "Int64", "coverage": float}
    return pd.DataFrame(lines).astype(types).set_index("field")


def unseen_share(schema, frame) -> pd.Series:
    """Returns the share of ids of `frame` outside the vocabulary, per field."""
    owners = {field.name: vocabulary_owner(field) for field in schema.fields}
    owners = {name: owner for name, owner in owners.items() if owner}
    unseen, present = pd.Series(0.0, owners), pd.Series(0.0, owners)
    rows = 0
    for chunk in columns.chunks(frame):
        rows += len(chunk)
        encoded = schema.encode(schema.raw_columns(chunk))
        for name, owner in owners.items():
            ids = encoded[name].numpy()
            present[name] += (ids > 0).sum()
            unseen[name] += ((ids > 0) & (ids <= owner.num_oov)).sum()
    columns.check_rows(rows)
    return unseen / present
