"""The contract of every transfer method, on sources with and without BatchNorm."""

import types

import keras
import numpy as np
import pytest

from tests.support.models import batch, small_dcn, weights_by_layer
from tf_ctr.transfer import METHODS, Method


def train(model, steps=3):
    """As a graph; the matrix over backbones in tests/backbones trains eagerly."""
    features, labels = batch()
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    for _ in range(steps):
        model.train_on_batch(features, labels)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "batch_norm"])
def source(request):
    model = small_dcn(batch_norm=request.param)
    train(model)  # Moves the BatchNorm statistics away from their start.
    return model


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return METHODS[request.param]


@pytest.fixture(scope="module")
def case(source, method):
    """A model before and after training, and its source before either."""
    features, _ = batch()
    case = types.SimpleNamespace(
        source=source,
        source_before=weights_by_layer(source),
        flags=[layer.trainable for layer in source.layers],
        frozen=Method.of(method).frozen,
        model=method(source),
    )
    case.first_scores = np.array(case.model(features))
    case.before = weights_by_layer(case.model)
    train(case.model)
    return case


def test_scores_before_training_are_those_of_the_source(case):
    features, _ = batch()
    np.testing.assert_allclose(
        case.first_scores, case.source(features), rtol=0, atol=1e-6
    )


def test_source_is_untouched_by_method_and_training(case):
    assert [layer.trainable for layer in case.source.layers] == case.flags
    for name, weights in weights_by_layer(case.source).items():
        for old, new in zip(case.source_before[name], weights, strict=True):
            np.testing.assert_array_equal(old, new, err_msg=name)


def test_frozen_layers_stay_and_tuned_layers_move(case):
    for name, weights in weights_by_layer(case.model).items():
        pairs = zip(case.before[name], weights, strict=True)
        moved = any(not np.array_equal(a, b) for a, b in pairs)
        assert moved != name.endswith(case.frozen), name


def test_a_saved_model_keeps_its_scores_and_frozen_layers(case, tmp_path):
    features, labels = batch()
    case.model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reloaded(features), case.model(features))
    names = [
        [v.path.split("/")[-2:] for v in m.trainable_variables]
        for m in (case.model, reloaded)
    ]
    assert names[0] == names[1]
    before = weights_by_layer(reloaded)
    reloaded.compile("sgd", "binary_crossentropy", run_eagerly=True)
    reloaded.train_on_batch(features, labels)
    for name, weights in weights_by_layer(reloaded).items():
        if name.endswith(case.frozen):
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
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(features, np.array([0.0, 1.0]))


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


def test_an_input_whose_name_is_not_its_key_is_refused(method):
    tensor = keras.Input((2,), name="features")
    with pytest.warns(UserWarning, match="must match the names"):
        model = keras.Model({"x": tensor}, keras.layers.Dense(1)(tensor))
    with pytest.raises(ValueError, match="name of every Input to be its key"):
        method(model)


def test_layer_fitted_by_adapt_is_refused(method):
    inputs = {"price": keras.Input((1,), name="price")}
    normalization = keras.layers.Normalization(name="normalization")
    normalization.adapt(np.array([[1.0], [3.0]]))
    x = keras.layers.Dense(2, name="deep_0")(normalization(inputs["price"]))
    model = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    with pytest.raises(ValueError, match="'normalization', whose adapted state"):
        method(model)
