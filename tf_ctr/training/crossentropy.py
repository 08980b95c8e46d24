"""Binary cross-entropy of labels of which some are not known yet."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tf_ctr.metrics.missing import counted


@keras.saving.register_keras_serializable("tf_ctr")
class LabelCrossentropy(keras.losses.Loss):
    """Mean binary cross-entropy of the rows whose label is known, i.e. not NaN.

    Without a missing label, it is Keras's `"binary_crossentropy"`: the sum of the
    weighted losses over the number of rows. With missing ones, it is the same on the
    rows that are left, and 0 if there is none. `tf_ctr.training.compile` uses it for
    each label of a model with several.

    Args:
        name: Name of the loss. Defaults to `"label_crossentropy"`.
        **kwargs: `reduction` and `dtype`, for Keras.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.training import LabelCrossentropy
    >>> loss = LabelCrossentropy()
    >>> known = float(loss(np.array([1.0, 0.0]), np.array([[0.8], [0.4]])))
    >>> missing = np.array([1.0, 0.0, np.nan])
    >>> known == float(loss(missing, np.array([[0.8], [0.4], [0.9]])))
    True
    """

    def __init__(self, name: str = "label_crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def __call__(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the mean loss of a batch; labels and predictions `[B]` or `[B, 1]`.

        Args:
            y_true: Labels 0, 1 or NaN.
            y_pred: Probabilities.
            sample_weight: A weight per row; `None` for 1.
        """
        rows = counted(y_true, y_pred, sample_weight, self.dtype)
        losses = rows.weights * self.call(rows.labels, rows.scores)
        labels = ops.reshape(ops.cast(y_true, self.dtype), (-1,))
        known = ops.sum(ops.cast(ops.logical_not(ops.isnan(labels)), self.dtype))
        # As Keras's own losses: the gradients of replicas are summed.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return ops.divide_no_nan(ops.sum(losses), known) / replicas

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each row, without weights."""
        return ops.binary_crossentropy(y_true, y_pred)


def loss_weights_of(model: keras.Model) -> Any:
    """Returns the loss weights that a model was compiled with; `None` without."""
    # Not public: pinned by a test. `get_compile_config` works only outside of a graph.
    return getattr(getattr(model, "_compile_loss", None), "_user_loss_weights", None)


def losses_of(model: keras.Model) -> str | dict[str, LabelCrossentropy]:
    """Returns the loss of a click model: one per label, if its outputs are named."""
    outputs = getattr(model, "output", None)
    if isinstance(outputs, dict):
        return {name: LabelCrossentropy() for name in outputs}
    return "binary_crossentropy"
