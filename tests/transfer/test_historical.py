"""Historical embeddings in any backbone: added, filled, merged, kept by A-CTR."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.frames import click_frame, click_schema
from tf_ctr.backbones import BACKBONES, dnn
from tf_ctr.continual import Training
from tf_ctr.continual.periods import Period
from tf_ctr.export import export
from tf_ctr.inference import merge_historical
from tf_ctr.layers.snapshots.snapshot_aggregation import MODES
from tf_ctr.optimizers import SparseAdam
from tf_ctr.surgery import grow
from tf_ctr.training import measure_batch_norm
from tf_ctr.transfer import a_ctr, add_historical, autoft, ctnet, fill_historical
from tf_ctr.transfer.historical import historical_tables

SCHEMA = click_schema()
FIELDS = ("user", "item")
SIZES = {
    "din": {"attention_units": (3,)},
    "taobao": {"attention_units": 8},
}
BATCH = {
    name: ids.numpy()
    for name, ids in SCHEMA.encode(SCHEMA.raw_columns(click_frame(20))).items()
}


def small(name, width=2, dim=2, **arguments):
    """A backbone with historical embeddings, filled, and random weights."""
    keras.utils.set_random_seed(0)
    backbone = BACKBONES[name]
    sizes = {"embedding_dim": dim, "hidden_units": (3,), **SIZES.get(name, {})}
    build = functools.partial(backbone, **sizes)
    model = add_historical(build, SCHEMA, FIELDS, width, **arguments)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(scale=0.3, size=weight.shape))
    fill_historical(model, snapshots(model, rng))
    return model


def snapshots(model, rng):
    found = {}
    for field, table in historical_tables(model).items():
        known = rng.random((table.input_dim, len(table.dates))) < 0.7
        values = rng.normal(size=(*known.shape, table.output_dim))
        found[field] = tuple(range(len(table.dates))), values.astype("float32"), known
    return found


def scores(model, batch=BATCH):
    return np.array(model(batch))


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_accepts_historical_embeddings_and_scores_the_same_merged(name):
    model = small(name)
    assert set(model.input) == {field.name for field in SCHEMA.fields}
    merged = merge_historical(model)
    np.testing.assert_allclose(scores(merged), scores(model), atol=1e-6, rtol=0)
    assert not historical_tables(merged)
    for table in historical_tables(model).values():
        before = scores(model)
        table.snapshots.assign(table.snapshots * 0)
        assert abs(scores(model) - before).max() > 1e-6


@pytest.mark.parametrize("aggregation", MODES)
@pytest.mark.parametrize("width", [2, 3])
def test_every_aggregation_merges_at_any_width(aggregation, width):
    model = small("deepfm", width, aggregation=aggregation, time_embedding=True)
    merged = merge_historical(model)
    np.testing.assert_allclose(scores(merged), scores(model), atol=1e-6, rtol=0)
    table = merged.get_layer("user_historical_aggregation_table")
    assert not table.trainable
    joined = width * (3 if aggregation == "concatenation" else 1)
    assert table.embeddings.shape == (SCHEMA.field("user").table_size, joined)
    projected = {layer.name for layer in model.layers} & {"user_historical_embedding"}
    assert bool(projected) == (joined != 2)


def test_merging_a_model_without_historical_embeddings_changes_nothing():
    model = dnn(SCHEMA, 2, (3,))
    assert merge_historical(model) is model


def test_training_moves_the_aggregation_but_not_the_snapshots():
    model = small("dnn")
    table = model.get_layer("user_historical_snapshots")
    joined = model.get_layer("user_historical_aggregation")
    before = table.get_weights()[0], joined.get_weights()[0]
    model.compile(SparseAdam(0.01), "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(BATCH, np.arange(20) % 2)
    np.testing.assert_array_equal(table.get_weights()[0], before[0])
    assert np.any(joined.get_weights()[0] != before[1])


def test_a_reloaded_model_has_its_dates_and_merges(tmp_path):
    model = small("dnn")
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(scores(reloaded), scores(model))
    assert historical_tables(reloaded)["item"].dates == (0, 1, 2)
    merged = merge_historical(reloaded)
    np.testing.assert_allclose(scores(merged), scores(model), atol=1e-6, rtol=0)


def test_a_grown_model_keeps_the_rows_of_its_ids_and_new_ones_have_none():
    model = small("dnn")
    model.compile(SparseAdam(0.01), "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(BATCH, np.arange(20) % 2)
    # A vocabulary is by frequency: more rows put the ids in another order.
    frame = click_frame(40, seed=3).assign(user="new")
    wider = SCHEMA.extend(frame)
    grown = grow(model, SCHEMA, wider)
    old, new = (
        np.array(each.get_layer("user_historical_snapshots").snapshots)
        for each in (model, grown)
    )
    np.testing.assert_array_equal(new[:-1], old)
    # Row 1, of unseen ids, is filled at random here; a store leaves it empty.
    np.testing.assert_array_equal(new[-1], old[1])


def test_other_transfer_methods_take_such_a_model():
    model = small("dnn")
    for method in (autoft, functools.partial(ctnet, target=model)):
        np.testing.assert_allclose(scores(method(model)), scores(model), atol=1e-6)


def test_a_model_with_two_towers_is_refused():
    model = small("dnn")
    with pytest.raises(ValueError, match="(?s)one table.*_source.*before the transfer"):
        fill_historical(ctnet(model, target=model), {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("device",), "(?s)the field 'device'.*users and items"),
        (("tags",), "one id per example"),
        (("history",), "one id per example"),
        (("price",), "one id per example"),
        (("usr",), "use one of: age, device"),
    ],
)
def test_other_fields_have_no_historical_embeddings(fields, message):
    with pytest.raises(ValueError, match=message):
        add_historical(dnn, SCHEMA, fields)


def test_a_backbone_that_looks_nothing_up_is_refused():
    def build(schema):
        return dnn(SCHEMA, 2, (3,))

    with pytest.raises(ValueError, match="functions? of tf_ctr.backbones"):
        add_historical(build, SCHEMA, FIELDS)


def test_a_field_without_tables_to_fill_is_refused():
    with pytest.raises(ValueError, match=r"(?s)fields \['item', 'user'\].*\['item'\]"):
        model = small("dnn")
        fill_historical(model, {"user": None})


# A-CTR


def normed():
    keras.utils.set_random_seed(1)
    build = functools.partial(dnn, embedding_dim=2, hidden_units=(3,), batch_norm=True)
    model = add_historical(build, SCHEMA, FIELDS, 2)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(0.5 + rng.random(weight.shape))
    return model


FRESH = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}


@pytest.mark.parametrize(
    ("batch_norm", "fresh"),
    [
        ("reset", set(FRESH)),
        ("reset_statistics", {"moving_mean", "moving_variance"}),
        ("keep", set()),
    ],
)
def test_a_ctr_copies_every_parameter_except_those_of_batch_norm(batch_norm, fresh):
    source = normed()
    model = a_ctr(source, batch_norm)
    for old, new in zip(source.weights, model.weights, strict=True):
        if new.name in fresh:
            np.testing.assert_array_equal(new, np.full(new.shape, FRESH[new.name]))
        else:
            np.testing.assert_array_equal(new, old)
    assert model.get_layer("deep_0").trainable
    assert not model.get_layer("user_historical_aggregation").trainable
    assert source.get_layer("user_historical_aggregation").trainable


def test_unknown_start_of_batch_norm_is_refused():
    with pytest.raises(ValueError, match="`batch_norm` to be one of 'reset'"):
        a_ctr(normed(), "zeros")


def test_measured_statistics_match_the_rows():
    model = a_ctr(normed())
    dense, norm, *_ = model.get_layer("deep_0").layers
    hidden = keras.Model(model.input, model.get_layer("deep_0").input)
    x = np.array(dense(hidden(BATCH)))
    batches = [
        ({name: ids[part] for name, ids in BATCH.items()},)
        for part in (slice(16), slice(16, 20))
    ]
    momentum, weights = norm.momentum, model.get_layer("logit").get_weights()
    measure_batch_norm(model, batches)
    np.testing.assert_allclose(norm.moving_mean, x.mean(axis=0), rtol=1e-4)
    variance = 0.8 * x[:16].var(axis=0) + 0.2 * x[16:].var(axis=0)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-4)
    assert norm.momentum == momentum
    np.testing.assert_array_equal(model.get_layer("logit").get_weights()[0], weights[0])


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_statistics_are_measured_in_their_own_precision(dtype):
    inputs = {"x": keras.Input((1,), name="x")}
    norm = keras.layers.BatchNormalization(name="norm", dtype=dtype)
    model = keras.Model(inputs, norm(inputs["x"]))
    measure_batch_norm(model, [{"x": np.array([[1.0], [3.0]], "float32")}])
    assert norm.moving_mean.numpy() == 2 and norm.moving_variance.numpy() == 1


def test_frozen_statistics_stay():
    model = normed()
    norm = model.get_layer("deep_0").layers[1]
    model.get_layer("deep_0").trainable = False
    before = np.array(norm.moving_mean)
    measure_batch_norm(model, [(BATCH,)])
    np.testing.assert_array_equal(norm.moving_mean, before)


def test_training_measures_the_statistics_at_its_end():
    def compile(model):
        model.compile(SparseAdam(1e-6), "binary_crossentropy", run_eagerly=True)

    training = Training(compile, 20, measure_batch_norm=True, verbose=0)
    model = a_ctr(normed())
    compile(model)
    training.fit(model, SCHEMA, [Period(0, click_frame(20))], seed=0)
    found = np.array(model.get_layer("deep_0").layers[1].moving_mean)
    measure_batch_norm(model, [(BATCH,)])
    again = np.array(model.get_layer("deep_0").layers[1].moving_mean)
    np.testing.assert_allclose(found, again, rtol=1e-4)
    known = Training(compile).settings()
    assert "measure_batch_norm" not in known
    assert training.settings()["measure_batch_norm"] is True


# Export


def test_the_export_serves_it_merged_and_keeps_the_trained_model(tmp_path):
    model = small("dnn")
    version = export(
        model,
        SCHEMA,
        tmp_path / "a_ctr",
        sample=click_frame(20),
        fresh_process=False,
        batch_sizes=None,
        verbose=False,
    )
    variables = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    shapes = list(variables.get_variable_to_shape_map().values())
    rows = SCHEMA.field("user").table_size
    assert [rows, 2] in shapes and [rows, 3, 3] not in shapes
    kept = keras.saving.load_model(version / "assets.extra" / "model.keras")
    assert set(historical_tables(kept)) == set(FIELDS)
