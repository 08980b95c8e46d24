"""A grown model: rows for new ids, and nothing else changes."""

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support.table_models import (
    data,
    model_of,
    table,
    trained,
)
from tf_ctr.features import Categorical, Schema, Sequence
from tf_ctr.layers import Embedding
from tf_ctr.optimizers import SparseAdam
from tf_ctr.surgery import grow
from tf_ctr.transfer import autoft, l2_sp


@pytest.fixture
def grown_schema():
    frame = pd.DataFrame({"item": list("abd"), "history": [[], ["a"], ["b"]]})
    learned = Schema(
        [Categorical("item"), Sequence("history", of="item", max_length=2)]
    )
    old = learned.fit(pd.DataFrame({"item": list("aab"), "history": [[], [], []]}))
    return old, old.extend(frame)


def test_growing_changes_no_score_and_no_known_row(grown_schema):
    old, new = grown_schema
    model = trained(old)
    grown = grow(model, old, new)
    report = grown.weight_report
    assert report.resized == ("item_embedding", "item_linear")
    np.testing.assert_array_equal(table(grown)[:4], table(model))
    np.testing.assert_array_equal(table(grown)[4], table(model)[1])
    # "d" was unseen, and is known now.
    before = model(data(old, "abdza")[0])
    np.testing.assert_array_equal(grown(data(new, "abdza")[0]), before)


def test_growing_without_new_ids_does_not_disturb_training(grown_schema):
    """Slots, step count, dropout noise: the same to the bit."""
    old, _ = grown_schema
    model = trained(old, dropout=0.5)
    twin = grow(model, old, old.extend(pd.DataFrame({"item": ["a"], "history": [[]]})))
    for each in (model, twin):
        each.train_on_batch(*data(old, "abab", seed=1))
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_new_ids_are_trained_and_absent_ones_stay(grown_schema):
    old, new = grown_schema
    model = trained(old)
    before, was = table(model), table(model)[1]
    grown = grow(model, old, new)
    grown.train_on_batch(*data(new, "dd"))
    assert (table(grown)[4] != was).any()
    np.testing.assert_array_equal(table(grown)[1:4], before[1:])
    np.testing.assert_array_equal(table(model), before)


def test_growing_keeps_frozen_layers_and_multipliers(grown_schema, tmp_path):
    old, new = grown_schema
    model = autoft(trained(old))
    model.compile(SparseAdam(0.1), "bce", metrics=["auc"], run_eagerly=True)
    model.train_on_batch(*data(old))
    model.save(tmp_path / "model.keras")
    grown = grow(keras.saving.load_model(tmp_path / "model.keras"), old, new)
    frozen = [
        layer.name
        for layer in grown.layers
        if layer.weights and not layer.trainable_weights
    ]
    assert frozen == [
        layer.name
        for layer in model.layers
        if layer.name.endswith("_frozen") and layer.weights
    ]
    router = grown.get_layer("embedding_router")
    assert router.trainable_weights[0].learning_rate_multiplier == 10
    np.testing.assert_array_equal(grown(data(new)[0]), model(data(old)[0]))
    assert float(grown.optimizer.learning_rate) == pytest.approx(0.1)
    grown.train_on_batch(*data(new, "dab"))


def test_a_pruned_model_drops_rows_and_slots_with_their_ids():
    """The others move up with theirs, and are trained on as before."""
    schema = Schema([Categorical("item"), Sequence("history", of="item", max_length=2)])
    frame = pd.DataFrame({"item": list("aaabbc"), "history": [[]] * 6})
    memory = schema.collect(frame).merge(schema.collect(frame[3:], period=1))
    old = schema.fit(memory)
    assert old.field("item").vocabulary == ("b", "a", "c")
    model = trained(old)
    pruned = old.prune(memory, idle_periods=1)
    assert pruned.field("item").vocabulary == ("b", "c")
    grown = grow(model, old, pruned)
    kept = [0, 1, 2, 4]
    np.testing.assert_array_equal(table(grown), table(model)[kept])
    olds, news = (
        {slot.path.partition("/")[2]: slot.numpy() for slot in each.optimizer.variables}
        for each in (model, grown)
    )
    of_table = [path for path in olds if "item_embedding" in path]
    assert of_table and any(olds[path].any() for path in of_table)
    for path in of_table:
        np.testing.assert_array_equal(news[path], olds[path][kept])
    lines = {each.layer: each for each in grown.weight_report.layers}
    assert lines["item_embedding"].rows_dropped == 1
    assert lines["item_embedding"].reason == "shrunk, reordered"
    np.testing.assert_array_equal(
        grown(data(pruned, "bcbcz")[0]), model(data(old, "bcbcz")[0])
    )
    for each, own in ((model, old), (grown, pruned)):
        each.train_on_batch(*data(own, "bcb"))
    np.testing.assert_array_equal(table(grown), table(model)[kept])


def test_an_uncompiled_model_grows_with_initialized_rows(grown_schema):
    old, new = grown_schema
    grown = grow(model_of(old), old, new, new_rows="initial")
    assert not grown.compiled
    assert (table(grown)[4] != table(grown)[1]).all()


def test_growing_refuses_schemas_of_other_fields(grown_schema):
    old, new = grown_schema
    model = model_of(old)
    longer = Schema([old.field("item"), Sequence("history", of="item", max_length=9)])
    with pytest.raises(ValueError, match=r"in the fields \['history'\]"):
        grow(model, old, longer)
    with pytest.raises(ValueError, match="each model's own schema"):
        grow(model, new, old)


def test_a_table_of_any_name_grows(grown_schema):
    old, new = grown_schema
    inputs = old.inputs()
    table = Embedding(old.field("item").table_size, 2, "normal", name="rows[0]")
    inputs = {"item": inputs["item"]}
    model = keras.Model(inputs, table(inputs["item"]))
    grown = grow(model, old, new)
    assert grown.get_layer("rows[0]").input_dim == new.field("item").table_size


def test_growing_refuses_weights_outside_of_layers(grown_schema):
    old, new = grown_schema
    with pytest.raises(ValueError, match="weights that belong to no layer"):
        grow(l2_sp(model_of(old)), old, new)
