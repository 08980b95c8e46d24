"""Transfer methods on a hand-made model: surgery, fine-tuning, AutoFT."""

import keras
import numpy as np
import pytest

from tests.support.models import batch, small_dcn
from tf_ctr.surgery import Graph, copy_layer, copy_weights, inputs_like, rebuild
from tf_ctr.transfer import METHODS, autoft, fine_tune

FROZEN = ("_frozen", "_source")
SITES = ["cross_0", "deep_0", "cross_1", "deep_1"]


def weights_by_layer(model):
    return {la.name: la.get_weights() for la in model.layers if la.weights}


def train(model, steps=3, **compile_args):
    features, labels = batch()
    model.compile("sgd", "binary_crossentropy", **compile_args)
    model.optimizer.learning_rate = 0.5
    for _ in range(steps):
        model.train_on_batch(features, labels)


@pytest.fixture(params=[False, True], ids=["plain", "batch_norm"])
def source(request):
    model = small_dcn(batch_norm=request.param)
    train(model)  # Moves the BatchNorm statistics away from their start.
    return model


@pytest.fixture(params=METHODS.values(), ids=METHODS.keys())
def method(request):
    return request.param


def test_depth_sites_leave_tables_and_prediction_layer_out():
    assert sorted(Graph(small_dcn()).depths) == sorted(SITES)


def test_depth_sites_keep_the_order_of_each_component():
    sites = Graph(small_dcn()).depths
    assert sites.index("deep_0") < sites.index("deep_1")
    assert sites.index("cross_0") < sites.index("cross_1")


def test_embedding_calls_name_the_shared_table_of_each_field():
    assert Graph(small_dcn()).tables_by_field == {
        "user": "user_embedding",
        "item": "item_embedding",
        "history": "item_embedding",
    }


def test_graph_facts_survive_saving(tmp_path):
    model = small_dcn()
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert Graph(reloaded).depths == Graph(model).depths
    assert Graph(reloaded).tables_by_field == Graph(model).tables_by_field


def test_depth_called_twice_is_refused():
    inputs = {"x": keras.Input((3,), name="x")}
    shared = keras.layers.Dense(3, name="deep_0")
    x = shared(shared(inputs["x"]))
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(x))
    with pytest.raises(ValueError, match="called once.*\n.*deep_0"):
        _ = Graph(model).depths


def test_op_on_ids_is_refused():
    inputs = {"id": keras.Input((), dtype="int64", name="id")}
    x = keras.layers.Embedding(4, 2, name="id_embedding")(inputs["id"] + 1)
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(x))
    with pytest.raises(ValueError, match="out of the model, into tf.data"):
        _ = Graph(model).tables_by_field


@pytest.mark.parametrize(
    "build",
    [
        lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
        lambda: keras.Model(x := keras.Input((2,)), keras.layers.Dense(1)(x)),
    ],
    ids=["sequential", "tensor input"],
)
def test_model_without_dict_inputs_is_refused(method, build):
    with pytest.raises(ValueError, match="dict of inputs by field name"):
        method(build())


def test_input_named_unlike_its_key_is_refused(method):
    tensor = keras.Input((2,), name="features")
    with pytest.warns(UserWarning, match="must match the names"):
        model = keras.Model({"x": tensor}, keras.layers.Dense(1)(tensor))
    with pytest.raises(ValueError, match="named as its key"):
        method(model)


def test_inputs_like_unites_models_and_finds_conflicts():
    a = keras.Model({"x": (x := keras.Input((2,), name="x"))}, keras.layers.Dense(1)(x))
    b = keras.Model({"y": (y := keras.Input((3,), name="y"))}, keras.layers.Dense(1)(y))
    c = keras.Model({"x": (x := keras.Input((4,), name="x"))}, keras.layers.Dense(1)(x))
    assert sorted(inputs_like(a, b)) == ["x", "y"]
    with pytest.raises(ValueError, match="one shape and dtype for input 'x'"):
        inputs_like(a, c)


def test_rebuild_makes_new_layers_and_shares_the_shared_table():
    model = small_dcn()
    calls = []

    def call(layer, *args, **kwargs):
        calls.append(layer.name)
        return layer(*args, **kwargs)

    twin = rebuild(model, inputs_like(model), call, suffix="_twin")
    assert calls.count("item_embedding_twin") == 2
    assert len(twin.weights) == len(model.weights)
    assert not {id(v) for v in twin.weights} & {id(v) for v in model.weights}


