"""The product of a vector and a matrix of its own, for every example."""

import keras
from keras import ops

# Up to here a broadcast multiplication and a sum are faster than a batched product,
# which calls one tiny kernel per example (pipelines/benchmarks/apg_forms.py).
SMALL = 8


def vector_matrix(vectors, matrices):
    """Multiplies vector `b` with matrix `b`.

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


def fresh(initializer):
    """Returns an initializer for one weight alone.

    An unseeded Keras initializer gives the same numbers each time it is called.
    """
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer
