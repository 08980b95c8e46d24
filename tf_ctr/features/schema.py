"""The description of a data set: its fields, label, group and weight."""

import os
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from tf_ctr.features import columns, serialization
from tf_ctr.features.arguments import check_arguments
from tf_ctr.features.field import Field
from tf_ctr.features.field_set import FieldSet
from tf_ctr.features.learning import learn
from tf_ctr.features.reading import frames_of
from tf_ctr.features.summary import summary
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located


class Schema(FieldSet):
    """The fields of a data set, its label, its group and its weight.

    Names and dtypes are stated here and nowhere else. An encoded id is a row of an
    embedding table: row 0 stands for padding and missing values, rows `1..num_oov` for
    unseen ids; the rows of the vocabulary follow.

    Args:
        fields: `Categorical`, `Numeric` and `Sequence` fields.
        label: The column that holds 0 or 1.
        group: The column whose values group the impressions, for GAUC; often the
            user. It may be a field or any other column.
        weight: The column that says how much each labelled row counts, e.g. an inverse
            propensity: at least 0, and not a field. It is the `sample_weight` of Keras:
            batches have it after the label, and losses and metrics are weighted. A
            model does not see it, and no request has it.

    Raises:
        ValueError: For no field, repeated names, or a `Sequence` whose `of` is not a
            categorical field.
        TypeError: If one of `fields` is not a field, or a column is not a name.

    Example:

    >>> import pandas
    >>> from tf_ctr.features import Categorical, Schema
    >>> frame = pandas.DataFrame({"item": [7, 9, 7], "click": [0, 1, 1]})
    >>> schema = Schema([Categorical("item")]).fit(frame)
    >>> schema.encode({"item": [9, 5, -1]})["item"].numpy()
    array([3, 1, 0])
    """

    def __init__(
        self,
        fields: Iterable[Field],
        label: str = "click",
        group: str | None = None,
        weight: str | None = None,
    ):
        self.label = label
        self.group = group
        self.weight = weight
        # The fields as given, for a second `fit`; `fields` has what was learned, too.
        self._specs = list(fields)
        check_arguments(self._specs, label, group, weight)
        self._complete(self._specs, coverage={})

    def __repr__(self) -> str:
        weight = "" if self.weight is None else f", weight={self.weight!r}"
        return (
            f"Schema({self.fields!r}, label={self.label!r}, group={self.group!r}"
            f"{weight})"
        )

    def _complete(
        self, fields: Iterable[Field], coverage: dict[str, float | None]
    ) -> None:
        self._set_fields(fields)
        self.coverage = coverage

    def fit(self, data: Source, verbose: int = 0) -> "Schema":
        """Learns everything that the fields leave open, in one pass over the data.

        A second call forgets what the first one learned. If it raises, the schema
        stays as it was.

        Args:
            data: A pandas frame, the path of a file or folder, or rows of any kind
                that `tf_ctr.data.rows` opens, of any size. They need no label. How
                they are cut into files does not matter.
            verbose: 1 for a progress bar.

        Returns:
            The schema itself.

        Raises:
            ValueError: For a missing column, or one without values to learn from.
            TypeError: For a column whose values do not fit its field.
        """
        learners = [spec.learner() for spec in self._specs]
        self._complete(*learn(learners, self._linked(self._specs), data, verbose))
        return self

    def extend(self, data: Source, verbose: int = 0) -> "Schema":
        """Returns a schema that also knows the new ids of `data`, after the old ones.

        No known id changes its row, and everything else stays: a given vocabulary,
        hashed fields, bins, means and list lengths. An id is new if `data` has it at
        least `min_count` times; earlier data does not count. `tf_ctr.surgery.grow`
        makes a trained model fit the new schema.

        Args:
            data: As for `fit`. New rows are in the same order as in `fit`.
            verbose: 1 for a progress bar.

        Returns:
            A new schema with the `coverage` of `data`; this one does not change.

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
        self.check_fitted()
        pairs = zip(self.fields, self._specs, strict=True)
        learners = [field.learner(grow=spec.learns_ids) for field, spec in pairs]
        extended = Schema(self._specs, self.label, self.group, self.weight)
        extended._complete(*learn(learners, self.fields, data, verbose))
        return extended

    def union(self, other: "Schema") -> "Schema":
        """Returns a schema that also knows the ids of another one, after its own.

        Like `extend`, but with the vocabularies of `other` in place of data: no known
        id changes its row, and everything else stays.

        Args:
            other: A fitted schema. Fields that this schema lacks are ignored.

        Returns:
            A new schema; this one does not change.

        Raises:
            ValueError: For a schema that is not fitted.
            TypeError: If the ids of a field are strings in one schema and integers in
                the other.

        Example:

        >>> from tf_ctr.features import Categorical, Schema
        >>> one, two = (
        ...     Schema([Categorical("item")]).fit(pd.DataFrame({"item": items}))
        ...     for items in ([7, 9], [9, 5])
        ... )
        >>> one.union(two).field("item").vocabulary
        (7, 9, 5)
        """
        self.check_fitted()
        other.check_fitted()
        ids = {field.name: field.vocabulary or () for field in other.fields}
        fields = [
            field.with_ids(ids.get(field.name, ())) if spec.learns_ids else field
            for field, spec in zip(self.fields, self._specs, strict=True)
        ]
        joined = Schema(self._specs, self.label, self.group, self.weight)
        joined._complete(fields, self.coverage)
        return joined

    def labels(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the label column as float32 `[B]`.

        Raises:
            ValueError: For a missing column, or a value other than 0 and 1.
            TypeError: For values that are not numbers.
        """
        return columns.labels(frame, self.label)

    def weights(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Returns the weight column as float32 `[B]`; `None` without one.

        Raises:
            ValueError: For a missing column, or a weight that is missing, negative or
                not finite.
            TypeError: For values that are not numbers.
        """
        return None if self.weight is None else columns.weights(frame, self.weight)

    @property
    def outcome_columns(self) -> list[str]:
        """The columns that only labelled rows need: the label, and any weight."""
        return [self.label, *([] if self.weight is None else [self.weight])]

    def groups(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the group of each row as int64 codes `[B]`, -1 where it is missing.

        Raises:
            ValueError: If the schema has no group, or the frame no such column.
            TypeError: For values that are lists.
        """
        return self.group_coder()(frame)

    def group_coder(self) -> Callable[[pd.DataFrame], np.ndarray]:
        """Returns `groups` for rows in several frames: equal groups have equal codes.

        Raises:
            ValueError: If the schema has no group.
        """
        return columns.GroupCoder(self.group_column)

    @property
    def group_column(self) -> str | None:
        """The column of the group: that of a field, if the group is one."""
        names = {field.name: field.column for field in self.fields}
        return None if self.group is None else names.get(self.group, self.group)

    def summary(self) -> pd.DataFrame:
        """Returns a table with one line per field.

        `rows` is the size of the embedding table. `coverage` is the share of the values
        seen by `fit` that are neither missing nor unseen, NaN if not counted. `largest`
        is the largest distance of a standardised number from its mean, in standard
        deviations, before it is cut.

        Warns:
            UserWarning: Of numbers further than 20 standard deviations from the mean.
        """
        return summary(self.fields, self.coverage)

    def unseen_share(self, data: Source) -> pd.Series:
        """Returns the share of unseen ids among all ids, per field with a vocabulary.

        Missing values do not count; a field with no value at all has NaN.

        Args:
            data: Rows as for `fit`, at least one.

        Raises:
            ValueError: For a missing column, no row, or a schema that is not fitted.
            TypeError: For a column whose values do not fit its field.
        """
        owners = {f.name: f.owner for f in self.fields if f.owner.has_vocabulary}
        unseen, present = pd.Series(0.0, owners), pd.Series(0.0, owners)
        rows = 0
        for place, frame in frames_of(data, self.fields):
            rows += len(frame)
            with located(place):
                encoded = self.encode(self.raw_columns(frame))
            for name, owner in owners.items():
                ids = encoded[name].numpy()
                present[name] += (ids > 0).sum()
                unseen[name] += ((ids > 0) & (ids <= owner.num_oov)).sum()
        columns.check_rows(rows)
        return unseen / present

    def save(self, path: str | os.PathLike) -> None:
        """Writes the schema as JSON; an existing file is replaced in one step.

        Raises:
            ValueError: If `path` is a folder.
        """
        pairs = list(zip(self.fields, self._specs, strict=True))
        record = serialization.SchemaRecord(
            label=self.label,
            group=self.group,
            weight=self.weight,
            coverage=self.coverage,
            fields=pairs,
        )
        serialization.write(path, record)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Schema":
        """Returns the schema that `save` wrote.

        Raises:
            ValueError: If there is no such file, or it is of another kind or version.
        """
        record = serialization.read(path)
        specs = [spec for _, spec in record["fields"]]
        schema = cls(specs, record["label"], record["group"], record["weight"])
        schema._complete([field for field, _ in record["fields"]], record["coverage"])
        return schema
