"""A table of what an older model knew of each id, at several times."""

import keras
import tensorflow as tf

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer


@keras.saving.register_keras_serializable("tf_ctr")
class SnapshotTable(Layer):
    """Looks up the historical embeddings of ids: data, never trained.

    Source: E-CDCTR (arXiv 2408.16238), abstract: multiple historical embeddings as
    extra features. That they stay as they are follows from their merging at export.

    Args:
        input_dim: Rows of the table, as of the field's own table.
        output_dim: Width D of a historical embedding.
        dates: Of each of the K snapshots, oldest first; `None` for a place that is
            still empty.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor `[B]`, values in `[0, input_dim)`.

    Output shape:
        `[B, K, D + 1]`: the embedding of each snapshot, and after it 1 if the snapshot
        has the id, 0 if it does not, and the embedding is zero.

    Raises:
        ValueError: If a size is not positive, there is no date, or `ids` are not of
            rank 1.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import SnapshotTable
    >>> SnapshotTable(5, 4, dates=(None, 7))(np.array([1, 2, 3])).shape
    TensorShape([3, 2, 5])
    """

    def __init__(self, input_dim, output_dim, dates, **kwargs):
        # As of Embedding: autocasting would read the whole table.
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

    def build(self, ids_shape):
        """Creates the table, empty: no snapshot has any id."""
        if len(ids_shape) != 1:
            raise ValueError(
                explain(
                    "one id per example, [B]",
                    tuple(ids_shape),
                    "take historical embeddings of fields with one value only",
                )
            )
        self.snapshots = self.add_weight(
            name="snapshots",
            shape=(self.input_dim, len(self.dates), self.output_dim + 1),
            initializer="zeros",
            dtype="float32",
            trainable=False,
        )

    def fill(self, dates, embeddings, known):
        """Replaces all rows, in place.

        Args:
            dates: As of the layer, as many.
            embeddings: `[n, K, D]`.
            known: Whether a snapshot has an id, `[n, K]`.

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
                    "read as many snapshots, of that width, for the model's own schema",
                )
            )
        known = known[..., None].astype("float32")
        rows = tf.concat([embeddings * known, known], axis=-1)
        self.snapshots.assign(rows)
        self.dates = tuple(dates)

    def call(self, ids):
        """Gathers the rows of `ids`."""
        rows = tf.nn.embedding_lookup(self.snapshots.value, ids)
        return tf.cast(rows, self.compute_dtype)

    def compute_output_shape(self, ids_shape):
        """Appends K and D + 1 to the shape of the ids."""
        return (*ids_shape, len(self.dates), self.output_dim + 1)
