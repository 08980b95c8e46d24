"""The recurrent layers of DIEN: what a user was interested in, and where it leads."""

from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive
from tf_ctr.layers.core.layer import Layer, Regularizer, Shape, Tensor
from tf_ctr.layers.history.histories import (
    check_candidate,
    check_fixed_length,
    check_history,
    clear,
    masked_softmax,
)


class _Recurrent(Layer):
    """The weights of a GRU, and its steps over a history; padding changes no state."""

    def __init__(
        self, units: int, kernel_regularizer: Regularizer | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def _add_gru(self, width: int) -> None:
        # The update gate, the reset gate and the new state, side by side.
        self._input_kernel = self._kernel("kernel", width, 3 * self.units)
        self._state_kernel = self._kernel("state_kernel", self.units, 3 * self.units)
        self._bias = self.add_weight((3 * self.units,), "zeros", name="bias")

    def _kernel(self, name, inputs, outputs):
        return self.add_weight(
            name=name,
            shape=(inputs, outputs),
            initializer="glorot_normal",
            regularizer=self.kernel_regularizer,
        )

    def _states(self, rows: Tensor, gate: Tensor) -> Tensor:
        """Returns the state after each behaviour, `[B, T, units]`.

        Args:
            rows: `[B, T, D]`.
            gate: What the update gates are multiplied with, `[B, T]`.
        """
        inputs = ops.matmul(rows, self._input_kernel) + self._bias
        u_inputs, r_inputs, new_inputs = ops.split(inputs, 3, axis=2)
        kernel = ops.convert_to_tensor(self._state_kernel)
        kernel = ops.cast(kernel, inputs.dtype)
        gates_kernel, new_kernel = kernel[:, : -self.units], kernel[:, -self.units :]
        state, states = ops.zeros_like(u_inputs[:, 0]), []
        # T is known, so the steps are laid out: they need no loop at run time.
        for t in range(rows.shape[1]):
            u_state, r_state = ops.split(ops.matmul(state, gates_kernel), 2, axis=1)
            update = ops.sigmoid(u_inputs[:, t] + u_state) * gate[:, t : t + 1]
            reset = ops.sigmoid(r_inputs[:, t] + r_state)
            new = ops.tanh(new_inputs[:, t] + reset * ops.matmul(state, new_kernel))
            state = (1 - update) * state + update * new
            states.append(state)
        return ops.stack(states, axis=1)


@keras.saving.register_keras_serializable("tf_ctr")
class InterestExtractor(_Recurrent):
    """Turns a history into the user's interest after each behaviour, by a GRU.

    `u = sigmoid(x U + h U' + b)`, `r = sigmoid(x R + h R' + c)`,
    `n = tanh(x N + r * (h N') + d)`, `h <- (1 - u) * h + u * n`.

    Source: DIEN, Zhou et al. (arXiv 1809.03672), section 4.2. Its auxiliary loss on the
    next behaviour is left out.

    Args:
        units: Width of the state.
        kernel_regularizer: Regularizer of the kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        rows: Vectors of the history, oldest first, `[B, T, D]`, T known.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, T, units]`.

    Raises:
        ValueError: If `units` is not positive, or `rows` and `ids` do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import InterestExtractor
    >>> InterestExtractor(3)(np.ones((2, 5, 4)), np.ones((2, 5))).shape
    TensorShape([2, 5, 3])
    """

    def build(self, rows_shape: Shape, ids_shape: Shape) -> None:
        """Creates the kernels and the bias of the GRU."""
        check_history(rows_shape, ids_shape)
        check_fixed_length(rows_shape)
        self._add_gru(rows_shape[-1])

    def call(self, rows: Tensor, ids: Tensor) -> Tensor:
        """Runs the GRU over the behaviours."""
        present = ops.not_equal(ids, 0)
        rows = clear(rows, present)
        return self._states(rows, ops.cast(present, rows.dtype))

    def compute_output_shape(self, rows_shape: Shape, ids_shape: Shape) -> Shape:
        """Returns a state per behaviour."""
        return (*rows_shape[:2], self.units)


@keras.saving.register_keras_serializable("tf_ctr")
class InterestEvolution(_Recurrent):
    """Follows those interests that lead to the candidate, by a GRU with attention.

    `a_t = softmax of s_t W e_v` over the behaviours; then a GRU over the interests
    `s_t` whose update gate is `a_t u` in place of `u` (AUGRU). Its last state is the
    output; an empty history gives zeros.

    Source: DIEN, Zhou et al. (arXiv 1809.03672), section 4.3: the attention function
    and AUGRU.

    Args:
        units: Width of the state.
        kernel_regularizer: Regularizer of the kernels. Defaults to none.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        query: Vector of the candidate, `[B, D]`.
        states: The output of `InterestExtractor`, `[B, T, M]`, T known.
        ids: Ids of the history, `[B, T]`; 0 is padding.

    Output shape:
        `[B, units]`.

    Raises:
        ValueError: If `units` is not positive, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import InterestEvolution
    >>> evolution = InterestEvolution(3)
    >>> evolution(np.ones((2, 4)), np.ones((2, 5, 6)), np.ones((2, 5))).shape
    TensorShape([2, 3])
    """

    def build(self, query_shape: Shape, states_shape: Shape, ids_shape: Shape) -> None:
        """Creates `W`, and the kernels and the bias of the GRU."""
        check_history(states_shape, ids_shape)
        check_fixed_length(states_shape)
        check_candidate(query_shape)
        width = states_shape[-1]
        self._attention = self._kernel("attention_kernel", width, query_shape[-1])
        self._add_gru(width)

    def call(self, query: Tensor, states: Tensor, ids: Tensor) -> Tensor:
        """Weights the interests by the candidate, then runs the GRU over them."""
        present = ops.not_equal(ids, 0)
        keys = ops.matmul(states, self._attention)
        weights = masked_softmax(ops.einsum("btd,bd->bt", keys, query), present)
        return self._states(clear(states, present), weights)[:, -1]

    def compute_output_shape(
        self, query_shape: Shape, states_shape: Shape, ids_shape: Shape
    ) -> Shape:
        """Returns the last state."""
        return (query_shape[0], self.units)
