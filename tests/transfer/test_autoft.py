"""AutoFT: components, what the policies see, and the two branches."""

import keras
import numpy as np
import pytest

from tests.support.models import batch, small_dcn
from tf_ctr.transfer import autoft, fine_tune


def train(model, steps=3):
    features, labels = batch()
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", run_eagerly=True)
    for _ in range(steps):
        model.train_on_batch(features, labels)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "batch_norm"])
def source(request):
    model = small_dcn(batch_norm=request.param)
    train(model)  # Moves the BatchNorm statistics away from their start.
    return model


@pytest.fixture(scope="module")
def trained(source):
    model = autoft(source)
    train(model)
    return model


def one_sided(model, frozen):
    """Makes every policy choose one branch whatever the input."""
    for layer in model.layers:
        if layer.name.endswith("_router"):
            weights = [np.zeros_like(w) for w in layer.get_weights()]
            weights[-2][:] = np.tile(
                [50.0, -50.0] if frozen else [-50.0, 50.0], layer.num_decisions
            )
            layer.set_weights(weights)


def test_a_policy_that_always_freezes_gives_the_source_up_to_the_last_layer(source):
    features, _ = batch()
    model = autoft(source)
    train(model)
    one_sided(model, frozen=True)
    expected = fine_tune(source)
    expected.get_layer("logit").set_weights(model.get_layer("logit").get_weights())
    np.testing.assert_allclose(model(features), expected(features), atol=1e-6)


def test_a_policy_that_never_freezes_gives_the_tuned_copy(source):
    features, _ = batch()
    model = autoft(source)
    train(model)
    one_sided(model, frozen=False)
    expected = fine_tune(source)
    for layer in expected.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(model(features), expected(features), atol=1e-6)


def test_frozen_copy_has_no_noise_while_the_model_is_trained(tmp_path):
    inputs = {"price": keras.Input((1,), name="price")}
    parts = [keras.layers.Dense(8, name="dense"), keras.layers.Dropout(0.5)]
    hidden = keras.Sequential(parts, name="deep_0")
    click = keras.layers.Dense(1, "sigmoid", name="click")
    source = keras.Model(inputs, click(hidden(inputs["price"])))
    model = autoft(source)
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras")):
        varies = {}
        for name in ("deep_0_frozen", "deep_0"):
            branch = keras.Model(each.input, each.get_layer(name).output)
            outputs = [branch({"price": np.ones((9, 1))}, training=t) for t in (0, 1)]
            varies[name] = not np.array_equal(*outputs)
        assert varies == {"deep_0_frozen": False, "deep_0": True}
    assert hidden.layers[-1].rate == 0.5


def test_routers_draw_their_own_noise_and_repeat_it_for_a_seed():
    def noise(model, component):
        return np.array(model.get_layer(f"{component}_router")._gumbel_noise((50, 2)))

    one, again = autoft(small_dcn(), seed=3), autoft(small_dcn(), seed=3)
    cross = noise(one, "cross")
    assert not np.array_equal(cross, noise(one, "deep"))
    np.testing.assert_array_equal(cross, noise(again, "cross"))


def routed_inputs(model, router, features):
    """What a router is given, and the vectors of the routed fields, in NumPy."""
    vectors = {
        field: model.get_layer(f"{field}_embedding_route").output
        for field in ("user", "item", "history")
    }
    outputs = {"policy": model.get_layer(router).input, **vectors}
    seen = keras.Model(model.input, outputs)(features)
    return {name: np.array(value) for name, value in seen.items()}


def pooled(rows, ids):
    mask = (ids > 0)[..., None]
    return (rows * mask).sum(1) / np.maximum(mask.sum(1), 1)


def test_field_policy_sees_the_frozen_embeddings(source, trained):
    """Spec: P_e decides by x^S, the frozen rows, whatever was fine-tuned since."""
    features, _ = batch()
    tables = {
        name: source.get_layer(f"{name}_embedding").get_weights()[0]
        for name in ("user", "item")
    }
    expected = np.concatenate(
        [
            tables["user"][features["user"]],
            tables["item"][features["item"]],
            pooled(tables["item"][features["history"]], features["history"]),
            features["price"],
        ],
        axis=1,
    )
    seen = routed_inputs(trained, "embedding_router", features)["policy"]
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@pytest.mark.parametrize("router", ["cross_router", "deep_router"])
def test_layer_policies_see_the_mixed_embeddings(trained, router):
    """Spec: P_c and P_d decide by x0, made of the rows that the fields chose."""
    features, _ = batch()
    seen = routed_inputs(trained, router, features)
    history = pooled(seen["history"], features["history"])
    expected = [seen["user"], seen["item"], history, features["price"]]
    np.testing.assert_allclose(
        seen["policy"], np.concatenate(expected, axis=1), atol=1e-6
    )


