"""The layers that turn the values of one field into vectors."""

from typing import Any, cast

import keras
import tensorflow as tf

from tf_ctr.features import Categorical
from tf_ctr.features.field import Field
from tf_ctr.features.fingerprints import fingerprint
from tf_ctr.features.pretrained import read_pretrained
from tf_ctr.layers import Embedding


def table(field: Field, output_dim: int, **arguments: Any) -> Embedding:
    """Creates a table with the rows of a field.

    Args:
        field: A field with ids, of a fitted schema.
        output_dim: Width of the rows.
        **arguments: Other arguments of `tf_ctr.layers.Embedding`.
    """
    # A fitted field with ids knows its rows.
    arguments = {"ids": fingerprint(field), **arguments}
    return Embedding(cast(int, field.table_size), output_dim, **arguments)


def pretrained_table(field: Field, **arguments: Any) -> Embedding:
    """Creates a table that starts from pretrained vectors, and says how many.

    Args:
        field: A categorical field with `pretrained` rows, of a fitted schema.
        **arguments: Other arguments of `tf_ctr.layers.Embedding`.

    Raises:
        ValueError: If the rows do not fit the field.
    """
    field = cast(Categorical, field)
    found = read_pretrained(field)
    layer = table(field, found.vectors.shape[1], trainable=field.trainable, **arguments)
    layer.build((None,))
    start = tf.IndexedSlices(found.vectors, found.rows)
    layer.embeddings.value.scatter_update(start)
    print(found.line(field))
    return layer


def projection(
    field: Field, output_dim: int, l2: float = 0.0, name: str = "embedding"
) -> keras.layers.Dense:
    """Creates the layer that maps vectors of a field to an embedding dim.

    Args:
        field: The field.
        output_dim: Embedding dim D.
        l2: Penalty on its weights.
        name: The end of the layer's name, after `{field}_`.
    """
    return keras.layers.Dense(
        output_dim,
        use_bias=False,
        kernel_initializer="glorot_normal",
        kernel_regularizer=penalty(l2),
        name=f"{field.name}_{name}",
    )


def penalty(l2: float) -> keras.Regularizer | None:
    """Returns the regularizer of weight `l2`; `None` for 0."""
    return keras.regularizers.L2(l2) if l2 else None
