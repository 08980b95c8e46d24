"""Sum: as an addition, its gradients, and shapes that differ."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import Sum


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3)])
def test_the_sum_and_its_gradients_are_those_of_an_addition(shape):
    rng = np.random.default_rng(0)
    x, y, weights = (tf.constant(rng.normal(size=shape)) for _ in range(3))
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        total = Sum(dtype="float64")(x, y)
        loss = tf.reduce_sum(total * weights)
    np.testing.assert_array_equal(total, x.numpy() + y.numpy())
    for gradient in tape.gradient(loss, [x, y]):
        np.testing.assert_array_equal(gradient, weights)


def test_the_batch_may_be_of_any_size():
    x, y = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([x, y], Sum()(x, y))
    assert model.output.shape == (None, 3)
    for rows in (0, 1, 7):
        both = [np.ones((rows, 3)), np.full((rows, 3), 2.0)]
        np.testing.assert_array_equal(model(both), np.full((rows, 3), 3.0))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="two tensors of one shape"):
        Sum()(keras.Input((3,)), keras.Input((1,)))
