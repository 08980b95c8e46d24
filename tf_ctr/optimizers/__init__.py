"""Keras optimizers that are correct and fast on the sparse gradients of tables.

The gradient of an embedding table is *sparse*: a `tf.IndexedSlices` with one slice per
id in the batch, so a repeated id has several slices. Every other gradient is *dense*.
An update is `"lazy"` if it moves only the rows in the batch.
"""

from tf_ctr.optimizers.adagrad import SparseAdagrad
from tf_ctr.optimizers.adam import SparseAdam

__all__ = ["SparseAdagrad", "SparseAdam"]


def __dir__() -> list[str]:
    return [*__all__]
