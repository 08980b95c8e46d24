"""Weights the losses of several labels by their uncertainty, which is learned."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_ctr.errors import explain
from tf_ctr.surgery.functional import check_functional
from tf_ctr.training.crossentropy import loss_weights_of


def weigh_by_uncertainty(model: keras.Model) -> keras.Model:
    """Returns a model that learns how much the loss of each label counts.

    The loss of training is `sum_l exp(-s_l) L_l + s_l / 2`, with a learned `s_l = log
    sigma_l^2` per label that starts at 0, so that all labels start with weight 1. A
    label that cannot be predicted well gets a small weight. The loss of validation is
    the sum of the labels' losses, so that epochs can be compared.

    Source: Kendall et al., Multi-Task Learning Using Uncertainty to Weigh Losses for
    Scene Geometry and Semantics (CVPR 2018, arXiv 1705.07115), Eq. 10 for two
    classifications: `1 / sigma^2 L + log sigma` each.

    Args:
        model: A functional `keras.Model` with a dict of outputs, one per label. The
            layers are shared with the returned model. Call this last: a transfer method
            returns a model without it.

    Returns:
        An uncompiled `keras.Model`; its `label_weights()` are the current weights.
        Compile it by `tf_ctr.training.compile`.

    Raises:
        ValueError: If the model is not functional, or has one output.

    Example:

    >>> from tf_ctr.training import weigh_by_uncertainty
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click, buy = (keras.layers.Dense(1, "sigmoid")(inputs["age"]) for _ in range(2))
    >>> model = keras.Model(inputs, {"click": click, "buy": buy})
    >>> weigh_by_uncertainty(model).label_weights()
    {'click': 1.0, 'buy': 1.0}
    """
    inputs = check_functional(model)
    if not isinstance(model.output, dict) or len(model.output) < 2:
        raise ValueError(
            explain(
                "a model with a dict of outputs, one per label",
                f"the output {model.output}",
                "build one of tf_ctr.joint with a schema of several labels",
            )
        )
    return UncertaintyModel(inputs, model.output, name=model.name)


@keras.saving.register_keras_serializable("tf_ctr")
class UncertaintyModel(keras.Model):
    """A functional model whose loss weighs its labels by their uncertainty.

    `weigh_by_uncertainty` makes it.

    Args:
        inputs: `{field: keras.Input}`.
        outputs: `{label: tensor [B, 1]}`.
        name: Name of the model.
        **kwargs: `trainable` of `keras.Model`.
    """

    # Keras can load a functional subclass only if its positional arguments are these.
    def __init__(
        self,
        inputs: Mapping[str, keras.KerasTensor],
        outputs: Mapping[str, keras.KerasTensor],
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.log_variances = self.add_weight(
            shape=(len(outputs),), initializer="zeros", name="log_variances"
        )

    def label_weights(self) -> dict[str, float]:
        """Returns `{label: weight of its loss}`, `exp(-s_l)`."""
        weights = np.exp(-ops.convert_to_numpy(self.log_variances))
        return {
            name: float(weight)
            for name, weight in zip(self.output, weights, strict=True)
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Weighs the losses of the labels in training."""
        # Keras also updates the mean loss of each label.
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        self._check_losses()
        # Keras sums the gradients of the replicas, so each adds only its share.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for index, name in enumerate(self.output):
            weight = sample_weight
            if isinstance(sample_weight, Mapping):
                weight = sample_weight[name]
            own = self.loss[name](y[name], y_pred[name], weight)
            s = self.log_variances[index]
            change = (ops.exp(-s) - 1.0) * own + s / 2 / replicas
            loss += ops.cast(change, loss.dtype)
        return loss

    def _check_losses(self) -> None:
        """Raises unless each label has a loss object, all of weight 1."""
        losses = self.loss
        named = isinstance(losses, dict) and all(
            isinstance(losses.get(name), keras.losses.Loss) for name in self.output
        )
        weights = loss_weights_of(self)
        if not named or weights is not None:
            raise ValueError(
                explain(
                    "a loss per label and no loss weights, which are learned",
                    f"loss={losses}, loss_weights={weights}",
                    "compile by tf_ctr.training.compile(model)",
                )
            )
