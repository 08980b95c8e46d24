"""A dense layer with its own weights for each domain."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import (
    Activation,
    Initializer,
    Layer,
    Regularizer,
    Shape,
    Tensor,
)
from tf_ctr.layers.core.ops import fresh
from tf_ctr.layers.domains.checks import check_rows_and_domains


@keras.saving.register_keras_serializable("tf_ctr")
class DomainDense(Layer):
    """Applies one dense layer per domain, `activation(x W_d + b_d)` for domain `d`.

    With `star`, a domain's weights refine shared ones: `W * W_d` (element by element)
    and `b + b_d`. `W_d` starts at one and `b_d` at zero, so every domain starts as the
    shared layer, even one without rows. Without `star`, all domains start from the
    same draw.

    The layer has `domains * (M + 1) * N` weights, stacked by domain. With
    `tf_ctr.optimizers.SparseAdam` or `SparseAdagrad` a step reads and updates only the
    domains in the batch, like the rows of a table. `domain_matmul` explains why the
    work hardly grows with the number of domains.

    Source: Sheng et al., STAR (arXiv 2101.11427), the star topology network; also the
    towers and gates of other multi-domain models.

    Args:
        units: Output width N.
        num_domains: Number of domains, e.g. `schema.field(domain).table_size`.
        activation: Activation of the output. Defaults to none.
        star: Whether the domains refine a shared layer.
        use_bias: Whether there are biases.
        kernel_initializer: Initializer of the shared kernel with `star`, and of the
            kernel of each domain without.
        bias_initializer: Initializer of the corresponding bias.
        kernel_regularizer: Regularizer of the stacked kernels and of the shared one; it
            reads the kernels of all domains in every step. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Input, `[B, M]`.
        domains: The domain of each row, integers `[B]` in `[0, num_domains)`.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If a size is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import DomainDense
    >>> layer = DomainDense(1, 2, kernel_initializer="ones")
    >>> layer.build((None, 2), (None,))
    >>> layer.bias.assign([[0.0], [5.0]])
    <...>
    >>> layer(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([0, 1])).numpy()
    array([[3.], [8.]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        num_domains: int,
        activation: Activation | None = None,
        star: bool = False,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units, num_domains=num_domains)
        self.units = units
        self.num_domains = num_domains
        self.activation = keras.activations.get(activation)
        self.star = star
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        # The number of blocks depends on the batch, which XLA cannot compile.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def build(self, x_shape: Shape, domains_shape: Shape) -> None:
        """Creates kernels `[domains, M, N]` and biases `[domains, N]`."""
        check_rows_and_domains(x_shape, domains_shape)
        kernel = (x_shape[-1], self.units)
        self.kernel, self.shared_kernel = self._weights(
            "kernel", kernel, self.kernel_initializer, "ones", self.kernel_regularizer
        )
        self.bias = self.shared_bias = None
        if self.use_bias:
            self.bias, self.shared_bias = self._weights(
                "bias", (self.units,), self.bias_initializer, "zeros"
            )

    def _weights(self, name, shape, initializer, neutral, regularizer=None):
        """Creates one weight per domain, and with `star` the shared one."""
        shared = None
        if self.star:
            shared = self.add_weight(
                name=f"shared_{name}",
                shape=shape,
                initializer=fresh(initializer),
                regularizer=regularizer,
            )
        stacked = self.add_weight(
            name=name,
            shape=(self.num_domains, *shape),
            initializer=neutral if self.star else _repeated(fresh(initializer)),
            regularizer=regularizer,
            autocast=False,  # Casting would read the weights of all domains.
        )
        return stacked, shared

    def call(self, x: Tensor, domains: Tensor) -> Tensor:
        """Applies the layer of its domain to each row."""
        y = domain_matmul(x, self.kernel, domains, self.shared_kernel)
        if self.use_bias:
            y += ops.cast(ops.take(self.bias, domains, axis=0), y.dtype)
        if self.shared_bias is not None:
            y += self.shared_bias
        return self.activation(y)

    def compute_output_shape(self, x_shape: Shape, domains_shape: Shape) -> Shape:
        """Returns `[B, N]`."""
        return (x_shape[0], self.units)


def _repeated(initializer):
    """Returns an initializer of `[domains, ...]` with the same draw for each domain."""

    def initialize(shape, dtype=None):
        return ops.broadcast_to(initializer(shape[1:], dtype=dtype), shape)

    return initialize


def domain_matmul(
    x: Tensor, kernels: Tensor, domains: Tensor, shared: Tensor | None = None
) -> Tensor:
    """Returns the product of each row of `x` with the matrix of its domain.

    The rows of each domain are put into blocks of equal size, and each block is
    multiplied with one matrix. So the work is about that of one dense layer for any
    number of domains, and only the matrices of domains in the batch are read, once per
    block. Gathering one matrix per row takes 30 times as long with 4 domains, and 3
    times with 300 (1,024 rows, 192 x 256, one core). Multiplying all rows with all
    matrices takes 3 times as long with 4 domains.

    Args:
        x: `[B, M]`.
        kernels: One matrix per domain, `[domains, M, N]`. Their gradient is sparse.
        domains: The domain of each row, integers `[B]`.
        shared: `[M, N]`, multiplied element by element with the matrix of each domain.
            Defaults to none.

    Returns:
        `[B, N]`, with the dtype of `x`.

    Example:

    >>> import numpy as np
    >>> kernels = np.array([[[1.0]], [[10.0]]])
    >>> domain_matmul(np.array([[2.0], [3.0]]), kernels, np.array([1, 0])).numpy()
    array([[20.], [ 3.]])
    """
    num_domains, width, units = kernels.shape
    size = block_size(num_domains)
    slots, owners = _blocks(ops.cast(domains, "int32"), num_domains, size)
    rows = ops.shape(owners)[0] * size
    blocks = ops.scatter(ops.expand_dims(slots, 1), x, (rows, width))
    matrices = ops.cast(ops.take(kernels, owners, axis=0), x.dtype)
    if shared is not None:
        matrices = matrices * ops.cast(shared, x.dtype)
    y = ops.matmul(ops.reshape(blocks, (-1, size, width)), matrices)
    return ops.take(ops.reshape(y, (-1, units)), slots, axis=0)


def block_size(num_domains: int) -> int:
    """Returns the number of rows per block.

    Larger blocks read fewer matrices; smaller ones need less padding, which matters
    with many domains.
    """
    return min(max(512 // num_domains, 16), 128)


def _blocks(domains, num_domains, size):
    """Assigns the rows to blocks of one domain each.

    Returns:
        The place of each row, `[B]`, and the domain of each block.
    """
    order = ops.argsort(domains)
    ordered = ops.take(domains, order)
    counts = ops.segment_sum(ops.ones_like(domains), domains, num_domains)
    blocks = (counts + size - 1) // size
    ends = ops.cumsum(blocks)
    # The padding before a domain, by which its sorted rows move.
    shifts = (ends - blocks) * size - (ops.cumsum(counts) - counts)
    count = ops.shape(domains)[0]
    slots = ops.arange(count, dtype="int32") + ops.take(shifts, ordered)
    slots = ops.take(slots, ops.argsort(order))  # Back to the order of the batch.
    used = ends[-1]
    if keras.backend.backend() != "tensorflow":
        # The largest number that may be used: XLA needs a constant.
        used = count // size + min(num_domains, count)
    owners = ops.searchsorted(ends, ops.arange(used, dtype="int32"), side="right")
    return slots, ops.minimum(owners, num_domains - 1)
