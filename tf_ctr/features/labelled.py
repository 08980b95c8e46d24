"""A set of fields with the columns that only a log has."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from tf_ctr.features import columns
from tf_ctr.features.field_set import FieldSet
from tf_ctr.features.outcomes import Outcomes, Weight


class LabelledFields(FieldSet):
    """A `Schema` without what it learns.

    Attributes:
        outcomes: The labels, and the columns that weight them.
        group: The column of the group, or the name of a field; or `None`.
    """

    outcomes: Outcomes
    group: str | None

    @property
    def label(self) -> str:
        """The column of the label.

        Raises:
            ValueError: If there are several labels, which `label_names` lists.
        """
        return self.outcomes.only

    @property
    def label_names(self) -> tuple[str, ...]:
        """The columns of all labels, in their order."""
        return self.outcomes.names

    @property
    def weight(self) -> Weight:
        """The column of weights; or `{label: column}`; or `None`."""
        return self.outcomes.weight

    def labels(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns the label column as float32 `[B]`.

        Raises:
            ValueError: For a missing column, a value other than 0 and 1, or several
                labels; see `labels_by_name`.
            TypeError: For values that are not numbers.
        """
        return columns.labels(frame, self.label)

    def labels_by_name(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Returns `{label: float32 [B]}`; with several labels, a missing one is NaN.

        Raises:
            ValueError: For a missing column, or a value other than 0 and 1.
            TypeError: For values that are not numbers.
        """
        read = self.outcomes.read(frame)
        return {name: read[name] for name in self.label_names}

    def weights(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Returns the weight column as float32 `[B]`; `None` without one.

        Raises:
            ValueError: For a missing column, a weight that is missing, negative or not
                finite, or several labels.
            TypeError: For values that are not numbers.
        """
        column = self.outcomes.weight_of(self.label)
        return None if column is None else columns.weights(frame, column)

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
