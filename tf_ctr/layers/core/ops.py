"""Functions that several layers share."""

from typing import TypeVar

import keras
from keras import ops

from tf_ctr.layers.core.layer import Tensor

# Up to this size a broadcast product and a sum beat a batched matrix product, which
# starts one tiny kernel per example (pipelines/benchmarks/apg_forms.py).
SMALL = 8

T = TypeVar("T")


def vector_matrix(vectors: Tensor, matrices: Tensor) -> Tensor:
    """Returns the product of each example's vector and its own matrix.

    Args:
        vectors: `[B, I]`.
        matrices: `[B, I, J]`.

    Returns:
        `[B, J]`.

    Example:

    >>> import numpy as np
    >>> vector_matrix(np.array([[1.0, 2.0]]), np.array([[[1.0], [10.0]]])).numpy()
    array([[21.]])
    """
    rows, columns = matrices.shape[-2:]
    if max(rows, columns) <= SMALL:
        return ops.sum(ops.expand_dims(vectors, -1) * matrices, axis=-2)
    return ops.squeeze(ops.matmul(ops.expand_dims(vectors, -2), matrices), -2)


def fresh(initializer: T) -> T:
    """Returns an initializer to use for one weight only.

    A Keras initializer without a seed returns the same numbers at every call, so two
    weights of the same shape would start equal. A function is returned unchanged.
    """
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer
