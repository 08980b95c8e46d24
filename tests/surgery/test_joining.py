"""A term added before the activation: of layers, of small models, of APG's layers."""

import keras
import numpy as np
import pytest

from tests.support.models import batch, randomised, small_dcn
from tf_ctr.layers import CrossLayer
from tf_ctr.surgery.joining import add_before_activation
from tf_ctr.transfer import apg, ctnet


def joined(layer, x, term):
    """Calls a built layer with a term, keeping its weights."""
    inputs = [keras.Input(v.shape[1:]) for v in (x, term)]
    layer(x)
    copy = type(layer).from_config(layer.get_config())
    output = add_before_activation(copy, inputs[1], inputs[0])
    model = keras.Model(inputs, output)
    twin = model.get_layer(layer.name)
    assert [w.shape for w in twin.weights] == [w.shape for w in layer.weights]
    twin.set_weights(layer.get_weights())
    return np.array(model([x, term]))


X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
TERM = np.random.default_rng(1).normal(size=(6, 4)).astype("float32")


@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        ([keras.layers.Dense(4), keras.layers.LeakyReLU()], keras.layers.LeakyReLU()),
        ([keras.layers.Dense(4, "tanh"), keras.layers.Dropout(0.5)], np.tanh),
        ([keras.layers.Dense(4)], lambda x: x),
    ],
    ids=["activation layer", "activated dense", "linear"],
)
def test_a_term_is_added_inside_a_sequential_model(layers, activation):
    layer = keras.Sequential(layers, name="deep_0")
    layer.build((None, 3))
    kernel, bias = layer.get_weights()
    expected = activation(X @ kernel + bias + TERM)
    np.testing.assert_allclose(joined(layer, X, TERM), expected, atol=1e-6)


def test_a_norm_after_the_activation_stays_after_it():
    layer = keras.Sequential(
        [keras.layers.Dense(4, "tanh"), keras.layers.BatchNormalization()]
    )
    layer.build((None, 3))
    randomised(layer)
    kernel, bias, gamma, beta, mean, variance = layer.get_weights()
    hidden = np.tanh(X @ kernel + bias + TERM)
    expected = (hidden - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(joined(layer, X, TERM), expected, rtol=1e-4, atol=1e-5)


def test_a_layer_without_an_activation_gets_the_term_on_its_output():
    layer = CrossLayer(name="cross_0")
    output = add_before_activation(layer, TERM[:, :3], X, x=X + 1)
    np.testing.assert_allclose(output, layer(X, X + 1) + TERM[:, :3], rtol=1e-6)


@pytest.mark.parametrize("batch_norm", [False, True], ids=["layer", "small model"])
def test_a_term_is_added_inside_adaptive_layers(batch_norm):
    """All adapters' outputs far below 0: the ReLUs of APG's layers are off."""
    features, _ = batch()
    source = apg(small_dcn(batch_norm), "user", rank=2)
    model = ctnet(source, adapter="linear", sites=("deep_1",), site="same")
    output = keras.Model(model.input, model.get_layer("interactions").input[1])
    assert np.any(np.array(output(features)))
    adapter = model.get_layer("deep_1_adapter")
    hidden = keras.Model(model.input, adapter.input)
    active = np.array(hidden(features)).any(axis=1)
    assert active.any()
    adapter.set_weights([np.full((5, 5), -1e6)])
    assert not np.any(np.array(output(features))[active])
