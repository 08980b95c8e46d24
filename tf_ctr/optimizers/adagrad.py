"""Adagrad for models with embedding tables."""

import keras
import tensorflow as tf

from tf_ctr.optimizers.sparse import SparseUpdates, read_rows, subtract_rows, write_rows


@keras.saving.register_keras_serializable("tf_ctr")
class SparseAdagrad(SparseUpdates, keras.optimizers.Adagrad):
    """Adagrad that is correct for repeated ids and touches only the batch's rows.

    `keras.optimizers.Adagrad` squares the gradients of a repeated id before it adds
    them up, and it reads and writes whole tables in every step. Here the gradients of a
    repeated id are summed first. Adagrad does not move a row whose gradient is zero, so
    `update="lazy"` and `update="dense"` give the same weights; `"dense"` is for the
    options that work on whole tables. Everything else is as in
    `tf_ctr.optimizers.SparseAdam`.

    Args:
        *args: The arguments of `keras.optimizers.Adagrad`, by position.
        update: `"lazy"` updates the rows in the batch, `"dense"` whole tables.
        learning_rate_multipliers: See `tf_ctr.optimizers.SparseAdam`.
        **kwargs: The arguments of `keras.optimizers.Adagrad`, by keyword.

    Raises:
        ValueError: If `update` is neither; at the first step, if an option that
            works on whole tables meets a sparse gradient with `update="lazy"`.

    Reference:
        Duchi et al., 2011, https://jmlr.org/papers/v12/duchi11a.html

    Example:

    >>> table = keras.Variable([[0.0], [0.0]])
    >>> optimizer = SparseAdagrad(0.1, initial_accumulator_value=0.0)
    >>> gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0], [3.0]]), [1, 1, 1])
    >>> optimizer.apply([gradient], [table])
    >>> print(table.numpy().round(3).ravel())
    [ 0.  -0.1]
    """

    def update_rows(
        self,
        gradient: tf.Tensor,
        rows: tf.Tensor,
        variable: tf.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Applies a step of Adagrad to some rows, in the form and order of Keras."""
        slot = self._accumulators[self._get_variable_index(variable)]
        accumulator = read_rows(slot, rows) + tf.square(gradient)
        write_rows(slot, rows, accumulator)
        delta = learning_rate * gradient / tf.sqrt(accumulator + self.epsilon)
        subtract_rows(variable, rows, delta)
