"""L2-SP: fine-tuning with a penalty on the distance from the starting point."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tf_ctr.errors import check_name, explain
from tf_ctr.surgery import Graph
from tf_ctr.surgery.graph import is_table
from tf_ctr.transfer.fine_tune import fine_tune
from tf_ctr.transfer.method import Method


@Method("L2-SP", losses=("distance from the start",), starts_as_source=True)
def l2_sp(
    source: keras.Model,
    alpha: float = 0.01,
    beta: float = 0.01,
    target: keras.Model | None = None,
    new: Sequence[str] = (),
) -> keras.Model:
    """Returns a fine-tuned copy that is penalised for leaving its start.

    The penalty, added to the training loss, is `alpha / 2 * sum((w - w_start) ** 2)`
    over the weights shared with the source and `beta / 2 * sum(w ** 2)` over new ones.
    For an embedding table, each lookup adds the rows in the batch, divided by the batch
    size, as `tf_ctr.layers.Embedding(l2=...)` does, so that the gradient stays sparse.
    Frozen weights and BatchNorm statistics are left out.

    The result is an `L2SPModel`, a functional model that holds the start beside its
    graph: a penalty layer in the graph could not reach the weights of another layer
    after reloading, and every other method would see it as a layer with weights. Export
    and other methods drop the penalty.

    With `target=autoft(source)` it pulls AutoFT's trainable copies to their frozen
    ones, and `beta` is the weight decay of the policies.

    Source: Li et al., Explicit Inductive Bias for Transfer Learning (arXiv
    1802.01483); a baseline of AutoFT (arXiv 2106.04873), section 4.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        alpha: Weight on shared parameters. 0.01 is the default of
            Transfer-Learning-Library, as for `beta`; tune it.
        beta: Weight on new parameters.
        target: The model to train, made from `source` by another method; its layers
            are used, not copied. Defaults to `fine_tune(source)`, all of which is
            shared.
        new: Names of further layers of the target to count as new, e.g.
            `target.weight_report.skipped` of `target = fine_tune(source,
            which="embeddings")`. Layers that the source lacks are always new.

    Returns:
        A new, uncompiled `keras.Model` with the graph of `target`.

    Raises:
        ValueError: If a weight is negative, `new` names no layer, no layer is
            shared, or the model is not a functional one with dict inputs.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> l2_sp(keras.Model(inputs, click), alpha=0.1).alpha
    0.1
    """
    if alpha < 0 or beta < 0:
        raise ValueError(
            explain(
                "alpha >= 0 and beta >= 0",
                f"{alpha} and {beta}",
                "pass 0 for no penalty",
            )
        )
    target = fine_tune(source) if target is None else target
    model = L2SPModel(
        target.input,
        target.output,
        name=target.name,
        alpha=alpha,
        beta=beta,
        new=_new_layers(source, target, new),
    )
    model.remember_start()
    return model


def _new_layers(
    source: keras.Model, target: keras.Model, new: Sequence[str]
) -> list[str]:
    """Returns the names of the layers of the target that have no start."""
    ours = [layer.name for layer in target.layers if layer.weights]
    theirs = {layer.name for layer in source.layers if layer.weights}
    for name in new:
        check_name("layer with weights", name, ours)
    found = [name for name in ours if name not in theirs or name in new]
    if found == ours:
        raise ValueError(
            explain(
                "a layer of the target with the name of one of the source",
                f"source layers {sorted(theirs)}, new layers {found}",
                "make the target from this source, e.g. with fine_tune(source)",
            )
        )
    return found


@keras.saving.register_keras_serializable("tf_ctr")
class L2SPModel(keras.Model):
    """The model that `tf_ctr.transfer.l2_sp` returns.

    The model itself holds the start, beside its graph. Layers and scores are those of
    the plain model, and export and other transfer methods see only that one. Saving,
    loading and resuming keep the start like any weight.

    The penalty is part of the training loss (`fit`, `train_on_batch`,
    `compute_loss(training=True)`); `evaluate` reports the plain loss.

    Args:
        inputs: `{name: keras.Input}`.
        outputs: Output of the graph.
        name: Name of the model.
        alpha: Weight of the distance to the start.
        beta: Weight of the size of new weights.
        new: Names of the layers without a start.
        **kwargs: `trainable` of `keras.Model`.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> output = keras.layers.Dense(1, name="click")(inputs["age"])
    >>> model = L2SPModel(inputs, output, alpha=0.5, beta=0.0, new=())
    >>> model.remember_start()
    >>> float(model.penalty({"age": [[1.0]]}))
    0.0
    """

    # Keras can load a functional subclass only if its positional arguments are these.
    def __init__(
        self,
        inputs: Mapping[str, keras.KerasTensor],
        outputs: keras.KerasTensor,
        name: str | None = None,
        *,
        alpha: float,
        beta: float,
        new: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.alpha = alpha
        self.beta = beta
        self.new = list(new)
        self._table_fields = Graph(self).fields_by_table
        self._start = [
            self.add_weight(
                shape=weight.shape,
                dtype=weight.dtype,
                initializer="zeros",
                trainable=False,
                name="start",
            )
            for weight in self._shared_weights()
        ]

    def remember_start(self) -> None:
        """Stores the current weights as the start."""
        for start, weight in zip(self._start, self._shared_weights(), strict=True):
            start.assign(weight)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Adds the penalty to the loss of training."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training or not (self.alpha or self.beta):
            return loss
        # Keras sums the gradients of the replicas, so each adds only its share.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return loss + ops.cast(self.penalty(x) / replicas, loss.dtype)

    def penalty(self, features: Any) -> tf.Tensor:
        """Returns the penalty on a batch, a float32 scalar.

        Args:
            features: The inputs of the model; only the ids of the tables are read.
        """
        if not isinstance(features, dict):
            names = [tensor.name for tensor in self.inputs]
            features = dict(zip(names, keras.tree.flatten(features), strict=True))
        start = iter(self._start)
        terms = [ops.zeros((), "float32")]
        for layer in self._weighted_layers():
            is_new = layer.name in self.new
            factor = (self.beta if is_new else self.alpha) / 2
            for weight in layer.weights:
                origin = None if is_new else next(start)
                if not factor or not weight.trainable:
                    continue
                if is_table(layer):
                    ids = [features[field] for field in self._table_fields[layer.name]]
                    terms += [factor * _row_penalty(weight, origin, i) for i in ids]
                else:
                    terms.append(factor * _distance(weight, origin))
        return sum(terms)

    def get_config(self) -> dict[str, Any]:
        """Returns the graph and the arguments of the penalty."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "new": list(self.new),
        }

    def _weighted_layers(self):
        # By name: the order of the layers may change when a model is reloaded.
        layers = [layer for layer in self.layers if layer.weights]
        return sorted(layers, key=lambda layer: layer.name)

    def _shared_weights(self):
        """Returns all weights with a start, also frozen ones, which may be unfrozen."""
        return [
            weight
            for layer in self._weighted_layers()
            if layer.name not in self.new
            for weight in layer.weights
        ]


def _distance(weight: keras.Variable, origin: keras.Variable | None) -> tf.Tensor:
    weight = ops.convert_to_tensor(weight)
    if origin is not None:
        weight = weight - ops.convert_to_tensor(origin)
    return ops.cast(ops.sum(ops.square(weight)), "float32")


def _row_penalty(
    table: keras.Variable, origin: keras.Variable | None, ids: tf.Tensor
) -> tf.Tensor:
    """Returns the mean over the batch; only these rows are read and get a gradient."""
    ids = tf.cast(ids, "int64")
    rows = tf.nn.embedding_lookup(table.value, ids)
    if origin is not None:
        rows -= tf.nn.embedding_lookup(origin.value, ids)
    total = tf.reduce_sum(tf.square(rows))
    return total / tf.cast(tf.shape(ids)[0], total.dtype)
