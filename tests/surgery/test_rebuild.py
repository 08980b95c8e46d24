"""Rebuilding a model with new layers, and copying weights by exact names."""

import keras
import numpy as np
import pytest

from tests.support.models import small_dcn
from tf_ctr.surgery import copy_layer, copy_weights, inputs_like, rebuild


def test_inputs_like_merges_the_inputs_of_models_and_finds_conflicts():
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


def test_rebuild_leaves_a_compiled_source_unchanged_and_does_not_compile():
    source = small_dcn(batch_norm=True)
    source.compile("sgd", "binary_crossentropy")
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


def test_copy_weights_refuses_other_names_and_other_shapes():
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


def test_skipping_an_unknown_layer_lists_the_layers():
    model = small_dcn()
    for name in ("logits", "logi*"):
        with pytest.raises(ValueError, match="\nFix: use one of: .*logit"):
            copy_weights(model, small_dcn(), skip=(name,))