def test_source_made_by_autoft_is_refused():
    with pytest.raises(ValueError, match="which autoft made"):
        autoft(autoft(small_dcn(), which="deep"))


@pytest.mark.parametrize("which", [[], None], ids=["none named", "none there"])
def test_nothing_to_route_is_an_error(which):
    inputs = {"price": keras.Input((1,), name="price")}
    linear = keras.Model(inputs, keras.layers.Dense(1, name="logit")(inputs["price"]))
    with pytest.raises(ValueError, match="or use fine_tune"):
        autoft(linear if which is None else small_dcn(), which=which)


def test_policies_need_an_embedding_to_decide_by():
    inputs = {"id": keras.Input((), dtype="int64", name="id")}
    x = keras.layers.Embedding(4, 1, name="id_linear")(inputs["id"])
    x = keras.layers.Dense(3, name="deep_0")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    with pytest.raises(ValueError, match="raise the embedding dim"):
        autoft(model)


def test_scalar_float_inputs_and_keyword_calls_work():
    inputs = {
        "price": keras.Input((), name="price"),
        "id": keras.Input((), dtype="int64", name="id"),
    }
    rows = keras.layers.Embedding(4, 2, name="id_embedding")(inputs=inputs["id"])
    column = keras.ops.expand_dims(inputs["price"], 1)
    x = keras.layers.Dense(3, name="deep_0")(keras.ops.concatenate([rows, column], 1))
    source = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    features = {"price": np.array([1.0, 2.0]), "id": np.array([0, 3])}
    np.testing.assert_allclose(autoft(source)(features), source(features), atol=1e-6)


@pytest.mark.parametrize(
    "which",
    [["embedding"], ["cross"], ["deep"], ["cross", "deep"], "deep"],
    ids=str,
)
def test_only_the_components_in_which_are_routed(which):
    names = {layer.name for layer in autoft(small_dcn(), which=which).layers}
    chosen = [which] if isinstance(which, str) else which
    for component in ("embedding", "cross", "deep"):
        assert (f"{component}_router" in names) == (component in chosen)
    assert ("deep_0_frozen" in names) == ("deep" in chosen)
    assert ("user_embedding_frozen" in names) == ("embedding" in chosen)


def test_unknown_component_lists_the_valid_ones():
    with pytest.raises(ValueError, match="use one of: cross, deep, embedding"):
        autoft(small_dcn(), which=["depe"])


def test_policies_have_one_decision_per_field_and_layer():
    model = autoft(small_dcn())
    decisions = {
        layer.name: layer.num_decisions
        for layer in model.layers
        if layer.name.endswith("_router")
    }
    assert decisions == {"embedding_router": 3, "cross_router": 2, "deep_router": 2}


def test_every_policy_weight_gets_a_gradient():
    features, labels = batch(64)
    model = autoft(small_dcn(), seed=3)
    train(model, steps=2)  # Without it both branches are equal: no gradient.
    routers = [layer for layer in model.layers if layer.name.endswith("_router")]
    before = {layer.name: layer.get_weights() for layer in routers}
    model.train_on_batch(features, labels)
    for layer in routers:
        *policy, temperature = zip(before[layer.name], layer.get_weights(), strict=True)
        assert all(not np.array_equal(a, b) for a, b in policy), layer.name
        np.testing.assert_array_equal(*temperature)


def test_routes_are_deterministic_at_inference_and_sampled_in_training():
    features, _ = batch(200)
    model = autoft(small_dcn(), seed=3)
    router = keras.Model(model.inputs, model.get_layer("deep_router").output)
    features = {name: keras.ops.convert_to_tensor(x) for name, x in features.items()}
    inference = [np.array(router(features)) for _ in range(2)]
    training = [np.array(router(features, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*inference)
    assert not np.array_equal(*training)
