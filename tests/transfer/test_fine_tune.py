"""Fine-tuning a part, frozen layers and learning rates by layer name."""

import keras
import numpy as np
import pytest

from tests.support.models import batch, small_dcn, weights_by_layer
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.layers import Embedding
from tf_ctr.optimizers import SparseAdagrad, SparseAdam
from tf_ctr.transfer import (
    autoft,
    fine_tune,
    freeze_layers,
    set_learning_rate_multipliers,
    summary,
)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def unmoved(before, model):
    """Names of the layers whose weights are as they were."""
    return {
        name for name, new in weights_by_layer(model).items() if same(before[name], new)
    }


def step(model, optimizer=None):
    if optimizer is not None:
        model.compile(optimizer, "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(*batch())
    return model


@pytest.fixture(scope="module")
def source():
    return step(small_dcn(batch_norm=True), SparseAdam(0.1))


ALL = {
    "user_embedding",
    "item_embedding",
    "cross_0",
    "cross_1",
    "deep_0",
    "deep_1",
    "logit",
}


@pytest.mark.parametrize(
    ("which", "copied"),
    [
        ("all", ALL),
        ("embeddings", {"user_embedding", "item_embedding"}),
        (["user"], {"user_embedding"}),
        (["history"], {"item_embedding"}),
    ],
)
def test_which_chooses_the_layers_that_start_from_the_source(source, which, copied):
    model = fine_tune(source, which=which)
    report = model.weight_report
    assert unmoved(weights_by_layer(source), model) == copied
    assert set(report.copied) == copied
    assert set(report.skipped) == ALL - copied
    assert not step(model, SparseAdam(0.1)).get_layer("deep_0").get_weights() == []
    assert not unmoved(weights_by_layer(fine_tune(source)), model)


def test_wrong_parts_and_fields_list_the_valid_ones(source):
    with pytest.raises(ValueError, match="use one of: all, embeddings"):
        fine_tune(source, which="tables")
    with pytest.raises(ValueError, match="'price'.\nFix: use one of: history, item"):
        fine_tune(source, which=["price"])
    with pytest.raises(ValueError, match="an embedding table to start from"):
        fine_tune(source, which=[])


# Frozen layers


def test_a_name_with_pattern_characters_is_matched_literally():
    inputs = {name: keras.Input((), dtype="int64", name=name) for name in ("a[0]", "b")}
    rows = [
        Embedding(5, 2, "normal", name=f"{name}_embedding")(ids)
        for name, ids in inputs.items()
    ]
    x = keras.layers.Concatenate(name="embeddings")(rows)
    source = keras.Model(inputs, keras.layers.Dense(1, name="logit")(x))
    report = fine_tune(source, which=["b"]).weight_report
    assert set(report.skipped) == {"a[0]_embedding", "logit"}
    report = fine_tune(source, which=["a[0]"]).weight_report
    assert report.copied == ("a[0]_embedding",)


def test_frozen_layers_stay_and_their_batch_norm_runs_in_inference_mode(source):
    features, _ = batch()
    model = fine_tune(source, freeze=["*_embedding", "deep_0"])
    depth = model.get_layer("deep_0")
    x = np.random.default_rng(0).normal(size=(8, 13)).astype("float32")
    np.testing.assert_array_equal(depth(x, training=True), depth(x))
    before = weights_by_layer(model)
    step(model, SparseAdam(0.1))
    frozen = {"user_embedding", "item_embedding", "deep_0"}
    assert unmoved(before, model) == frozen
    assert {layer.name for layer in source.layers if not layer.trainable} == set()


def test_a_part_of_a_depth_can_be_frozen(source):
    model = fine_tune(source, freeze=["deep_*/norm"])
    before = weights_by_layer(model)["deep_0"]
    step(model, SparseAdam(0.1))
    after = weights_by_layer(model)["deep_0"]
    assert not np.array_equal(before[0], after[0])
    assert same(before[2:], after[2:])


def test_frozen_layers_stay_frozen_after_reloading(source, tmp_path):
    model = fine_tune(source, freeze=["cross_*", "deep_0", "deep_1/norm"])
    step(model, SparseAdam(0.1)).save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert summary(reloaded)["state"].to_dict() == summary(model)["state"].to_dict()
    before = weights_by_layer(reloaded)
    step(reloaded)
    assert unmoved(before, reloaded) == {"cross_0", "cross_1", "deep_0"}
    assert same(before["deep_1"][2:], weights_by_layer(reloaded)["deep_1"][2:])


def test_patterns_that_match_nothing_or_everything_are_errors(source):
    with pytest.raises(ValueError, match="'depe.'.\nFix: use one of: cross_0"):
        fine_tune(source, freeze=["depe*"])
    with pytest.raises(ValueError, match="a layer left to train"):
        fine_tune(source, freeze=["*"])
    with pytest.raises(ValueError, match="'logit/bias'.\nFix: use one of"):
        freeze_layers(small_dcn(), ["logit/bias"])
    with pytest.raises(ValueError, match="'lgit'.\nFix: use one of: .*logit"):
        fine_tune(source, learning_rate_multipliers={"lgit": 0.1})
    with pytest.raises(ValueError, match="multiplier for 'logit'.\nReceived: 0"):
        fine_tune(source, learning_rate_multipliers={"logit": 0})


# Learning rates


def moves(model, optimizer=None):
    """How far each layer's first weight goes in one step."""
    before = weights_by_layer(model)
    step(model, optimizer)
    return {
        name: np.abs(new[0] - before[name][0]).max()
        for name, new in weights_by_layer(model).items()
    }


@pytest.mark.parametrize("make", [SparseAdam, SparseAdagrad])
def test_multipliers_scale_the_steps_of_the_named_layers(source, make):
    """The first step of both optimizers is proportional to the learning rate."""
    plain = moves(fine_tune(source), make(0.1))
    multipliers = {"*_embedding": 0.5, "deep_*": 0.1, "deep_1": 2.0}
    slow = moves(fine_tune(source, learning_rate_multipliers=multipliers), make(0.1))
    expected = {
        "user_embedding": 0.5,
        "item_embedding": 0.5,
        "deep_0": 0.1,
        "deep_1": 2.0,
    }
    for name in ALL:
        ratio = slow[name] / plain[name]
        np.testing.assert_allclose(ratio, expected.get(name, 1.0), rtol=1e-3)


@pytest.mark.parametrize("make", [SparseAdam, SparseAdagrad])
def test_multipliers_survive_saving_and_resuming_to_the_bit(source, make, tmp_path):
    """In a `Sequential` too, whose name a reloaded variable's path does not have."""
    model = fine_tune(source, learning_rate_multipliers={"deep_0": 0.1, "logit": 3.0})
    step(model, make(0.1)).save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    column = "learning_rate_multiplier"
    assert summary(reloaded)[column].to_dict() == summary(model)[column].to_dict()
    reloaded.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    for each in (model, reloaded, again):
        step(each)
    for each in (reloaded, again):
        assert unmoved(weights_by_layer(model), each) == ALL


def test_patterns_override_the_layer_and_survive_saving(tmp_path):
    model = autoft(small_dcn())
    set_learning_rate_multipliers(model, {"deep_router": 0.7})
    step(model, SparseAdam(0.1)).save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    lines = summary(reloaded)["learning_rate_multiplier"]
    assert lines["deep_router"] == 0.7
    assert lines["cross_router"] == 10


def test_an_optimizer_without_multipliers_saves_none(source):
    assert source.optimizer.get_config()["learning_rate_multipliers"] is None


def test_the_multipliers_of_another_model_are_ignored_with_a_warning(source):
    model = fine_tune(source, learning_rate_multipliers={"logit": 0.1})
    step(model, SparseAdam(0.1))
    copy = SparseAdam.from_config(model.optimizer.get_config())
    assert copy.get_config() == model.optimizer.get_config()
    other = small_dcn()
    with pytest.warns(UserWarning, match="All are ignored"):
        step(other, copy)
    assert set(summary(other)["learning_rate_multiplier"]) == {1.0}


def test_a_model_with_a_layer_frozen_after_compiling_still_loads(source, tmp_path):
    multipliers = {"deep_0": 0.1, "logit": 3.0}
    model = step(fine_tune(source, learning_rate_multipliers=multipliers), SparseAdam())
    model.get_layer("deep_0").trainable = False
    model.save(tmp_path / "model.keras")
    # Keras's own: the optimizer has slots for fewer variables now.
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        reloaded = keras.saving.load_model(tmp_path / "model.keras")
    factors = summary(reloaded)["learning_rate_multiplier"]
    assert factors["logit"] == 3.0
    assert reloaded.get_layer("cross_0").weights[0].learning_rate_multiplier == 1.0


# Another schema


def schema(items, *more):
    fields = [Categorical("item", vocabulary=items), *more]
    return Schema([*fields, Numeric("price", mean=0.0, std=1.0)])


def model_of(schema):
    inputs = schema.inputs()
    rows = [
        Embedding(field.table_size, 2, "normal", name=f"{field.name}_embedding")(
            inputs[field.name]
        )
        for field in schema.fields
        if field.table
    ]
    x = keras.layers.Concatenate(name="embeddings")([*rows, inputs["price"]])
    x = keras.layers.Dense(3, "relu", name="deep_0")(x)
    x = keras.layers.Dense(3, "relu", name="deep_1")(x)
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid", name="click")(x))


def test_the_target_can_have_another_field_and_vocabulary():
    """Parameters by name and id; the layers behind the new field start untrained."""
    old = schema(["a", "b"])
    new = schema(["b", "c"], Categorical("shop", vocabulary=["s"]))
    source, target = model_of(old), model_of(new)
    start = weights_by_layer(target)
    model = fine_tune(
        source,
        target=target,
        source_schema=old,
        target_schema=new,
        freeze=["deep_1"],
    )
    table = weights_by_layer(model)["item_embedding"][0]
    np.testing.assert_array_equal(
        table[[0, 1, 2]], weights_by_layer(source)["item_embedding"][0][[0, 1, 3]]
    )
    np.testing.assert_array_equal(table[3], start["item_embedding"][0][3])
    assert same(weights_by_layer(model)["deep_1"], weights_by_layer(source)["deep_1"])
    assert unmoved(start, model) == {"shop_embedding", "deep_0"}
    assert unmoved(start, target) == set(start)  # It is copied, not changed.
    lines = summary(model)
    assert lines["state"].to_dict() == {
        "item_embedding": "tuned",
        "shop_embedding": "new",
        "deep_0": "new",
        "deep_1": "frozen",
        "click": "tuned",
    }
    assert lines.loc["item_embedding", ["start", "rows_new"]].tolist() == ["resized", 1]


def test_summary_counts_agree_with_hand_computed_numbers(source):
    model = fine_tune(source, which="embeddings", freeze=["deep_0/norm"])
    lines = summary(model)
    # Tables of 7 and 11 rows of 4; x0 of 4 + 4 + 4 + 1; two depths of 5.
    expected = {
        "user_embedding": (28, 28, "tuned"),
        "item_embedding": (44, 44, "tuned"),
        "cross_0": (26, 26, "new"),
        "deep_0/dense": (70, 70, "new"),
        "deep_0/norm": (20, 0, "frozen"),
        "deep_1/dense": (30, 30, "new"),
        "deep_1/norm": (20, 10, "new"),
        "logit": (19, 19, "new"),
    }
    columns = ["parameters", "trained", "state"]
    for layer, line in expected.items():
        assert tuple(lines.loc[layer, columns]) == line, layer
