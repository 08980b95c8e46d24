"""A model on the rows of users and of their candidates."""

import keras
import numpy as np
import pytest

from tests.support.models import batch, small_dcn
from tf_ctr.inference import candidate_model, group_by_route
from tf_ctr.transfer import apg, autoft, ctnet


def close(scores, expected):
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)


class Rows(keras.layers.Layer):
    """Notes how many rows it is called on."""

    seen = None

    def call(self, x):
        self.seen = x.shape[0]
        return x + 0.0


def test_the_user_part_is_computed_once():
    inputs = {n: keras.Input((1,), name=n) for n in ("user", "context", "item")}
    user_part, item_part, joint = Rows(), Rows(), Rows()
    user = user_part(inputs["user"] * inputs["context"])
    both = joint(keras.layers.Add()([user, item_part(inputs["item"])]))
    model = keras.Model(inputs, keras.layers.Add()([both, user]))
    values = {
        "user": np.array([[1.0], [2.0]]),
        "context": np.array([[10.0], [10.0]]),
        "item": np.arange(6.0)[:, np.newaxis],
    }
    scores = candidate_model(model, ["item"])(values).numpy()[:, 0]
    np.testing.assert_allclose(scores, [20, 21, 22, 43, 44, 45])
    assert (user_part.seen, item_part.seen, joint.seen) == (2, 6, 6)


def test_repeated_ids_stay_integers():
    """The history and the item share a lookup in AutoFT's table of both copies."""
    model = group_by_route(perturbed(autoft(small_dcn(), seed=0)))
    features, _ = batch(4)
    users = {name: features[name][:1] for name in ("user", "history")}
    items = {name: features[name] for name in ("item", "price")}
    once = candidate_model(model, ["item", "price"])(users | items, training=False)
    flat = {name: np.repeat(value, 4, axis=0) for name, value in users.items()}
    close(once, model(flat | items, training=False))


def test_a_score_that_depends_only_on_the_user_is_repeated():
    inputs = {n: keras.Input((1,), name=n) for n in ("user", "item")}
    model = keras.Model(inputs, inputs["user"] * 1.0)
    values = {"user": np.array([[1.0], [2.0]]), "item": np.zeros((4, 1))}
    scores = candidate_model(model, ["item"])(values).numpy()[:, 0]
    np.testing.assert_allclose(scores, [1, 1, 2, 2])


def perturbed(model):
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    return model


@pytest.mark.parametrize(
    "method",
    [autoft, ctnet, lambda m: apg(m, "user", rank=2)],
    ids=["autoft", "ctnet", "apg"],
)
def test_every_method_scores_candidates_like_rows(method):
    model = method(small_dcn(batch_norm=True))
    features, _ = batch(6)
    perturbed(model)
    users = {n: features[n][:2] for n in ("user", "history")}
    items = {n: features[n] for n in ("item", "price")}
    before = [len(layer.weights) for layer in model.layers]
    once = candidate_model(model, ["item", "price"])(users | items, training=False)
    flat = {n: np.repeat(value, 3, axis=0) for n, value in users.items()}
    close(once, model(flat | items, training=False))
    assert [len(layer.weights) for layer in model.layers] == before
