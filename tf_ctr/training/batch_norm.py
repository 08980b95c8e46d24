"""The moving statistics of BatchNorm, measured anew."""

import contextlib

import keras
import tensorflow as tf

from tf_ctr.surgery.names import layers_by_path


def measure_batch_norm(model, batches):
    """Makes the moving statistics of BatchNorm the means over some batches, in place.

    One forward pass in training mode; no weight is trained. After re-initialising, or
    after a short training, momentum has not yet brought them to where they belong.

    Args:
        model: A `keras.Model`. Its frozen BatchNorm layers stay as they are.
        batches: A `tf.data.Dataset` of features, or of features and labels. Each
            counts by its rows; the variance is the mean of that within the batches.

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

    if not model.run_eagerly:  # An eager pass costs many times that of a graph.
        forward = tf.function(forward, reduce_retracing=True)
    seen = 0
    for batch in batches:
        features = batch[0] if isinstance(batch, tuple) else batch
        rows = len(keras.tree.flatten(features)[0])
        # The mean of all rows so far.
        forward(features, tf.constant(seen / (seen + rows)))
        seen += rows


@contextlib.contextmanager
def _momentum(norms, momentum):
    before = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = keras.ops.cast(momentum, norm.moving_mean.dtype)
        yield
    finally:
        for norm, own in zip(norms, before, strict=True):
            norm.momentum = own
