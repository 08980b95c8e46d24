"""Batch normalisation with its own statistics for each domain."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.domains.checks import check_rows_and_domains


@keras.saving.register_keras_serializable("tf_ctr")
class DomainNorm(Layer):
    """Normalises by domain, `g g_d (x - mean_d) / sqrt(var_d + eps) + c + c_d`.

    In training, mean and variance are those of the domain's rows in the batch; at
    inference, they are moving averages. The first batches of a domain have equal
    weight, `1 / n` each, until the momentum takes over, so that a rare domain has
    averages early. A domain without any trained row uses the averages over all rows.

    A domain with only one row in the batch has no variance, so in training this row
    becomes `c + c_d`. With many domains, use large batches or `BatchNormalization`. In
    the paper all rows of a batch are of one domain; here domains may be mixed.

    The layer has about `4 * domains * N` weights.

    Source: Sheng et al., STAR (arXiv 2101.11427), partitioned normalisation.

    Args:
        num_domains: Number of domains, e.g. `schema.field(domain).table_size`.
        momentum: Weight of the past in the moving averages. Defaults to 0.99, as in
            Keras.
        epsilon: Added to the variance. Defaults to 1e-3, as in Keras.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Input, `[B, N]`.
        domains: The domain of each row, integers `[B]` in `[0, num_domains)`.
        training: Whether to use, and to learn, the statistics of the batch.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If `num_domains` is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DomainNorm
    >>> x, domains = np.array([[0.0], [10.0], [2.0], [30.0]]), np.array([0, 1, 0, 1])
    >>> DomainNorm(2)(x, domains, training=True).numpy().round(2).ravel()
    array([-1., -1.,  1.,  1.], dtype=float32)
    """

    def __init__(
        self,
        num_domains: int,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_domains=num_domains)
        self.num_domains = num_domains
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, x_shape: Shape, domains_shape: Shape) -> None:
        """Creates scales, offsets and moving statistics, all float32."""
        check_rows_and_domains(x_shape, domains_shape)
        width = x_shape[-1]
        self.gamma = self._weight("gamma", (width,), "ones")
        self.beta = self._weight("beta", (width,), "zeros")
        stacked = (self.num_domains, width)
        self.domain_gamma = self._weight("domain_gamma", stacked, "ones")
        self.domain_beta = self._weight("domain_beta", stacked, "zeros")
        # The last row is for all domains together.
        rows = self.num_domains + 1
        self.moving_mean = self._weight("moving_mean", (rows, width), "zeros", False)
        self.moving_variance = self._weight(
            "moving_variance", (rows, width), "ones", False
        )
        self.batches = self._weight("batches", (rows,), "zeros", False)

    def _weight(self, name, shape, initializer, trainable=True):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            trainable=trainable,
            autocast=False,
            dtype="float32",
        )

    def call(self, x: Tensor, domains: Tensor, training: bool = False) -> Tensor:
        """Normalises each row by the statistics of its domain."""
        dtype, x = x.dtype, ops.cast(x, "float32")
        if training and self.trainable:
            mean, variance = self._learn(x, domains)
        else:
            mean, variance = self._known(domains)
        x = (x - mean) / ops.sqrt(variance + self.epsilon)
        scale = self.gamma * ops.take(self.domain_gamma, domains, axis=0)
        shift = self.beta + ops.take(self.domain_beta, domains, axis=0)
        return ops.cast(x * scale + shift, dtype)

    def _known(self, domains):
        """Returns the moving statistics of each row's domain, or of all domains."""
        is_known = ops.take(self.batches, domains) > 0
        rows = ops.where(is_known, domains, self.num_domains)
        return (
            ops.take(self.moving_mean, rows, axis=0),
            ops.take(self.moving_variance, rows, axis=0),
        )

    def _learn(self, x, domains):
        """Returns each row's batch statistics, and updates the moving ones."""
        ones = ops.ones_like(x[:, :1])
        counts = self._sums(ones, domains)
        mean = self._sums(x, domains) / ops.maximum(counts, 1)
        centred = x - ops.take(mean, domains, axis=0)
        variance = self._sums(ops.square(centred), domains) / ops.maximum(counts, 1)
        self._remember(
            ops.concatenate([counts, ops.sum(ones, axis=0, keepdims=True)]),
            ops.concatenate([mean, ops.mean(x, axis=0, keepdims=True)]),
            ops.concatenate([variance, ops.var(x, axis=0, keepdims=True)]),
        )
        return ops.take(mean, domains, axis=0), ops.take(variance, domains, axis=0)

    def _sums(self, x, domains):
        return ops.segment_sum(x, domains, self.num_domains)

    def _remember(self, counts, mean, variance):
        present = ops.cast(counts > 0, "float32")
        batches = self.batches + present[:, 0]
        # Equal weights at first; the momentum once 1 / n is below 1 - momentum.
        weight = ops.maximum(1 - self.momentum, 1 / ops.maximum(batches, 1))
        step = present * ops.expand_dims(weight, 1)
        self.batches.assign(batches)
        self.moving_mean.assign_add(step * (mean - self.moving_mean))
        self.moving_variance.assign_add(step * (variance - self.moving_variance))

    def compute_output_shape(self, x_shape: Shape, domains_shape: Shape) -> Shape:
        """Returns the shape of `x`."""
        return x_shape
