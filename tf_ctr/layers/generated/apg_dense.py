"""A dense layer whose parameters are generated for each example."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_ctr.layers.core.layer import (
    Activation,
    Initializer,
    Layer,
    Regularizer,
    Shape,
    Tensor,
)
from tf_ctr.layers.core.ops import fresh, vector_matrix
from tf_ctr.layers.generated.checks import (
    Aggregation,
    Bias,
    Start,
    Version,
    check_arguments,
    check_shapes,
)
from tf_ctr.layers.generated.generator import AggregatedGenerator, Generator

# The factors in v5 of each shared matrix of v4.
FACTORS = {"v": ("v_right", "v_left"), "u": ("u_right", "u_left")}


@keras.saving.register_keras_serializable("tf_ctr")
class APGDense(Layer):
    """Applies a kernel that is generated from a condition, `activation(x W(z) + b)`.

    | version | kernel `W(z)` | generated from `z` |
    |---|---|---|
    | v1 | `W` | `W [M, N]` |
    | v2 | `V S U`, formed before it meets `x` | `V [M, K]`, `S [K, K]`, `U [K, N]` |
    | v3 | as v2, `((x V) S) U`: the same numbers | `V`, `S`, `U` |
    | v4 | as v3, `V` and `U` shared by all examples | `S` |
    | v5 | as v4, `V = Vr Vl` and `U = Ur Ul` of inner width P | `S` |

    All matrices are those of the paper, transposed. v5 multiplies its factors out once
    per step, not per example; `tf_ctr.inference.collapse` multiplies them out
    permanently, which gives v4.

    Source: Adaptive Parameter Generation, APG (arXiv 2203.16218), Eqs. 1 to 7, Table 3.
    The paper does not state the bias and the initial values.

    Args:
        units: Output width N.
        rank: Rank K; v1 has none. The default 4 is that of the paper's Table 5.
        over_parameter: Width P of v5. Defaults to `8 * rank`; the paper states only
            P >> K.
        version: A version of the table. Defaults to v5, the full method.
        activation: Activation of the output. Defaults to none.
        bias: Whether the bias is one for all examples (`"static"`), `"generated"` for
            each, or `"none"`.
        generator_units: Hidden widths of the generator. Defaults to none: the single
            layer of the paper's section 3.3.
        generator_start: `"identity"` starts close to a layer that is the same for all
            examples: the generator's bias is the identity for `S`, and a draw of
            `kernel_initializer` for other kernels. `"glorot"` starts from a Glorot
            kernel and a zero bias, so the output is as small as the condition.
        aggregation: How to combine the matrices of J conditions, each of which has its
            own generator. `"mean"` and `"attention"` average the J matrices `S`;
            `"concat"` concatenates the J products `(x V) S`, which a `U` of `[J K, N]`
            projects. For v4 and v5 only, in which combining `S` combines whole kernels.
            Defaults to `None`: one condition.
        kernel_initializer: Initializer of `V` and `U` or of their factors. With the
            default, a product of any number of factors keeps the variance of its
            input; with a Glorot initializer it would shrink with K.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of every kernel. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Input, `[B, M]`.
        z: Condition, `[B, D]`, or conditions, `[B, J, D]`, for an `aggregation`.

    Output shape:
        `[B, N]`.

    Raises:
        ValueError: If a choice is unknown, a size is not positive, K > min(M, N),
            P < K, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import APGDense
    >>> layer = APGDense(8, rank=2, activation="relu")
    >>> layer(np.ones((3, 5)), np.ones((3, 4))).shape
    TensorShape([3, 8])
    """

    def __init__(
        self,
        units: int,
        rank: int = 4,
        over_parameter: int | None = None,
        version: Version = "v5",
        activation: Activation | None = None,
        bias: Bias = "static",
        generator_units: Sequence[int] = (),
        generator_start: Start = "identity",
        aggregation: Aggregation | None = None,
        kernel_initializer: Initializer = "lecun_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.rank = rank
        self.over_parameter = over_parameter
        self.version = version
        self.activation = keras.activations.get(activation)
        self.bias = bias
        self.generator_units = tuple(generator_units)
        self.generator_start = generator_start
        self.aggregation = aggregation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True
        check_arguments(self)

    def build(self, x_shape: Shape, z_shape: Shape) -> None:
        """Creates the shared factors, the generators and a static bias."""
        check_shapes(self, x_shape, z_shape)
        rows = self.rank * (z_shape[1] if self.aggregation == "concat" else 1)
        self._factors = {
            name: self.add_weight(
                name=name,
                shape=shape,
                initializer=fresh(self.kernel_initializer),
                regularizer=self.kernel_regularizer,
                autocast=False,  # Half precision would round the product of factors.
            )
            for name, shape in self._factor_shapes(x_shape[-1], rows).items()
        }
        parts = self._generated_parts(x_shape[-1])
        self._generator: Generator | AggregatedGenerator
        if self.aggregation:
            self._generator = AggregatedGenerator(self, z_shape, parts)
        else:
            self._generator = Generator(self, z_shape[-1], parts)
        self._static_bias = None
        if self.bias == "static":
            self._static_bias = self.add_weight(
                name="bias", shape=(self.units,), initializer=self.bias_initializer
            )

    def _factor_shapes(self, width, rows):
        """Returns the shapes of the shared matrices; `U` has `rows` rows."""
        if self.version == "v4":
            return {"v": (width, self.rank), "u": (rows, self.units)}
        if self.version == "v5":
            inner = self.over_parameter or 8 * self.rank
            return {
                "v_right": (width, inner),
                "v_left": (inner, self.rank),
                "u_right": (rows, inner),
                "u_left": (inner, self.units),
            }
        return {}

    def _generated_parts(self, width):
        """Returns `{name: (shape, initializer)}` of the parameters to generate.

        The initializer is the one that a static parameter in that place would have.
        """
        rank, kernel = self.rank, self.kernel_initializer
        parts = {"s": ((rank, rank), keras.initializers.Identity())}
        if self.version == "v1":
            parts = {"w": ((width, self.units), kernel)}
        elif self.version in ("v2", "v3"):
            parts["v"] = ((width, rank), kernel)
            parts["u"] = ((rank, self.units), kernel)
        if self.bias == "generated":
            parts["bias"] = ((self.units,), self.bias_initializer)
        return parts

    def generate(self, z: Tensor) -> dict[str, Tensor]:
        """Returns the parameters generated from `z`; the layer must be built.

        They are `{"w": [B, M, N]}` in v1, `v`, `s` and `u` in v2 and v3, and
        `{"s": [B, K, K]}` in v4 and v5; and `bias [B, N]`, if it is generated.
        """
        return self._generator(z)

    def call(self, x: Tensor, z: Tensor) -> Tensor:
        """Multiplies each row of `x` with the kernel of its row of `z`."""
        parts = self.generate(z)
        y = self._product(x, **parts)
        bias = parts.get("bias", self._static_bias)
        return self.activation(y if bias is None else y + bias)

    def _product(self, x, w=None, v=None, s=None, u=None, bias=None):
        if self.version == "v1":
            return vector_matrix(x, w)
        if self.version == "v2":
            return vector_matrix(x, ops.matmul(ops.matmul(v, s), u))
        if self.version == "v3":
            return vector_matrix(vector_matrix(vector_matrix(x, v), s), u)
        v, u = self._shared("v"), self._shared("u")
        return ops.matmul(vector_matrix(ops.matmul(x, v), s), u)

    def _shared(self, name):
        """Returns `V` or `U`, multiplied out in v5."""
        if self.version == "v4":
            matrix = self._factors[name]
        else:
            matrix = ops.matmul(*(self._factors[part] for part in FACTORS[name]))
        return ops.cast(matrix, self.compute_dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        """Drops the Keras mask, because the output is one vector per example."""
        return None

    def compute_output_shape(self, x_shape: Shape, z_shape: Shape) -> Shape:
        """Returns `[B, N]`."""
        return (x_shape[0], self.units)
