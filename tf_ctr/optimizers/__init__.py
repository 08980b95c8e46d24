"""Keras optimizers that are right, and fast, on the sparse gradients of tables."""

from tf_ctr.optimizers.adagrad import SparseAdagrad
from tf_ctr.optimizers.adam import SparseAdam

__all__ = ["SparseAdagrad", "SparseAdam"]