def test_rebuild_does_not_compile_nor_change_a_compiled_source(source):
    before = source.get_config()
    assert not rebuild(source, inputs_like(source)).compiled
    assert source.compiled
    assert source.get_config() == before


def test_rebuild_names_a_missing_input():
    model = small_dcn()
    inputs = inputs_like(model)
    del inputs["price"]
    with pytest.raises(ValueError, match="none for .'price'."):
        rebuild(model, inputs)


def test_copy_layer_freezes_all_of_a_nested_layer():
    depth = small_dcn(batch_norm=True).get_layer("deep_0")
    copy = copy_layer(depth, "_frozen", trainable=False)
    copy.build((None, 13))
    assert copy.name == "deep_0_frozen"
    assert not copy.trainable_variables
    assert depth.trainable_variables


def test_copy_weights_reports_by_name():
    model = small_dcn()
    twin = rebuild(model, inputs_like(model))
    report = copy_weights(model, twin, skip=("logit",))
    assert report.skipped == ("logit",)
    assert report.new == ()
    assert report.unused == ()
    assert len(report.copied) == 6
    np.testing.assert_array_equal(
        twin.get_layer("deep_1").kernel, model.get_layer("deep_1").kernel
    )


def test_copy_weights_refuses_strangers_and_other_shapes():
    model = small_dcn()
    with pytest.raises(ValueError, match="source layers .*target layers"):
        copy_weights(model, model, suffix="_elsewhere")
    inputs = {"price": keras.Input((2,), name="price")}
    hidden = keras.layers.Dense(5, name="deep_0")(inputs["price"])
    other = keras.Model(inputs, hidden)
    before = other.get_weights()
    with pytest.raises(ValueError, match="'deep_0' to have one shape"):
        copy_weights(model, other)
    np.testing.assert_array_equal(other.get_weights()[0], before[0])


# The transfer contract: one table of methods over the source with and without
# BatchNorm.


def test_scores_before_training_are_the_sources(source, method):
    features, _ = batch()
    np.testing.assert_allclose(
        method(source)(features), source(features), rtol=0, atol=1e-6
    )


def test_source_is_untouched_by_method_and_training(source, method):
    before, flags = weights_by_layer(source), [la.trainable for la in source.layers]
    train(method(source))
    assert [la.trainable for la in source.layers] == flags
    for name, weights in weights_by_layer(source).items():
        for old, new in zip(before[name], weights, strict=True):
            np.testing.assert_array_equal(old, new, err_msg=name)


def test_frozen_layers_stay_and_tuned_layers_move(source, method):
    model = method(source)
    before = weights_by_layer(model)
    train(model)
    for name, weights in weights_by_layer(model).items():
        moved = any(
            not np.array_equal(a, b) for a, b in zip(before[name], weights, strict=True)
        )
        assert moved != name.endswith(FROZEN), name


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


def test_saved_model_scores_and_freezes_alike(source, method, tmp_path):
    features, labels = batch()
    model = method(source)
    train(model)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(features), model(features))
    names = [
        [v.path.split("/")[-2:] for v in m.trainable_variables]
        for m in (model, reloaded)
    ]
    assert names[0] == names[1]
    before = weights_by_layer(reloaded)
    reloaded.train_on_batch(features, labels)
    for name, weights in weights_by_layer(reloaded).items():
        if name.endswith(FROZEN):
            for old, new in zip(before[name], weights, strict=True):
                np.testing.assert_array_equal(old, new, err_msg=name)


def test_method_works_on_a_reloaded_source(source, method, tmp_path):
    features, _ = batch()
    source.save(tmp_path / "source.keras")
    reloaded = keras.saving.load_model(tmp_path / "source.keras")
    np.testing.assert_allclose(
        method(reloaded)(features), source(features), rtol=0, atol=1e-6
    )


def test_method_works_on_stock_layers_and_bare_operations(method):
    inputs = {
        "user": keras.Input((1,), dtype="int32", name="user"),
        "tags": keras.Input((3,), dtype="int32", name="tags"),
    }
    user = keras.layers.Embedding(4, 2, name="users")(inputs["user"])
    tags = keras.layers.Embedding(5, 2, mask_zero=True, name="tags_table")
    tags = keras.layers.GlobalAveragePooling1D()(tags(inputs["tags"]))
    x = keras.ops.concatenate([keras.ops.squeeze(user, 1), tags], axis=1) * 2.0
    x = keras.layers.Dense(3, "tanh", name="hidden")(x)
    source = keras.Model(inputs, keras.layers.Dense(1, "sigmoid", name="p")(x))
    features = {"user": np.array([[1], [3]]), "tags": np.array([[1, 2, 0], [4, 0, 0]])}
    model = method(source)
    np.testing.assert_allclose(model(features), source(features), atol=1e-6)
    model.compile("sgd", "binary_crossentropy")
    model.train_on_batch(features, np.array([0.0, 1.0]))


def test_layer_fitted_by_adapt_is_refused(method):
    inputs = {"price": keras.Input((1,), name="price")}
    normalization = keras.layers.Normalization(name="normalization")
    normalization.adapt(np.array([[1.0], [3.0]]))
    x = keras.layers.Dense(2, name="deep_0")(normalization(inputs["price"]))
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    with pytest.raises(ValueError, match="'normalization', whose adapted state"):
        method(model)


def test_skip_of_an_unknown_layer_lists_the_layers():
    model = small_dcn()
    with pytest.raises(ValueError, match="'logits'.\nFix: use one of: .*logit"):
        copy_weights(model, small_dcn(), skip=("logits",))


# AutoFT


def one_sided(model, frozen):
    """Makes every policy choose one branch whatever the input."""
    for layer in model.layers:
        if layer.name.endswith("_router"):
            weights = [np.zeros_like(w) for w in layer.get_weights()]
            weights[-2][:] = np.tile(
                [50.0, -50.0] if frozen else [-50.0, 50.0], layer.num_decisions
            )
            layer.set_weights(weights)


def test_policy_that_always_freezes_gives_the_source_but_for_the_prediction(source):
    features, _ = batch()
    model = autoft(source)
    train(model)
    one_sided(model, frozen=True)
    expected = fine_tune(source)
    expected.get_layer("logit").set_weights(model.get_layer("logit").get_weights())
    np.testing.assert_allclose(model(features), expected(features), atol=1e-6)


def test_policy_that_never_freezes_gives_the_tuned_copy(source):
    features, _ = batch()
    model = autoft(source)
    train(model)
    one_sided(model, frozen=False)
    expected = fine_tune(source)
    for layer in expected.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(model(features), expected(features), atol=1e-6)


def test_options_reach_every_router():
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
    routers = [la for la in model.layers if la.name.endswith("_router")]
    assert len(routers) == 3
    for router in routers:
        assert router.hidden_units == (7, 5)
        assert router.temperature == 2.0
        assert router.learning_rate_multiplier == 0.3
        assert router.stop_gradient
        assert router.sample_at_eval
        assert router.literal_relu


def test_routers_draw_noise_of_their_own_and_the_same_again_for_a_seed():
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


def test_field_policy_sees_the_frozen_embeddings(source):
    """Spec: P_e decides by x^S, the frozen rows, whatever was fine-tuned since."""
    features, _ = batch()
    model = autoft(source)
    train(model)
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
    seen = routed_inputs(model, "embedding_router", features)["policy"]
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@pytest.mark.parametrize("router", ["cross_router", "deep_router"])
def test_layer_policies_see_the_mixed_embeddings(source, router):
    """Spec: P_c and P_d decide by x0, made of the rows that the fields chose."""
    features, _ = batch()
    model = autoft(source)
    train(model)
    seen = routed_inputs(model, router, features)
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


def test_policies_need_something_to_decide_by():
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
def test_which_routes_only_the_named_components(which):
    names = {la.name for la in autoft(small_dcn(), which=which).layers}
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
        la.name: la.num_decisions for la in model.layers if la.name.endswith("_router")
    }
    assert decisions == {"embedding_router": 3, "cross_router": 2, "deep_router": 2}


def test_every_policy_weight_gets_a_gradient():
    features, labels = batch(64)
    model = autoft(small_dcn(), seed=3)
    train(model, steps=2)  # Without it both branches are equal: no gradient.
    routers = [la for la in model.layers if la.name.endswith("_router")]
    before = {la.name: la.get_weights() for la in routers}
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
