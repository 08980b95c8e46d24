"""apg on a hand-made model and on a backbone, then transfer, collapse and export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.frames import click_frame, click_schema
from tests.support.models import batch, small_dcn
from tf_ctr.backbones import BACKBONES, dcn
from tf_ctr.data import from_frame
from tf_ctr.export import export
from tf_ctr.inference import collapse
from tf_ctr.layers import APGDense
from tf_ctr.surgery import Graph
from tf_ctr.transfer import METHODS, apg, autoft
from tf_ctr.transfer.apg import AGGREGATIONS

SMALL = {"rank": 2, "over_parameter": 11}
DEEP = ["deep_0", "deep_1"]


def train(model, steps=2):
    features, labels = batch()
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", run_eagerly=True)
    for _ in range(steps):
        model.train_on_batch(features, labels)
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "batch_norm"])
def source(request):
    return train(small_dcn(batch_norm=request.param))


def adaptive_layers(model):
    """`{depth: APGDense}`, also inside a small model with BatchNorm."""
    found = {}
    for layer in model.layers:
        for part in layer.layers if isinstance(layer, keras.Model) else [layer]:
            if isinstance(part, APGDense):
                found[layer.name] = part
    return found


def condition_of(model, depth, features):
    """The condition that a depth receives."""
    _, z = model.get_layer(depth).input
    return np.array(keras.Model(model.input, z)(features))


def rows_of(model, table, ids):
    return np.array(model.get_layer(table).embeddings)[ids]


def test_only_hidden_dense_layers_are_replaced_and_others_keep_their_weights(source):
    before = source.get_config()
    target = apg(source, "user", **SMALL)
    assert set(adaptive_layers(target)) == set(DEEP)
    assert {layer.name for layer in target.layers} == {
        layer.name for layer in source.layers
    }
    for layer in source.layers:
        if layer.name not in DEEP:
            for old, new in zip(
                layer.get_weights(),
                target.get_layer(layer.name).get_weights(),
                strict=True,
            ):
                np.testing.assert_array_equal(old, new, err_msg=layer.name)
    assert source.get_config() == before
    assert not {id(w) for w in source.weights} & {id(w) for w in target.weights}


def test_batch_norm_beside_a_dense_layer_keeps_its_statistics():
    source = train(small_dcn(batch_norm=True))
    target = apg(source, "user", **SMALL)
    old, new = (m.get_layer("deep_1").get_layer("norm") for m in (source, target))
    assert np.any(np.array(old.moving_mean) != 0)
    for a, b in zip(old.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_options_of_the_dense_layer_are_kept():
    inputs = {"x": keras.Input((4,), name="x")}
    hidden = keras.layers.Dense(
        6, "tanh", use_bias=False, kernel_regularizer="l2", name="deep_0"
    )(inputs["x"])
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(hidden))
    layer = apg(model, "self", bias=None).get_layer("deep_0")
    assert (layer.units, layer.bias) == (6, "none")
    assert layer.activation is keras.activations.tanh
    assert isinstance(layer.kernel_regularizer, keras.regularizers.L2)
    generated = apg(model, "self", bias="generated").get_layer("deep_0")
    assert generated.bias == "generated"


def test_conditions_are_the_vectors_of_the_named_fields():
    features, _ = batch()
    source = small_dcn()
    target = apg(source, {"deep_0": ["item", "user"], "deep_1": "history"}, rank=2)
    item, user = (
        rows_of(source, f"{f}_embedding", features[f]) for f in ("item", "user")
    )
    np.testing.assert_array_equal(
        condition_of(target, "deep_0", features), np.hstack([item, user])
    )
    history = features["history"]
    rows = rows_of(source, "item_embedding", history) * (history > 0)[..., None]
    mean = rows.sum(1) / np.maximum((history > 0).sum(1), 1)[:, None]
    np.testing.assert_allclose(
        condition_of(target, "deep_1", features), mean, atol=1e-7
    )
    target = apg(source, {"deep_0": "price", "deep_1": "self"}, rank=2)
    np.testing.assert_array_equal(
        condition_of(target, "deep_0", features), features["price"]
    )
    own = adaptive_layers(target)["deep_1"]
    assert [tuple(t.shape) for t in own.input] == [(None, 5), (None, 5)]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_mixed_conditions_train_and_reload(source, aggregation, tmp_path):
    features, _ = batch()
    target = train(apg(source, ["user", "item"], aggregation=aggregation, **SMALL))
    layer = adaptive_layers(target)["deep_0"]
    place, combined = aggregation.split("_")
    assert layer.aggregation == (combined if place == "output" else None)
    assert layer.input[1].shape[1:] == {
        "input_concat": (8,),
        "input_mean": (4,),
        "input_attention": (4,),
    }.get(aggregation, (2, 4))
    target.save(tmp_path / "apg.keras")
    reloaded = keras.saving.load_model(tmp_path / "apg.keras")
    np.testing.assert_array_equal(reloaded(features), target(features))


def test_input_mean_averages_the_inputs():
    features, _ = batch()
    source = small_dcn()
    target = apg(source, ["user", "item"], rank=2, aggregation="input_mean")
    expected = sum(
        rows_of(source, f"{f}_embedding", features[f]) for f in ("user", "item")
    )
    np.testing.assert_allclose(
        condition_of(target, "deep_0", features), expected / 2, atol=1e-7
    )


def test_inputs_with_three_axes_are_flattened_and_layers_on_them_are_refused():
    inputs = {"x": keras.Input((3, 2), name="x")}
    h = keras.layers.Dense(4, name="deep_0")(keras.layers.Flatten()(inputs["x"]))
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(h))
    assert apg(model, "x").get_layer("deep_0").input[1].shape == (None, 6)
    h = keras.layers.Flatten()(keras.layers.Dense(4, name="deep_0")(inputs["x"]))
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(h))
    with pytest.raises(ValueError, match="x of shape .B, M."):
        apg(model, "self")


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4", "v5"])
def test_scores_depend_on_the_group_beyond_its_embedding(version):
    """With the user's own column of the input cut off, only the kernel knows it."""
    inputs = {
        "user": keras.Input((), dtype="int64", name="user"),
        "x": keras.Input((4,), name="x"),
    }
    table = keras.layers.Embedding(3, 2, "normal", name="user_embedding")
    zero = keras.layers.Rescaling(0.0, name="zero")(table(inputs["user"]))
    x = keras.layers.Concatenate(name="embeddings")([zero, inputs["x"]])
    x = keras.layers.Dense(6, "tanh", name="deep_0")(x)
    source = keras.Model(inputs, keras.layers.Dense(1, name="click")(x))
    features = {"user": np.array([0, 1]), "x": np.ones((2, 4))}
    assert np.ptp(source(features)) == 0
    assert np.ptp(apg(source, "user", rank=2, version=version)(features)) > 0


