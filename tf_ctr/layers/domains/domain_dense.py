"""A dense layer with weights of its own for each domain."""

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer
from tf_ctr.layers.core.ops import fresh
from tf_ctr.layers.domains.checks import check_rows_and_domains


@keras.saving.register_keras_serializable("tf_ctr")
class DomainDense(Layer):
    """A dense layer per domain, `activation(x W_d + b_d)` for a row of domain `d`.

    With `star` a domain's weights refine shared ones, `W * W_d` (element by element)
    and `b + b_d`; `W_d` starts at one and `b_d` at zero, so that each domain, one
    without rows too, starts as the shared layer. Without it all domains start from
    one draw.

    The weights of the domains are stacked, so their number grows as
    `domains * (M + 1) * N`. A step reads and updates the domains in the batch only
    (with `tf_ctr.optimizers.SparseAdam` or `SparseAdagrad`), as rows of a table; the
    rows of other domains never move. Work does not grow with the number of domains
    beyond what `tf_ctr.layers.domains.domain_dense` says.

    Source: Sheng et al., STAR (arXiv 2101.11427), the star topology network; and the
    towers and gates of any multi-domain model.

    Args:
        units: Output width N.
        num_domains: Number of domains.
        activation: Activation of the output.
        star: Whether the domains refine a shared layer.
        use_bias: Whether there are biases.
        kernel_initializer: Initializer of the shared kernel with `star`, and of each
            domain's kernel without. Defaults to `"glorot_normal"`.
        bias_initializer: Initializer of the same layer's bias.
        kernel_regularizer: Regularizer of the stacked kernels as a whole, and of the
            shared one; it reads the kernels of all domains in each step.
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
        units,
        num_domains,
        activation=None,
        star=False,
        use_bias=True,
        kernel_initializer="glorot_normal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        **kwargs,
    ):
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

    def build(self, x_shape, domains_shape):
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

    def call(self, x, domains):
        """Applies to each row the layer of its domain."""
        y = domain_matmul(x, self.kernel, domains, self.shared_kernel)
        if self.use_bias:
            y += ops.cast(ops.take(self.bias, domains, axis=0), y.dtype)
        if self.shared_bias is not None:
            y += self.shared_bias
        return self.activation(y)

    def compute_output_shape(self, x_shape, domains_shape):
        """Returns `[B, N]`."""
        return (x_shape[0], self.units)


def _repeated(initializer):
    """Returns an initializer that gives each domain the same draw."""

    def initialize(shape, dtype=None):
        return ops.broadcast_to(initializer(shape[1:], dtype=dtype), shape)

    return initialize


def domain_matmul(x, kernels, domains, shared=None):
    """Multiplies row `b` of `x` with the matrix of its domain.

    Rows of one domain are put side by side in blocks of equal size, and each block is
    multiplied with one matrix: the work is that of one dense layer whatever the
    number of domains, and only matrices of domains in the batch are read, as often
    as they have blocks. A gathered matrix per row takes 30 times as long with 4
    domains and 3 times with 300 (1,024 rows, 192 x 256, one core), and all matrices
    for all rows 3 times as long with 4.

    Args:
        x: `[B, M]`.
        kernels: One matrix per domain, `[domains, M, N]`. Their gradient is sparse.
        domains: The domain of each row, integers `[B]`.
        shared: A matrix `[M, N]` that each domain's matrix is multiplied with,
            element by element. Defaults to none.

    Returns:
        `[B, N]`, of the dtype of `x`.

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


def block_size(num_domains):
    """Returns the rows of a block: fewer reads of matrices, or less padding."""
    return min(max(512 // num_domains, 16), 128)


def _blocks(domains, num_domains, size):
    """Places the rows in blocks of one domain each.

    Returns:
        The place of each row, `[B]`, and the domain of each block.
    """
    order = ops.argsort(domains)
    ordered = ops.take(domains, order)
    counts = ops.segment_sum(ops.ones_like(domains), domains, num_domains)
    blocks = (counts + size - 1) // size
    ends = ops.cumsum(blocks)
    # How far the rows of a domain move when the domains before it are padded.
    shifts = (ends - blocks) * size - (ops.cumsum(counts) - counts)
    count = ops.shape(domains)[0]
    slots = ops.arange(count, dtype="int32") + ops.take(shifts, ordered)
    slots = ops.take(slots, ops.argsort(order))
    used = ends[-1]
    if keras.backend.backend() != "tensorflow":
        used = count // size + min(num_domains, count)  # A compiler wants a constant.
    owners = ops.searchsorted(ends, ops.arange(used, dtype="int32"), side="right")
    return slots, ops.minimum(owners, num_domains - 1)
