"""A table of the embeddings that an older model had for each id at several times."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.replicas import own_copy

# A date of a `SnapshotStore`, or `None` for a place that has no snapshot yet.
Date: TypeAlias = str | int | float | None


@keras.saving.register_keras_serializable("tf_ctr")
class SnapshotTable(Layer):
    """Looks up the historical embeddings of ids, which are data and never trained.

    Source: E-CDCTR (arXiv 2408.16238), abstract: multiple historical embeddings as
    extra features. They must be constant, since they are merged at export.

    Args:
        input_dim: Rows of the table, as many as the field's own table has.
        output_dim: Width D of a historical embedding.
        dates: The date of each of the K snapshots, oldest first; `None` for a place
            that has no snapshot yet.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor `[B]`, values in `[0, input_dim)`.

    Output shape:
        `[B, K, D + 1]`: the embedding of each snapshot, then 1 if the snapshot has the
        id, 0 if it does not. The embedding is zero in the latter case.

    Raises:
        ValueError: If a size is not positive, there is no date, or `ids` does not have
            one axis.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import SnapshotTable
    >>> SnapshotTable(5, 4, dates=(None, 7))(np.array([1, 2, 3])).shape
    TensorShape([3, 2, 5])
    """

    def __init__(
        self, input_dim: int, output_dim: int, dates: Sequence[Date], **kwargs: Any
    ) -> None:
        # As in Embedding: autocasting would read the whole table.
        super().__init__(autocast=False, **kwargs)
        dates = tuple(dates)
        check_positive(input_dim=input_dim, output_dim=output_dim)
        if not dates:
            raise ValueError(
                explain(
                    "a date per snapshot, at least one",
                    f"dates={dates}",
                    "pass dates=(None, None, None) for three that are still empty",
                )
            )
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.dates = dates
        self.supports_jit = False

    def build(self, ids_shape: Shape) -> None:
        """Creates the table, empty: no snapshot has any id."""
        if len(ids_shape) != 1:
            raise ValueError(
                explain(
                    "one id per example, [B]",
                    tuple(ids_shape),
                    "use historical embeddings only for fields with one value",
                )
            )
        self.snapshots = self.add_weight(
            name="snapshots",
            shape=(self.input_dim, len(self.dates), self.output_dim + 1),
            initializer="zeros",
            dtype="float32",
            trainable=False,
        )

    def fill(
        self, dates: Sequence[Date], embeddings: np.ndarray, known: np.ndarray
    ) -> None:
        """Replaces all rows and their dates, in place.

        Args:
            dates: The new dates, as many as the layer has.
            embeddings: `[input_dim, K, D]`.
            known: Whether each snapshot has the id, `[input_dim, K]`.

        Raises:
            ValueError: If the shapes or the number of dates differ.
        """
        wanted = (self.input_dim, len(self.dates), self.output_dim)
        shapes = tuple(embeddings.shape), (*known.shape, self.output_dim)
        if shapes != (wanted, wanted) or len(dates) != len(self.dates):
            raise ValueError(
                explain(
                    f"embeddings {wanted} and as many dates for '{self.name}'",
                    f"embeddings {shapes[0]}, known {tuple(known.shape)}, dates "
                    f"{tuple(dates)}",
                    "read as many snapshots of that width, for the model's own schema",
                )
            )
        known = known[..., None].astype("float32")
        rows = tf.concat([embeddings * known, known], axis=-1)
        self.snapshots.assign(rows)
        self.dates = tuple(dates)

    def call(self, ids: Tensor) -> Tensor:
        """Gathers the rows of `ids`."""
        rows = tf.nn.embedding_lookup(own_copy(self.snapshots), ids)
        return tf.cast(rows, self.compute_dtype)

    def compute_output_shape(self, ids_shape: Shape) -> Shape:
        """Appends K and D + 1 to the shape of the ids."""
        return (*ids_shape, len(self.dates), self.output_dim + 1)