def test_apg_works_on_a_reloaded_model_and_on_an_apg_model(source, tmp_path):
    features, _ = batch()
    source.save(tmp_path / "source.keras")
    reloaded = keras.saving.load_model(tmp_path / "source.keras")
    assert apg(reloaded, "user", rank=2)(features).shape == (16, 1)
    first = apg(reloaded, {"deep_1": "user"}, rank=2)
    second = apg(first, {"deep_0": "item"}, rank=3)
    ranks = {name: layer.rank for name, layer in adaptive_layers(second).items()}
    assert ranks == {"deep_0": 3, "deep_1": 2}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_becomes_adaptive(name):
    schema = click_schema()
    backbone = BACKBONES[name](
        schema, embedding_dim=4, hidden_units=(8, 6), batch_norm=True
    )
    mixed = {"condition": ["user", "history"], "aggregation": "output_mean"}
    model = apg(backbone, **mixed, **SMALL)
    assert set(adaptive_layers(model)) >= set(DEEP)
    assert {layer.name for layer in backbone.layers} <= {
        layer.name for layer in model.layers
    }
    features, _ = next(iter(from_frame(click_frame(), schema)))
    scores = np.array(model(features))
    assert np.all((scores > 0) & (scores < 1))
    np.testing.assert_allclose(collapse(model)(features), scores, atol=1e-5)


def test_rank_can_be_chosen_by_layer():
    target = apg(small_dcn(), "user", rank={"deep_0": 3, "deep_1": 1})
    assert [layer.rank for layer in adaptive_layers(target).values()] == [3, 1]


def test_layers_with_other_names_can_be_chosen_by_name():
    inputs = {"x": keras.Input((4,), name="x")}
    hidden = keras.layers.Dense(6, name="hidden")(inputs["x"])
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(hidden))
    assert adaptive_layers(apg(model, {"hidden": "self"})).keys() == {"hidden"}
    with pytest.raises(ValueError, match="hidden Dense layers .'hidden'."):
        apg(model, "self")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition": "usr"}, "use one of: history, item, price, self, user"),
        ({"condition": {"deep_9": "user"}}, "use one of: deep_0, deep_1"),
        ({"condition": {"logit": "user"}}, "use one of: deep_0, deep_1"),
        ({"condition": "user", "version": "v0"}, "to be one of 'v5', 'v4'"),
        ({"condition": "user", "rank": {"deep_0": 2}}, "a rank for each of"),
        ({"condition": "user", "rank": 6}, "a rank of at most 5"),
        (
            {"condition": "user", "aggregation": "sum"},
            "`aggregation` to be one of 'input_concat'",
        ),
        (
            {"condition": ["user", "price"], "aggregation": "input_mean"},
            "one width .*\n.*'price': 1",
        ),
    ],
    ids=str,
)
def test_bad_arguments_raise_errors_with_a_fix(arguments, message):
    with pytest.raises(ValueError, match=message):
        apg(small_dcn(), **arguments)


