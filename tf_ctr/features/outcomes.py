"""What only labelled rows have: one label or several, and the weights of rows."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tf_ctr.errors import check_name, explain
from tf_ctr.features import columns

Values = TypeVar("Values")

# A column for all labels, or one for each of some labels.
Weight = str | Mapping[str, str] | None


class Outcomes:
    """The labels of a schema, and the columns that weight them.

    With one label, a batch has a tensor as label, and a tensor as weight. With several,
    it has dicts by the names of the labels, and a label that is not known yet is NaN.

    Args:
        names: The columns of the labels, at least one.
        weight: The column of weights; or, by label, the column of its weights.

    Raises:
        ValueError: For repeated labels, weights of an unknown label, or a weight that
            is a label.
        TypeError: For labels or weights that are not names of columns.
    """

    def __init__(self, names: Sequence[str], weight: Weight = None):
        self.names = _checked_names(names)
        self.weight = dict(weight) if isinstance(weight, Mapping) else weight
        self.weight_columns = self._weight_columns()

    @property
    def several(self) -> bool:
        """Whether there is more than one label."""
        return len(self.names) > 1

    @property
    def only(self) -> str:
        """The name of the only label.

        Raises:
            ValueError: If there are several.
        """
        if self.several:
            raise ValueError(
                explain(
                    "a schema with one label here",
                    f"the labels {', '.join(map(repr, self.names))}",
                    f"pass schema.for_label({self.names[0]!r}), with a model of that "
                    "label, or build a model of several labels with tf_ctr.joint, e.g. "
                    "joint.share_bottom(schema)",
                )
            )
        return self.names[0]

    @property
    def columns(self) -> list[str]:
        """The columns of the labels, then those of the weights, each once."""
        return [*self.names, *self.weights]

    @property
    def weights(self) -> list[str]:
        """The columns of weights, each once."""
        return list(dict.fromkeys(self.weight_columns.values()))

    def weight_of(self, label: str) -> str | None:
        """Returns the column of the weights of a label, if there is one.

        Raises:
            ValueError: If there is no such label.
        """
        check_name("label", label, self.names)
        return self.weight_columns.get(label)

    def read(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Returns `{column: float32 [B]}` for all columns, in their order.

        Raises:
            ValueError: For a missing column, a label other than 0, 1 and, with several
                labels, NaN, or a weight that is negative or not finite.
            TypeError: For values that are not numbers.
        """
        found = {
            name: columns.labels(frame, name, may_miss=self.several)
            for name in self.names
        }
        weights = {name: columns.weights(frame, name) for name in self.weights}
        return {**found, **weights}

    def of_batch(self, values: Mapping[str, Values], one: Values) -> tuple[Any, ...]:
        """Returns what a batch has after its features: the label, and any weight.

        Args:
            values: `{column: values [B]}` of all columns.
            one: The weight 1 of every row, `[B]`, for labels without weights.
        """
        if not self.several:
            return tuple(values[column] for column in self.columns)
        labels = {name: values[name] for name in self.names}
        if not self.weight_columns:
            return (labels,)
        weights = {}
        for name in self.names:
            column = self.weight_columns.get(name)
            weights[name] = one if column is None else values[column]
        return labels, weights

    def _weight_columns(self) -> dict[str, str]:
        of_label: dict[str, Any] = {}
        if isinstance(self.weight, dict) and self.several:
            of_label = self.weight
            for name in of_label:
                check_name("label", name, self.names)
        elif self.weight is not None:
            of_label = dict.fromkeys(self.names, self.weight)
        if not all(isinstance(column, str) for column in of_label.values()):
            by_label = " or {'click': 'click_weight', ...}" if self.several else ""
            raise TypeError(
                explain(
                    f"a column name as `weight`{by_label}, or None",
                    repr(self.weight),
                    "pass weight='weight'",
                )
            )
        return of_label


def _checked_names(names: Any) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else names
    if not isinstance(given, list | tuple) or not all(
        isinstance(name, str) for name in given
    ):
        raise TypeError(
            explain(
                "names of columns as `labels`",
                repr(names),
                "pass labels=('click', 'buy')",
            )
        )
    if not given or len(set(given)) < len(given):
        raise ValueError(
            explain(
                "one label or several, each once",
                repr(names),
                "pass label='click' or labels=('click', 'buy')",
            )
        )
    return tuple(given)
