"""The options of AutoFT's routers: how a policy starts, its entropy, its budget."""

import keras
import numpy as np
import pytest

from tests.support.frames import click_schema
from tests.support.models import batch, small_dcn
from tf_ctr.backbones import deepfm
from tf_ctr.layers import GumbelRouter
from tf_ctr.layers.routing.router import policy_penalty
from tf_ctr.surgery import Graph
from tf_ctr.transfer import autoft, route_shares, spottune

OPTIONS = {
    "initial_frozen_probability": 0.25,
    "entropy_weight": 0.5,
    "budget": 0.75,
    "budget_weight": 2.0,
}


def routers(model):
    return [layer for layer in model.layers if isinstance(layer, GumbelRouter)]


def probabilities(router, x):
    return np.array(keras.ops.softmax(router.logits(x))[..., 0])


# The start


@pytest.mark.parametrize("literal_relu", [False, True], ids=["linear", "literal"])
@pytest.mark.parametrize("p", [0.1, 0.9])
def test_router_starts_with_the_probability(p, literal_relu):
    router = GumbelRouter(
        3, seed=1, initial_frozen_probability=p, literal_relu=literal_relu
    )
    x = np.random.default_rng(0).normal(size=(2000, 4)).astype("float32")
    gates = np.array(router(x, training=True))
    np.testing.assert_allclose(probabilities(router, x), p, rtol=1e-5)
    # 5 standard deviations, decision by decision.
    assert np.all(abs(gates.mean(0) - p) < 5 * np.sqrt(p * (1 - p) / 2000))
    np.testing.assert_array_equal(router(x), np.full((2000, 3), p > 0.5))


def test_router_starts_from_random_logits_by_default():
    router = GumbelRouter(3)
    router.build((None, 4))
    *_, kernel, bias, _ = router.get_weights()
    assert kernel.all()
    assert not bias.any()


@pytest.mark.parametrize(("p", "share"), [(0.9, 1.0), (0.1, 0.0)])
def test_every_site_starts_on_the_likelier_branch(p, share):
    features, _ = batch()
    shares = route_shares(
        autoft(small_dcn(), router={"initial_frozen_probability": p}), features
    )
    assert set(shares) == {share}


def test_policy_that_starts_at_a_probability_learns():
    features, labels = batch(64)
    model = autoft(small_dcn(), router={"initial_frozen_probability": 0.5}, seed=3)
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    for _ in range(4):
        model.train_on_batch(features, labels)
    for router in routers(model):
        first, *_, last, _, _ = router.get_weights()
        assert last.any()


# Entropy and budget


def test_policy_penalty_agrees_with_hand_computed_numbers():
    logits = np.array([[[np.log(3.0), 0.0]], [[0.0, 0.0]]], dtype="float32")
    entropies = [-0.75 * np.log(0.75) - 0.25 * np.log(0.25), np.log(2.0)]
    penalty = policy_penalty(logits, 0.5, budget=None, budget_weight=2.0)
    assert float(penalty) == pytest.approx(-0.5 * np.mean(entropies), rel=1e-5)
    penalty = policy_penalty(logits, 0.0, budget=0.5, budget_weight=2.0)
    assert float(penalty) == pytest.approx(2.0 * (0.625 - 0.5) ** 2, rel=1e-5)


def test_penalty_is_in_the_training_loss_only():
    features, labels = batch()
    model = autoft(
        small_dcn(), "deep", router={"initial_frozen_probability": 0.5, "budget": 1}
    )
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", run_eagerly=True)
    # The branches are still equal, whatever is drawn.
    plain = model.evaluate(features, labels, verbose=0)
    assert model.train_on_batch(features, labels) - plain == pytest.approx(0.25)


def trained(router, steps=10):
    """Trains a router on its own penalty; returns it and the inputs."""
    inputs = {"x": keras.Input((3,), name="x")}
    model = keras.Model(inputs, router(inputs["x"]))
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    before = probabilities(router, x)
    model.compile(keras.optimizers.Adam(0.05), lambda y, gates: 0.0 * gates)
    for _ in range(steps):
        model.train_on_batch({"x": x}, np.zeros((32, router.num_decisions)))
    return before, probabilities(router, x)


@pytest.mark.parametrize("budget", [0.1, 0.9])
def test_budget_moves_the_policy(budget):
    before, after = trained(GumbelRouter(4, seed=1, budget=budget))
    assert abs(after.mean() - budget) < abs(before.mean() - budget) / 2


@pytest.mark.parametrize(("weight", "decided"), [(1.0, False), (-1.0, True)])
def test_the_entropy_weight_sharpens_or_flattens_the_policy(weight, decided):
    before, after = trained(GumbelRouter(4, seed=1, entropy_weight=weight))
    assert (abs(after - 0.5).mean() > abs(before - 0.5).mean()) == decided


