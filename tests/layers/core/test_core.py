"""Embedding and MaskedPooling by hand."""

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.layers import Embedding, MaskedPooling

IDS = np.array([[1, 2], [3, 0], [0, 0], [4, 4]])
VALUES = np.linspace(0.0, 1.0, 24, dtype="float32").reshape(4, 2, 3)


def test_embedding_gradient_is_sparse_and_sums_to_the_dense_one():
    layer = Embedding(5, 2, "normal")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS) * np.arange(16.0).reshape(4, 2, 2))
    gradient = tape.gradient(loss, layer.embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    expected = np.zeros((5, 2))
    for row, value in zip(IDS.ravel(), np.arange(16.0).reshape(8, 2), strict=True):
        expected[row] += value
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), expected)


def test_embedding_l2_covers_the_rows_in_the_batch_and_stays_sparse():
    layer = Embedding(5, 2, "ones", l2=0.5)
    with tf.GradientTape() as tape:
        layer(np.array([1, 1, 4, 2]))
        (penalty,) = layer.losses
    assert float(penalty) == 0.5 * 8 / 4
    assert isinstance(tape.gradient(penalty, layer.embeddings.value), tf.IndexedSlices)


def test_frozen_embedding_has_no_penalty():
    layer = Embedding(5, 2, "ones", l2=0.5, trainable=False)
    layer(np.array([1]))
    assert layer.losses == []


def test_embedding_keeps_xla_off_since_it_cannot_compile_it():
    ids = keras.Input((2,), dtype="int64")
    model = keras.Model(ids, Embedding(5, 2)(ids))
    model.compile("sgd", "mse")
    assert model.jit_compile is False


def test_pooling_ignores_padding():
    expected = [VALUES[0].mean(0), VALUES[1][0], np.zeros(3), VALUES[3].mean(0)]
    np.testing.assert_allclose(MaskedPooling()(VALUES, IDS), expected, rtol=1e-6)
    expected = [VALUES[0].sum(0), VALUES[1][0], np.zeros(3), VALUES[3].sum(0)]
    np.testing.assert_allclose(MaskedPooling("sum")(VALUES, IDS), expected, rtol=1e-6)
