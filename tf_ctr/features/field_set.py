"""An ordered set of fields: from the columns of a frame to the inputs of a model."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tf_ctr.errors import check_name, explain
from tf_ctr.features import columns
from tf_ctr.features.encoding import Encoder
from tf_ctr.features.field import Field
from tf_ctr.features.fingerprints import fingerprint
from tf_ctr.features.reading import frames_of
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located

Kind = TypeVar("Kind", bound=Field)


class FieldSet:
    """An ordered set of fields: a `Schema` without its label, group and learning.

    Args:
        fields: Fields of any kind.

    Raises:
        ValueError: If a field refers to a field that is not in the set.
    """

    def __init__(self, fields: Iterable[Field]):
        self._set_fields(fields)

    def _set_fields(self, fields: Iterable[Field]) -> None:
        self.fields = self._linked(fields)
        # Made on first use, because it needs fitted fields.
        self._encoder: Encoder | None = None
        self._fingerprints: dict[str, str] | None = None

    @staticmethod
    def _linked(fields: Iterable[Field]) -> list[Field]:
        by_name = {field.name: field for field in fields}
        return [field.linked(by_name) for field in by_name.values()]

    def field(self, name: str) -> Field:
        """Returns the field called `name`.

        Raises:
            ValueError: If there is no such field; the message lists the names.
        """
        fields = {field.name: field for field in self.fields}
        check_name("field", name, fields)
        return fields[name]

    def of_kind(self, kind: type[Kind]) -> dict[str, Kind]:
        """Returns `{name: field}` for the fields of one class, in their order.

        Args:
            kind: `Categorical`, `Numeric` or `Sequence`.

        Example:

        >>> from tf_ctr.features import Categorical, Numeric, Schema
        >>> list(Schema([Categorical("item"), Numeric("price")]).of_kind(Numeric))
        ['price']
        """
        return {f.name: f for f in self.fields if isinstance(f, kind)}

    @property
    def fitted(self) -> bool:
        """Whether every field is fitted."""
        return all(field.fitted for field in self.fields)

    def check_fitted(self) -> None:
        """Raises unless every field is fitted.

        Raises:
            ValueError: If a field is not; the message names all of these.
        """
        unfitted = [field.name for field in self.fields if not field.fitted]
        if unfitted:
            raise ValueError(
                explain("a fitted schema", f"{unfitted} not fitted", "call schema.fit")
            )

    @property
    def raw_fields(self) -> list[Field]:
        """The fields with a column and an input of a request: all but crosses."""
        return [field for field in self.fields if not field.parts]

    def raw_columns(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Returns the fields' columns as checked arrays, the input of `encode`.

        Args:
            frame: A pandas frame with a column for every field.

        Returns:
            Per field: strings as objects, integers as int64, numbers as float32;
            multivalent fields of shape `[B, max_length]`, padded on the right.

        Raises:
            ValueError: For a missing column, no row, or a schema that is not fitted.
            TypeError: For a column whose values do not fit its field.
        """
        self.check_fitted()
        columns.check_frame(frame)
        columns.check_rows(len(frame))
        return {field.name: field.raw_values(frame) for field in self.raw_fields}

    def raw_signature(self) -> dict[str, tf.TensorSpec]:
        """Returns the specification of the raw values that `encode` takes."""
        self.check_fitted()
        return {field.name: field.raw_spec() for field in self.raw_fields}

    def example_rows(self, n: int, seed: int = 0) -> pd.DataFrame:
        """Returns `n` random raw rows, a tenth of the ids missing, a tenth unseen."""
        self.check_fitted()
        generator = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {f.column: f.example_values(n, generator) for f in self.raw_fields}
        )
        for field in self.fields:
            if field.weighs is not None:  # One per id of the rows just drawn.
                ids = frame[self.field(field.weighs).column]
                frame[field.column] = [generator.uniform(0, 2, len(x)) for x in ids]
        return frame

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

    def encode(self, features: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Encodes raw values as ids and standardised numbers, with TensorFlow ops.

        Works on eager tensors, in `tf.data` and in a `tf.function`.

        Args:
            features: A raw tensor for every field: `[B]` or `[B, 1]`, and `[B, T]`
                (any T, or ragged) for multivalent fields.

        Returns:
            Per field: ids as int64, `[B]` or `[B, max_length]`; standardised numbers
            as float32 `[B, 1]`.

        Raises:
            ValueError: For a missing field, a wrong dtype or shape, or a schema that
                is not fitted.
        """
        return self._fitted_encoder()(features)

    @property
    def tables(self) -> list[tf.lookup.StaticHashTable]:
        """The lookup tables of `encode`, which an exported model must track."""
        return self._fitted_encoder().tables

    def _fitted_encoder(self) -> Encoder:
        if self._encoder is None:
            self.check_fitted()
            self._encoder = Encoder(self.fields)
        return self._encoder

    @property
    def fingerprints(self) -> dict[str, str]:
        """`{table: fingerprint of the ids of its rows}`, which models keep.

        A model built with one fitted schema refuses to score with another one whose
        tables have as many rows, but for other ids.
        """
        if self._fingerprints is None:
            self.check_fitted()
            owners = {f.table: f for f in self.fields if f.table is not None}
            self._fingerprints = {n: fingerprint(f) for n, f in owners.items()}
        return self._fingerprints

    def inputs(self) -> dict[str, keras.KerasTensor]:
        """Returns a new Keras input per field, for encoded values."""
        self.check_fitted()
        return {field.name: field.keras_input() for field in self.fields}