def test_no_loss_is_added_when_the_options_are_off():
    features, _ = batch()
    model = autoft(small_dcn())
    model(features, training=True)
    assert model.losses == []


def test_options_reach_every_router_and_survive_saving(tmp_path):
    features, _ = batch()
    model = autoft(small_dcn(), router=OPTIONS)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    features = {name: keras.ops.convert_to_tensor(x) for name, x in features.items()}
    for each in (model, reloaded):
        assert len(routers(each)) == 3
        for router in routers(each):
            assert {name: getattr(router, name) for name in OPTIONS} == OPTIONS
            assert router.get_config().items() >= OPTIONS.items()
        each(features, training=True)
        entropy = -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
        np.testing.assert_allclose(
            each.losses, [-0.5 * entropy + 2.0 * 0.5**2] * 3, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial_frozen_probability": 1.0}, "above 0 and below 1"),
        ({"budget": 1.5}, "a budget in .0, 1."),
        ({"budget": 0.5, "budget_weight": 0.0}, "positive budget_weight"),
    ],
    ids=["probability", "budget", "weight"],
)
def test_bad_options_raise_errors_with_a_fix(arguments, message):
    with pytest.raises(ValueError, match=message):
        GumbelRouter(1, **arguments)


def test_a_given_router_passes_on_its_options_and_seed():
    like = GumbelRouter(1, hidden_units=(3,), temperature=2.0, seed=5)
    model = autoft(small_dcn(), router=like)
    by_options = autoft(
        small_dcn(), router={"hidden_units": (3,), "temperature": 2.0}, seed=5
    )
    configs = [[each.get_config() for each in routers(m)] for m in (model, by_options)]
    assert configs[0] == configs[1]
    assert [each.num_decisions for each in routers(model)] == [3, 2, 2]


@pytest.mark.parametrize("name", ["policy_units", "seed", "num_decisions"])
def test_wrong_router_argument_lists_the_valid_ones(name):
    with pytest.raises(ValueError, match=f"'{name}'.\n.*budget.*temperature"):
        autoft(small_dcn(), router={name: 3})


def test_router_arguments_reach_every_router():
    model = autoft(
        small_dcn(),
        router={
            "hidden_units": (7, 5),
            "temperature": 2.0,
            "learning_rate_multiplier": 0.3,
            "stop_gradient": True,
            "sample_at_eval": True,
            "literal_relu": True,
        },
    )
    routers = [layer for layer in model.layers if layer.name.endswith("_router")]
    assert len(routers) == 3
    for router in routers:
        assert router.hidden_units == (7, 5)
        assert router.temperature == 2.0
        assert router.learning_rate_multiplier == 0.3
        assert router.stop_gradient
        assert router.sample_at_eval
        assert router.literal_relu


# Embedded numbers


def test_router_options_cost_no_random_draw():
    """As in version 0.1, so that a seed gives the same initial weights."""
    source, router = small_dcn(), GumbelRouter(1, seed=0)
    policies = []
    for like in (router, {}, None):
        keras.utils.set_random_seed(1)
        policies.append(autoft(source, router=like, seed=3).get_layer("deep_router"))
    first, *others = (policy.get_weights() for policy in policies)
    for weights in others:
        for expected, weight in zip(first, weights, strict=True):
            np.testing.assert_array_equal(expected, weight)


def test_embedded_number_is_a_field_of_the_embedding_policy():
    source = deepfm(click_schema(), embedding_dim=4, hidden_units=(8,))
    model = autoft(source, which="embedding")
    assert [router.name for router in routers(model)] == ["embedding_router"]
    assert routers(model)[0].num_decisions == 7
    assert {"price_embedding_frozen", "price_embedding_route"} <= {
        layer.name for layer in model.layers
    }
    frozen, tuned, _ = model.get_layer("price_embedding_route").input
    assert frozen is model.get_layer("price_embedding_frozen").output
    assert tuned is model.get_layer("price_embedding").output


def test_spottune_fine_tunes_an_embedded_number():
    source = deepfm(click_schema(), embedding_dim=4, hidden_units=(8,))
    names = {layer.name for layer in spottune(source).layers}
    assert "price_embedding" in names
    assert "price_embedding_frozen" not in names


def test_dense_is_an_embedding_by_its_name_and_its_input():
    inputs = {"a": keras.Input((1,), name="a"), "b": keras.Input((1,), name="b")}
    x = keras.layers.Dense(2, name="a_embedding")(inputs["a"])
    y = keras.layers.Dense(2, name="b_hidden")(inputs["b"])
    z = keras.layers.Dense(2, name="b_embedding")(y)
    x = keras.layers.Concatenate()([x, z])
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    assert Graph(model).number_embeddings == {"a": "a_embedding"}
