"""The description of a data set: its fields, labels, group and weight."""

import os
from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf

import pandas as pd

from tf_ctr.features import serialization
from tf_ctr.features.arguments import check_arguments, outcomes_of
from tf_ctr.features.field import Field
from tf_ctr.features.labelled import LabelledFields
from tf_ctr.features.list_weights import with_list_weights
from tf_ctr.features.outcomes import Weight
from tf_ctr.features.statistics import Statistics, check_statistics, collected
from tf_ctr.features.summary import as_html, summary
from tf_ctr.rows import Source


class Schema(LabelledFields):
    """The fields of a data set, its label, its group and its weight.

    Names and dtypes are stated here and nowhere else. An encoded id is a row of an
    embedding table: row 0 stands for padding and missing values, rows `1..num_oov` for
    unseen ids; the rows of the vocabulary follow.

    Args:
        fields: `Categorical`, `Numeric`, `Sequence`, `TimeOf` and `Vector` fields.
        label: The column that holds 0 or 1.
        group: The column whose values group the impressions, for GAUC; often the
            user. It may be a field or any other column.
        weight: The column that says how much each labelled row counts, e.g. an inverse
            propensity: at least 0, and not a field. It is the `sample_weight` of Keras:
            batches have it after the label, and losses and metrics are weighted. A
            model does not see it, and no request has it. With several labels, it may
            also be `{label: column}`; a label without a column has weight 1.
        labels: In place of `label`, the columns of several labels, e.g. `("click",
            "buy")`: batches have a dict of labels, models of `tf_ctr.joint` one output
            per label. A label may be missing, which is not known yet: it is NaN in the
            batch, and does not count in that label's loss and metrics.

    Raises:
        ValueError: For no field, repeated names, both `label` and `labels`, or a
            `Sequence` whose `of` is not a categorical field.
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
        weight: Weight = None,
        labels: SequenceOf[str] | None = None,
    ):
        self.outcomes = outcomes_of(label, labels, weight)
        self.group = group
        # The fields as given, for a second `fit`; `fields` has what was learned, too.
        self._specs = with_list_weights(fields)
        check_arguments(self._specs, self.outcomes, group)
        self._complete(self._specs, coverage={})

    def __repr__(self) -> str:
        weight = "" if self.weight is None else f", weight={self.weight!r}"
        names = self.label_names
        label = f"labels={names}" if self.outcomes.several else f"label={names[0]!r}"
        return f"Schema({self.fields!r}, {label}, group={self.group!r}{weight})"

    def _repr_html_(self) -> str:
        return as_html(self.fields, self.coverage, self.label_names, self.group)

    def _complete(self, fields, coverage):
        self._set_fields(fields)
        self.coverage = coverage

    def fit(self, data: Source | Statistics, verbose: int = 0) -> "Schema":
        """Learns everything that the fields leave open, in one pass over the data.

        How rows are cut into files does not matter. A second call forgets what the
        first one learned; if it raises, the schema stays as it was.

        Args:
            data: Rows of any kind and size that `tf_ctr.data.rows` opens, such as a
                pandas frame or a path, without need of a label; or their `Statistics`.
            verbose: 1 for a progress bar.

        Returns:
            The schema itself.

        Raises:
            ValueError: For a missing column, or one without values to learn from.
            TypeError: For a column whose values do not fit its field.
        """
        specs = self._linked(self._specs)
        found = collected(specs, data, verbose=verbose)
        self._complete(*found.complete(specs, [False] * len(specs)))
        return self

    def extend(self, data: Source | Statistics, verbose: int = 0) -> "Schema":
        """Returns a schema that also knows the new ids of `data`, after the old ones.

        No known id changes its row, and everything else stays: a given vocabulary,
        hashed fields, bins, means and list lengths. An id is new if `data` has it at
        least `min_count` times; `Statistics` remember earlier data. `surgery.grow`
        makes a trained model fit the new schema.

        Args:
            data: As for `fit`; new ids are ordered as by `fit`.
            verbose: 1 for a progress bar.

        Returns:
            A new schema with the `coverage` of `data`; this one does not change.

        Raises:
            ValueError: For a missing column, no row, or a schema that is not fitted.
            TypeError: For a column whose values do not fit its field.

        Example:

        >>> from tf_ctr.features import Categorical, Schema
        >>> schema = Schema([Categorical("item")])
        >>> schema = schema.fit(pd.DataFrame({"item": [7, 9, 7]}))
        >>> schema.extend(pd.DataFrame({"item": [9, 5]})).field("item").vocabulary
        (7, 9, 5)
        """
        self.check_fitted()
        found = collected(self.fields, data, verbose=verbose)
        grow = [spec.learns_ids for spec in self._specs]
        return self._with_learned(*found.complete(self.fields, grow))

    def collect(self, data: Source, period: int = 0, verbose: int = 0) -> Statistics:
        """Returns what rows say about the fields, for `fit` and `extend`.

        Args:
            data: Rows as for `fit`.
            period: The number of the period, e.g. the day, of the rows, for `prune`.
            verbose: 1 for a progress bar.

        Raises:
            ValueError: For a missing column, or no row.
            TypeError: For a column whose values do not fit its field.
        """
        return collected(self.fields, data, period, verbose)

    def prune(self, statistics: Statistics, idle_periods: int) -> "Schema":
        """Returns a schema without the learned ids that were not seen for long.

        They are unseen ids again. All others keep their order; `tf_ctr.surgery.grow`
        makes a trained model fit. Given vocabularies stay; histories do not count.

        Args:
            statistics: Those of the last `idle_periods` at least; else nothing drops.
            idle_periods: Ids stay if they were seen in the last so many periods.

        Returns:
            A new schema; this one does not change.

        Raises:
            ValueError: If no id of a field would stay, the schema is not fitted, or the
                statistics lack a field.

        Example:

        >>> from tf_ctr.features import Categorical, Schema
        >>> schema = Schema([Categorical("item")])
        >>> day = [pd.DataFrame({"item": items}) for items in ([7, 9], [9, 5])]
        >>> memory = schema.collect(day[0]).merge(schema.collect(day[1], period=1))
        >>> schema.fit(memory).prune(memory, idle_periods=1).field("item").vocabulary
        (9, 5)
        """
        self.check_fitted()
        check_statistics(statistics)
        fields = [
            statistics.pruned(field, idle_periods) if spec.learns_ids else field
            for field, spec in zip(self.fields, self._specs, strict=True)
        ]
        return self._with_learned(fields, self.coverage)

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
        return self._with_learned(fields, self.coverage)

    def with_fields(self, fields: Iterable[Field]) -> "Schema":
        """Returns a schema of other fields, with the labels, group and weight of this.

        Args:
            fields: The fields, as for a new schema; what they have learned they keep.
        """
        labels, weight = self.label_names, self.weight
        return Schema(fields, group=self.group, weight=weight, labels=labels)

    def _with_learned(self, fields, coverage):
        schema = self.with_fields(self._specs)
        schema._complete(fields, coverage)
        return schema

    def for_label(self, label: str) -> "Schema":
        """Returns the same schema with only one of its labels, and its weight.

        Args:
            label: The label, for a model that has one output.

        Raises:
            ValueError: If there is no such label.

        Example:

        >>> from tf_ctr.features import Categorical, Schema
        >>> both = Schema([Categorical("item")], labels=("click", "buy"))
        >>> both.for_label("buy").label
        'buy'
        """
        weight = self.outcomes.weight_of(label)
        one = Schema(self._specs, label, self.group, weight)
        one._complete(self.fields, self.coverage)
        return one

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

    def save(self, path: str | os.PathLike) -> None:
        """Writes the schema as JSON; an existing file is replaced in one step.

        Raises:
            ValueError: If `path` is a folder.
        """
        pairs = list(zip(self.fields, self._specs, strict=True))
        record = serialization.SchemaRecord(
            labels=self.label_names,
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
        group, weight = record["group"], record["weight"]
        schema = cls(specs, group=group, weight=weight, labels=record["labels"])
        schema._complete([field for field, _ in record["fields"]], record["coverage"])
        return schema
