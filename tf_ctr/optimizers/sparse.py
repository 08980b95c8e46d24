"""Base class of the sparse optimizers: sums repeated ids, updates single rows."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from tf_ctr.errors import check_choice, explain
from tf_ctr.optimizers.exchange import sum_of_workers
from tf_ctr.optimizers.slices import sum_duplicates
from tf_ctr.replicas import own_copy


class SparseUpdates(keras.optimizers.Optimizer):
    """A mixin that makes a Keras optimizer handle sparse gradients.

    Repeated ids are summed before anything else, so that loss scaling, clipping and the
    update see each row once, with its whole gradient. A subclass implements
    `update_rows`, which updates the rows of one variable. Dense gradients go to the
    Keras optimizer unchanged.

    Args:
        *args: Positional arguments of the Keras optimizer.
        update: `"lazy"` or `"dense"`.
        learning_rate_multipliers: One factor per trainable variable, or `None`.
        **kwargs: Keyword arguments of the Keras optimizer, which rejects others.
    """

    def __init__(
        self,
        *args: Any,
        update: Literal["lazy", "dense"] = "lazy",
        learning_rate_multipliers: Sequence[float] | None = None,
        **kwargs: Any,
    ):
        check_choice("update", update, ("lazy", "dense"))
        super().__init__(*args, **kwargs)
        self.update = update
        self.learning_rate_multipliers = learning_rate_multipliers

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the slots, and gives the variables their multipliers.

        Raises:
            ValueError: Under a dynamic loss scale, which could put NaN into a table.
        """
        if (
            keras.config.dtype_policy().compute_dtype == "float16"
            and self.loss_scale_factor is None
        ):
            # LossScaleOptimizer searches the slices for infinities, but of a repeated
            # id it sees only the last slice.
            raise ValueError(
                explain(
                    "no dynamic loss scale around an optimizer of sparse gradients",
                    f"the dtype policy {keras.config.dtype_policy().name!r}",
                    "use 'mixed_bfloat16', or pass loss_scale_factor=1024.0 here and "
                    "compile(auto_scale_loss=False)",
                )
            )
        if self.learning_rate_multipliers is not None:
            self._set_multipliers(variables, self.learning_rate_multipliers)
        super().build(variables)

    def _set_multipliers(
        self, variables: Sequence[keras.Variable], factors: Sequence[float]
    ) -> None:
        if len(factors) != len(variables):
            # An error here would make it impossible to load a trained model.
            warnings.warn(
                explain(
                    f"a learning rate multiplier for each of the {len(variables)} "
                    "trainable variables",
                    f"{len(factors)}; a layer was unfrozen after the model was "
                    "compiled, or they are of another model. All are ignored",
                    "set them again with "
                    "tf_ctr.transfer.set_learning_rate_multipliers and compile again",
                ),
                stacklevel=2,
            )
            return
        for variable, factor in zip(variables, factors, strict=True):
            variable.learning_rate_multiplier = factor

    def update_rows(
        self,
        gradient: tf.Tensor,
        rows: tf.Tensor,
        variable: tf.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates some rows of a variable and of its slots, and reads no others.

        Args:
            gradient: The gradient of each row, `[R, ...]`.
            rows: The indices of the R rows, each once.
            variable: The table.
            learning_rate: The learning rate of this variable.
        """
        raise NotImplementedError

    def apply(
        self,
        grads: Sequence[tf.Tensor | tf.IndexedSlices],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Applies gradients, with repeated ids summed before anything else."""
        super().apply([sum_duplicates(g) for g in grads], trainable_variables)

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates one variable, by rows if its gradient is sparse."""
        # Keras passes its backend's variable, which lacks the attribute.
        index = self._get_variable_index(variable)
        factor = multiplier(self._trainable_variables[index])
        if factor != 1.0:
            learning_rate = keras.ops.multiply(learning_rate, factor)
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        self.update_rows(
            tf.cast(gradient.values, variable.dtype),
            gradient.indices,
            variable,
            tf.cast(learning_rate, variable.dtype),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the optimizer."""
        return {
            **super().get_config(),
            "update": self.update,
            "learning_rate_multipliers": self._multipliers_in_use(),
        }

    def _multipliers_in_use(self) -> list[float] | None:
        given = self.learning_rate_multipliers
        if not self.built:
            return None if given is None else list(given)
        # After loading, an optimizer has only the variables that were trainable when
        # the model was saved.
        trained = [v for v in self._trainable_variables if v.trainable]
        factors = [multiplier(variable) for variable in trained]
        return None if set(factors) <= {1.0} else factors

    # Keras's hook between loss scaling and the updates; `apply` comes before both.
    def _backend_apply_gradients(self, grads, trainable_variables):
        # Before clipping, which then sees the gradient of the global batch.
        grads = sum_of_workers(grads, trainable_variables)
        if self.update == "dense":
            grads = list(map(densify, grads, trainable_variables))
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                self._refuse_whole_table(variable)
        super()._backend_apply_gradients(grads, trainable_variables)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)  # They have been summed before.

    def _clip_gradients(self, grads):
        # As each row occurs once, the values have the norm of the dense gradient. Keras
        # would densify the slices themselves for a global norm.
        clipped = super()._clip_gradients(
            [g.values if isinstance(g, tf.IndexedSlices) else g for g in grads]
        )
        return [
            tf.IndexedSlices(values, g.indices, g.dense_shape)
            if isinstance(g, tf.IndexedSlices)
            else values
            for g, values in zip(grads, clipped, strict=True)
        ]

    def _refuse_whole_table(self, variable):
        decays = self.weight_decay is not None
        options = {
            "weight_decay": decays and self._use_weight_decay(own_copy(variable)),
            "use_ema": self.use_ema,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "a constraint": variable.constraint is not None,
        }
        found = [name for name, is_set in options.items() if is_set]
        if found:
            raise ValueError(
                explain(
                    "no option that works on whole tables, as update='lazy' meets a "
                    "sparse gradient",
                    f"{', '.join(found)} for the variable "
                    f"{getattr(variable, 'path', variable.name)!r}",
                    "pass update='dense', whose step grows with the vocabulary, or "
                    "drop the option; exclude_from_weight_decay(var_list=[variable]) "
                    "frees one variable from weight decay",
                )
            )


def densify(
    gradient: tf.Tensor | tf.IndexedSlices, variable: keras.Variable
) -> tf.Tensor:
    """Returns the gradient as one dense tensor of the variable's shape."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.math.unsorted_segment_sum(
        gradient.values, gradient.indices, variable.shape[0]
    )


def read_rows(variable: keras.Variable | tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Gathers rows without reading the others."""
    return tf.gather(own_copy(variable), rows)


def write_rows(
    variable: keras.Variable | tf.Variable, rows: tf.Tensor, values: tf.Tensor
) -> None:
    """Scatters rows without writing the others; no row may occur twice."""
    own_copy(variable).scatter_update(tf.IndexedSlices(values, rows))


def subtract_rows(
    variable: keras.Variable | tf.Variable, rows: tf.Tensor, delta: tf.Tensor
) -> None:
    """Subtracts `delta` from rows; no row may occur twice.

    TensorFlow's `scatter_sub` gives the same rows, but on a CPU a whole training step
    of DCN then takes 1.1 to 1.3 times as long.
    """
    write_rows(variable, rows, read_rows(variable, rows) - delta)


def multiplier(variable: keras.Variable) -> float:
    """Returns the factor on the learning rate that a variable asks for."""
    return float(getattr(variable, "learning_rate_multiplier", 1.0))
