"""Adam for models with embedding tables."""

import keras
import tensorflow as tf

from tf_ctr.optimizers.sparse import SparseUpdates, read_rows, subtract_rows, write_rows


@keras.saving.register_keras_serializable("tf_ctr")
class SparseAdam(SparseUpdates, keras.optimizers.Adam):
    """Adam that is correct for repeated ids and touches only the batch's rows.

    `keras.optimizers.Adam` squares the gradients of a repeated id before it adds
    them up, which moves its row too far, and it reads and writes whole tables in every
    step. Here the gradients of a repeated id are summed first. Then:

    - `update="lazy"` changes only the rows in the batch, and their moments. This is not
      Adam on the dense gradient: a row outside the batch keeps its values and moments,
      whereas Adam would move the row and decay its moments. The bias correction counts
      all steps, as in PyTorch's SparseAdam.
    - `update="dense"` is exactly Adam on the dense gradient, for an exact reproduction
      of a paper. Its cost grows with the vocabulary.

    Dense gradients take Keras's own path in both cases. So does a table with a
    `regularizer`, whose gradient is dense; penalise the rows in the batch instead,
    as `tf_ctr.layers.Embedding(l2=...)` does.

    The cost of a step is independent of the vocabulary only if the lookup does not read
    the whole table either: `tf_ctr.layers.Embedding` gathers directly from the
    variable. XLA cannot compile `tf.unique`: `tf_ctr.layers.Embedding` turns
    `jit_compile="auto"` off; with other layers pass `compile(jit_compile=False)`.

    *Options of Keras.* `clipnorm`, `clipvalue`, `global_clipnorm` and
    `loss_scale_factor` act on a sparse gradient as on the dense one, without making
    it dense. `weight_decay`, `use_ema`, `gradient_accumulation_steps` and a
    variable's `constraint` touch whole tables: with `"lazy"` they raise an error,
    with `"dense"` they work. Under `mixed_float16`, `compile` wraps the optimizer in
    `keras.optimizers.LossScaleOptimizer`, whose search for infinities overlooks all but
    the last gradient of a repeated id. So this optimizer raises an error under
    `mixed_float16`; use `mixed_bfloat16`, or `loss_scale_factor` with
    `compile(auto_scale_loss=False)`.

    *Learning rate of a layer.* A variable with the attribute
    `learning_rate_multiplier` (a float) is updated with that multiple of the learning
    rate; weight decay uses the full rate. Set the attribute by layer with
    `tf_ctr.transfer.set_learning_rate_multipliers(model, {"deep_*": 0.1})`. A compiled
    model is saved with its multipliers, in the optimizer's configuration. Other Keras
    optimizers ignore the attribute.

    Args:
        *args: The arguments of `keras.optimizers.Adam`, by position.
        update: `"lazy"` or `"dense"`, see above.
        learning_rate_multipliers: One factor per trainable variable, in their order;
            for the configuration of a saved model. With `None`, the variables keep
            their own factors. A list of another length is ignored with a warning.
        **kwargs: The arguments of `keras.optimizers.Adam`, by keyword.

    Raises:
        ValueError: If `update` is neither; at the first step, if an option that
            works on whole tables meets a sparse gradient with `update="lazy"`, or
            under the dtype policy `mixed_float16` without `loss_scale_factor`.

    Reference:
        Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980

    Example:

    >>> table = keras.Variable([[0.0], [0.0]])
    >>> gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0], [3.0]]), [1, 1, 1])
    >>> SparseAdam(0.1).apply([gradient], [table])
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
        """Applies a step of Adam to some rows, in the form and order of Keras."""
        index = self._get_variable_index(variable)
        m = read_rows(self._momentums[index], rows)
        v = read_rows(self._velocities[index], rows)
        m += (gradient - m) * (1 - self.beta_1)
        v += (tf.square(gradient) - v) * (1 - self.beta_2)
        write_rows(self._momentums[index], rows, m)
        write_rows(self._velocities[index], rows, v)
        if self.amsgrad:
            v = tf.maximum(v, read_rows(self._velocity_hats[index], rows))
            write_rows(self._velocity_hats[index], rows, v)
        delta = m * self._alpha(learning_rate) / (tf.sqrt(v) + self.epsilon)
        subtract_rows(variable, rows, delta)

    def _alpha(self, learning_rate: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate with the bias corrections of both moments."""
        step = tf.cast(self.iterations + 1, learning_rate.dtype)
        correction_1 = 1 - tf.pow(tf.cast(self.beta_1, step.dtype), step)
        correction_2 = 1 - tf.pow(tf.cast(self.beta_2, step.dtype), step)
        return learning_rate * tf.sqrt(correction_2) / correction_1
