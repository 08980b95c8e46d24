"""What transfer methods declare is true, and whoever calls them goes by it."""

import functools

import keras
import numpy as np
import pytest

from tests.support.models import batch, small_dcn
from tf_ctr import inference, transfer
from tf_ctr.transfer import METHODS, Method, apply, autoft, ctnet, fine_tune, l2_sp

POLICY = {"entropy_weight": 0.5}


@pytest.fixture(scope="module")
def source():
    return small_dcn(seed=1)


def added_loss(model):
    """What a model that left its start adds to the loss it was compiled with."""
    features, labels = batch()
    model.compile("sgd", "binary_crossentropy")
    for weight in model.trainable_variables:
        weight.assign_add(keras.ops.full(weight.shape, 0.1))
    features = {name: keras.ops.convert_to_tensor(x) for name, x in features.items()}
    scores = model(features, training=True)
    loss = model.compute_loss(features, labels[:, None], scores, training=True)
    plain = keras.losses.binary_crossentropy(labels[:, None], scores)
    return float(loss) - float(keras.ops.mean(plain))


@pytest.mark.parametrize("name", METHODS)
def test_only_declared_losses_are_added(name, source):
    method = METHODS[name]
    options = {"router": POLICY} if "seed" in Method.of(method).takes else {}
    added = added_loss(method(source, **options))
    if Method.of(method).losses:
        assert abs(added) > 1e-4
    else:
        assert added == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_declared_suffixes_name_the_frozen_copies_of_the_source(name, source):
    declared, model = Method.of(METHODS[name]), METHODS[name](source)
    frozen = {
        layer.name for layer in model.layers if layer.weights and not layer.trainable
    }
    assert bool(frozen) == bool(declared.frozen)
    for layer in frozen:
        (suffix,) = [each for each in declared.frozen if layer.endswith(each)]
        pairs = zip(
            model.get_layer(layer).get_weights(),
            source.get_layer(layer.removesuffix(suffix)).get_weights(),
            strict=True,
        )
        assert all(np.array_equal(*pair) for pair in pairs)


def test_methods_lists_those_that_start_with_the_scores_of_any_source():
    assert set(METHODS) == {
        "autoft",
        "ctnet",
        "fine_tune",
        "l2_sp",
        "progressive_nn",
        "ptu",
        "spottune",
    }


def test_a_method_gets_only_the_arguments_that_it_accepts(source):
    offered = {"target": small_dcn(seed=2), "seed": 7}
    features, _ = batch()
    model = apply(ctnet, source, offered, rank=2)
    np.testing.assert_allclose(model(features), offered["target"](features), atol=1e-6)
    routers = [
        apply(method, source, offered).get_layer("deep_router").seed
        for method in (autoft, functools.partial(autoft, which="deep"))
    ]
    assert routers[0] is not None
    assert (
        routers[0] == routers[1] == autoft(source, seed=7).get_layer("deep_router").seed
    )
    assert isinstance(apply(l2_sp, source, offered), keras.Model)


def test_apply_keeps_the_arguments_that_a_partial_has_bound(source):
    method = functools.partial(autoft, which="deep", seed=3)
    router = apply(method, source, {"seed": 7}).get_layer("deep_router")
    assert router.seed == autoft(source, seed=3).get_layer("deep_router").seed


def test_a_function_of_the_user_is_called_with_source_and_target(source):
    def average(one, other, share=0.5):
        model = fine_tune(one)
        mine, theirs = (each.get_layer("logit") for each in (model, other))
        pairs = zip(mine.get_weights(), theirs.get_weights(), strict=True)
        mine.set_weights([a + share * (b - a) for a, b in pairs])
        return model

    other = small_dcn(seed=2)
    model = apply(average, source, {"target": other, "seed": 1}, share=1.0)
    logits = [each.get_layer("logit").get_weights()[0] for each in (model, other)]
    np.testing.assert_allclose(*logits, atol=1e-6)
    assert Method.of(average).title == "average"
    assert Method.of(average).frozen == ("_source", "_frozen")
    declared = Method("Average", takes=("target",))(average)
    assert Method.of(functools.partial(declared, share=0.1)).title == "Average"


@pytest.mark.parametrize(
    "name",
    ["collapse", "fix_routes", "group_by_route", "merge_historical", "static_route"],
)
def test_names_that_moved_to_inference_still_work_and_say_so(name):
    with pytest.warns(DeprecationWarning, match=f"now tf_ctr.inference.{name}"):
        moved = getattr(transfer, name)
    assert moved is getattr(inference, name)
    assert name not in dir(transfer)


def test_an_unknown_name_raises_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'autotf'"):
        _ = transfer.autotf


def test_a_model_has_the_names_of_its_backbone_and_method():
    source = small_dcn()
    model = transfer.fine_tune(source)
    assert (source.name, model.name) == ("small_dcn", "small_dcn_fine_tune")
    assert transfer.fine_tune(source=model).name == "small_dcn_fine_tune"
    assert transfer.autoft(model).name == "small_dcn_fine_tune_autoft"
