"""Measures the moving statistics of BatchNorm after training."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from tf_ctr.surgery.names import layers_by_path


def measure_batch_norm(model: keras.Model, batches: tf.data.Dataset) -> None:
    """Sets the moving statistics of BatchNorm to their means over some batches.

    Runs one forward pass over the batches in training mode and changes the model in
    place; no weight is trained. Use it after layers were re-initialised, or after a
    short training: the moving averages are then still far from the statistics of the
    data.

    Args:
        model: A `keras.Model`. Its frozen BatchNorm layers keep their statistics.
        batches: A `tf.data.Dataset` of features, or of features and labels. Each batch
            counts by its rows; the variance is the mean of the variances within the
            batches.

    Example:

    >>> import tensorflow as tf
    >>> inputs = {"x": keras.Input((1,), name="x")}
    >>> norm = keras.layers.BatchNormalization(name="norm")
    >>> model = keras.Model(inputs, norm(inputs["x"]))
    >>> features = {"x": [[1.0], [3.0], [5.0], [7.0]]}
    >>> measure_batch_norm(model, tf.data.Dataset.from_tensor_slices(features).batch(2))
    >>> norm.moving_mean.numpy(), norm.moving_variance.numpy()
    (array([4.], dtype=float32), array([1.], dtype=float32))
    """
    norms = [
        layer
        for layer in layers_by_path(model).values()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return

    def forward(features, momentum):
        with _momentum(norms, momentum):
            model(features, training=True)

    if not model.run_eagerly:  # An eager pass is many times slower than a graph.
        forward = tf.function(forward, reduce_retracing=True)
    seen = 0
    for batch in batches:
        features = batch[0] if isinstance(batch, tuple) else batch
        rows = len(keras.tree.flatten(features)[0])
        # With this momentum the moving average is the mean of all rows so far. For the
        # first batch it is 0, which drops the old statistics. It is a tensor, because a
        # Python number would be traced as a constant.
        forward(features, tf.constant(seen / (seen + rows)))
        seen += rows


@contextlib.contextmanager
def _momentum(
    norms: Sequence[keras.layers.BatchNormalization], momentum: tf.Tensor
) -> Iterator[None]:
    """Sets another momentum on the layers while a block runs."""
    before = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = keras.ops.cast(momentum, norm.moving_mean.dtype)
        yield
    finally:
        for norm, own in zip(norms, before, strict=True):
            norm.momentum = own
