"""GumbelRouter and Route by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import GumbelRouter, Route

FLOATS = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(4, 3)


def router_with_logits(logits, **arguments):
    """A router whose logits are `logits [N, 2]` for every input."""
    router = GumbelRouter(len(logits), hidden_units=(), **arguments)
    router.build((None, 3))
    router.set_weights(
        [np.zeros((3, 2 * len(logits))), np.ravel(logits), np.array(5.0)]
    )
    return router


def test_router_takes_the_likelier_branch_at_inference():
    router = router_with_logits([[2.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(router(FLOATS), [[1.0, 0.0, 1.0]] * 4)


def test_router_samples_in_proportion_to_the_softmax():
    router = router_with_logits([[np.log(3.0), 0.0]], seed=7)
    gates = np.array(router(np.zeros((20000, 3)), training=True))
    # P(frozen) = 3 / 4 whatever the temperature; 5 standard deviations.
    assert abs(gates.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20000)
    np.testing.assert_allclose(gates, np.round(gates), atol=1e-6)


def test_router_samples_at_inference_only_when_asked():
    arguments = {"logits": [[0.1, 0.0]], "seed": 7}
    x = np.zeros((200, 3))
    assert np.all(np.array(router_with_logits(**arguments)(x)) == 1.0)
    sampled = np.array(router_with_logits(sample_at_eval=True, **arguments)(x))
    assert 0.0 < sampled.mean() < 1.0


def test_a_frozen_router_takes_the_likelier_branch_and_has_no_penalty():
    router = router_with_logits([[0.1, 0.0]], seed=7, entropy_weight=1.0)
    router.trainable = False
    gates = router(np.zeros((200, 3)), training=True)
    np.testing.assert_array_equal(gates, np.ones((200, 1)))
    assert not router.losses


def test_the_router_gradient_is_that_of_the_relaxed_sample():
    """Two logits differ by g: d soft / d g = soft (1 - soft) / temperature."""
    router = router_with_logits([[0.0, 0.0]], seed=3)
    noise = np.array([[[0.7, -0.2]]], dtype="float32")
    router._gumbel_noise = lambda shape: noise
    bias = router._biases[-1].value
    with tf.GradientTape() as tape:
        gate = router(np.zeros((1, 3)), training=True)
    soft = 1 / (1 + np.exp(-(0.7 + 0.2) / 5.0))
    assert float(gate[0, 0]) == pytest.approx(1.0, abs=1e-6)
    slope = soft * (1 - soft) / 5.0
    np.testing.assert_allclose(tape.gradient(gate, bias), [slope, -slope], rtol=1e-5)


def test_the_router_can_take_the_logarithm_of_a_relu_as_the_paper_writes():
    router = router_with_logits([[4.0, -3.0]], literal_relu=True)
    np.testing.assert_allclose(
        router.logits(FLOATS)[0, 0], [np.log(4.0), np.log(1e-8)], rtol=1e-5
    )


@pytest.mark.parametrize("stop", [True, False])
def test_router_stops_the_gradient_to_its_input_only_when_asked(stop):
    router = GumbelRouter(1, stop_gradient=stop, seed=1)
    x = tf.constant(FLOATS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        gates = router(x, training=True)
    assert (tape.gradient(gates, x) is None) == stop


def test_router_weights_ask_for_their_own_learning_rate():
    router = GumbelRouter(1, learning_rate_multiplier=0.25)
    router(FLOATS)
    assert {w.learning_rate_multiplier for w in router.trainable_weights} == {0.25}


def test_route_mixes_with_a_gradient_to_the_gate_in_training():
    frozen, tuned = tf.constant([[1.0, 2.0]]), tf.constant([[5.0, 7.0]])
    gates = tf.constant([[0.25]])
    with tf.GradientTape() as tape:
        tape.watch(gates)
        output = Route(0)(frozen, tuned, gates, training=True)
    np.testing.assert_allclose(output, [[4.0, 5.75]])
    np.testing.assert_allclose(tape.gradient(output, gates), [[-4.0 - 5.0]])


def test_route_ignores_a_nan_of_the_branch_not_taken_at_inference():
    frozen, tuned = np.array([[1.0]]), np.array([[np.nan]])
    assert float(Route(0)(frozen, tuned, np.array([[1.0]]))[0, 0]) == 1.0