# Transfer of an APG model


@pytest.fixture(params=METHODS.values(), ids=METHODS.keys())
def method(request):
    return request.param


ADAPTIVE = {
    "group, batch_norm": (True, {"condition": "user"}),
    "mix": (
        False,
        {"condition": ["user", "item"], "aggregation": "output_attention"},
    ),
    "self": (False, {"condition": "self"}),
}


@pytest.fixture(scope="module", params=ADAPTIVE.values(), ids=ADAPTIVE.keys())
def adaptive_source(request):
    batch_norm, arguments = request.param
    return train(apg(train(small_dcn(batch_norm)), **arguments, **SMALL))


def test_transfer_starts_at_the_source_freezes_its_copy_and_reloads(
    adaptive_source, method, tmp_path
):
    features, _ = batch()
    before = [np.array(w) for w in adaptive_source.weights]
    target = method(adaptive_source)
    expected = adaptive_source(features)
    np.testing.assert_allclose(target(features), expected, rtol=0, atol=1e-6)
    frozen = {
        layer.name: layer.get_weights()
        for layer in target.layers
        if not layer.trainable
    }
    train(target)
    for name, weights in frozen.items():
        for old, new in zip(weights, target.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(old, new, err_msg=name)
    for old, new in zip(before, adaptive_source.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    target.save(tmp_path / "target.keras")
    reloaded = keras.saving.load_model(tmp_path / "target.keras")
    np.testing.assert_array_equal(reloaded(features), target(features))
    assert len(reloaded.trainable_variables) == len(target.trainable_variables)


def test_autoft_routes_each_adaptive_layer_once(adaptive_source):
    target = autoft(adaptive_source)
    assert set(DEEP) <= set(Graph(adaptive_source).depths)
    assert target.get_layer("deep_router").num_decisions == 2
    for site in DEEP:
        frozen, tuned = (target.get_layer(f"{site}{s}") for s in ("_frozen", ""))
        assert not frozen.trainable_variables
        for a, b in zip(frozen.get_weights(), tuned.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


# Collapse and export


@pytest.mark.parametrize("method", [lambda m: m, autoft], ids=["apg", "autoft"])
def test_a_collapsed_model_keeps_its_scores_and_reloads(
    adaptive_source, method, tmp_path
):
    features, _ = batch()
    model = train(method(adaptive_source))
    collapsed = collapse(model)
    assert {layer.version for layer in adaptive_layers(collapsed).values()} == {"v4"}
    np.testing.assert_allclose(collapsed(features), model(features), atol=1e-5)
    assert {layer.version for layer in adaptive_layers(model).values()} == {"v5"}
    collapsed.save(tmp_path / "collapsed.keras")
    reloaded = keras.saving.load_model(tmp_path / "collapsed.keras")
    np.testing.assert_array_equal(reloaded(features), collapsed(features))


def test_an_export_has_no_factors(tmp_path, capsys):
    """With BatchNorm, where each `APGDense` is inside a small model."""
    schema = click_schema()
    backbone = dcn(
        schema,
        embedding_dim=4,
        hidden_units=(8, 6),
        num_cross_layers=1,
        batch_norm=True,
    )
    model = apg(backbone, "user", rank=2, over_parameter=29)
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    frame = click_frame(40)
    model.fit(from_frame(frame, schema), shuffle=False, verbose=0)
    options = {"sample": frame, "fresh_process": False, "optimizer": "keep"}
    version = export(model, schema, tmp_path / "m", **options)

    loaded = tf.saved_model.load(str(version))
    names = {w.name.split(":")[0].split("/")[-1] for w in loaded.weights}
    assert {"v", "u", "s_kernel", "s_bias"} <= names
    assert not names & {"v_left", "v_right", "u_left", "u_right"}
    stored = tf.train.list_variables(str(version / "variables" / "variables"))
    shapes = [shape for name, shape in stored if "OBJECT_GRAPH" not in name]
    assert not [shape for shape in shapes if 29 in shape]

    served, trained = sum(int(np.prod(s)) for s in shapes), model.count_params()
    expected = f"Parameters: {served:,} served, {trained:,} trained."
    assert expected in capsys.readouterr().out
    widths = model.get_layer("embeddings").output.shape[1] + 8 + 8 + 6
    assert trained - served == 29 * (widths + 4 * 2) - 2 * widths

    raw = {n: tf.constant(c) for n, c in schema.raw_columns(frame).items()}
    scores = loaded.signatures["serving_default"](**raw)["click"]
    expected = model.predict(from_frame(frame, schema, labelled=False), verbose=0)
    np.testing.assert_allclose(scores, expected[:, 0], rtol=0, atol=1e-5)

    kept = keras.saving.load_model(version / "assets.extra" / "model.keras")
    assert {layer.version for layer in adaptive_layers(kept).values()} == {"v5"}
    assert kept.optimizer.iterations == model.optimizer.iterations
