"""Weights of rows: from every kind of file to the loss and the metrics."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn import metrics as sk

import tf_ctr
from tf_ctr import data, evaluation
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.metrics import (
    AUC,
    GAUC,
    Calibration,
    LogLoss,
    calibration,
    exact_auc,
    exact_gauc,
    log_loss,
)
from tf_ctr.serving.version import load_schema

ROWS = 60


@pytest.fixture(scope="module")
def frame():
    generator = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "item": generator.choice(["a", "b", "c"], ROWS),
            "price": generator.normal(size=ROWS),
            "user": generator.integers(0, 9, ROWS),
            "click": generator.integers(0, 2, ROWS),
            "w": generator.choice([0.0, 0.5, 1.0, 7.25], ROWS),
        }
    )


@pytest.fixture(scope="module")
def schema(frame):
    fields = [Categorical("item"), Numeric("price")]
    return Schema(fields, group="user", weight="w").fit(frame)


@pytest.fixture(scope="module")
def model(schema):
    keras.utils.set_random_seed(0)
    return tf_ctr.training.compile(
        tf_ctr.backbones.dnn(schema, embedding_dim=2, hidden_units=(4,))
    )


def write_parquet(frame, schema, folder):
    frame.to_parquet(folder / "rows.parquet")
    return data.from_parquet(folder, schema, batch_size=16)


def write_csv(frame, schema, folder):
    frame.to_csv(folder / "rows.csv", index=False)
    return data.from_csv(folder, schema, batch_size=16)


def write_tfrecord(frame, schema, folder):
    data.to_tfrecord(frame, schema, folder / "rows.tfrecord")
    return data.from_tfrecord(folder, schema, batch_size=16)


def keep(frame, schema, folder):
    return data.from_frame(frame, schema, batch_size=16)


LOADERS = [keep, write_parquet, write_csv, write_tfrecord]


@pytest.mark.parametrize("load", LOADERS)
def test_every_loader_gives_the_weight_of_each_row(load, frame, schema, tmp_path):
    dataset = load(frame, schema, tmp_path)
    batches = [[y.numpy(), w.numpy()] for _, y, w in dataset]
    labels, weights = (np.concatenate(x) for x in zip(*batches, strict=True))
    np.testing.assert_array_equal(labels, frame["click"])
    np.testing.assert_array_equal(weights, frame["w"])
    features, *_ = next(iter(dataset))
    assert list(features) == ["item", "price"]


def test_shuffling_keeps_a_weight_with_its_row(frame, schema):
    # Within ten standard deviations, where a number is not cut.
    rows = frame.assign(price=np.arange(ROWS) / 10, w=np.arange(ROWS) + 1.0)
    dataset = data.from_frame(rows, schema, batch_size=16, shuffle=True)
    field = schema.field("price")
    for x, _, w in dataset:
        price = x["price"].numpy()[:, 0] * field.std + field.mean
        np.testing.assert_allclose(10 * price + 1, w.numpy(), rtol=1e-5)


def test_rows_without_label_need_no_weight(frame, schema, model):
    rows = frame.drop(columns=["click", "w"])
    [features] = data.from_frame(rows, schema, labelled=False)
    assert list(features) == ["item", "price"]
    assert len(evaluation.predict(model, rows, schema)) == ROWS


BAD = {
    "negative": (-1.0, "at least 0 in every row"),
    "missing": (np.nan, "at least 0 in every row"),
    "infinite": (np.inf, "at least 0 in every row"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("load", LOADERS[:3])
def test_a_bad_weight_is_refused(load, kind, frame, schema, tmp_path):
    value, message = BAD[kind]
    rows = frame.copy()
    rows.loc[7, "w"] = value
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=message):
        list(load(rows, schema, tmp_path))


def test_a_bad_weight_of_a_record_is_refused(frame, schema, tmp_path):
    plain = Schema([*schema.fields, Numeric("w")]).fit(frame)
    rows = frame.assign(w=np.where(frame.index == 7, -1.0, 1.0))
    data.to_tfrecord(rows, plain, tmp_path / "rows.tfrecord")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"weight .*rows\.tfrecord"
    ):
        list(data.from_tfrecord(tmp_path, schema))


@pytest.mark.parametrize("load", LOADERS[:2])
def test_weights_that_are_all_zero_are_refused(load, frame, schema, tmp_path):
    with pytest.raises(ValueError, match="above 0 in at least one row"):
        load(frame.assign(w=0.0), schema, tmp_path)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("load", LOADERS[2:])
def test_weights_of_a_stream_that_are_all_zero_are_refused_at_its_end(
    load, shuffle, frame, schema, tmp_path
):
    load(frame.assign(w=0.0), schema, tmp_path)
    read = data.from_csv if load is write_csv else data.from_tfrecord
    with pytest.raises(tf.errors.InvalidArgumentError, match="above 0 in at least one"):
        list(read(tmp_path, schema, shuffle=shuffle))


def test_a_continual_run_is_weighted(frame, schema, tmp_path):
    periods = [tf_ctr.continual.Period(day, frame) for day in (1, 2)]
    keras.utils.set_random_seed(0)
    own = tf_ctr.backbones.dnn(schema, embedding_dim=2, hidden_units=(4,))
    tf_ctr.continual.train_source(periods[:1], tmp_path / "run", own, schema)
    report = tf_ctr.continual.train_source(periods, tmp_path / "run", own, schema)
    line = report.frame.set_index("number").loc[2]
    rate = np.average(frame["click"], weights=frame["w"])
    assert line["click_rate"] == pytest.approx(rate, abs=1e-6)


def test_an_export_does_not_take_the_weight(frame, schema, model, tmp_path):
    version = tf_ctr.export.export(
        model, schema, tmp_path / "m", frame, fresh_process=False, verbose=False
    )
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    assert set(served.structured_input_signature[1]) == {"item", "price"}
    assert load_schema(version).weight == "w"


def test_no_metric_is_of_weights_that_are_all_zero(frame, schema, model):
    with pytest.raises(ValueError, match="above 0 in at least one row"):
        evaluation.evaluate(model, frame.assign(w=0.0), schema)


@pytest.mark.parametrize("load", [keep, write_parquet])
def test_a_missing_column_is_named(load, frame, schema, tmp_path):
    with pytest.raises(ValueError, match="a column of weights.\nReceived: 'w'"):
        load(frame.drop(columns="w"), schema, tmp_path)


@pytest.mark.parametrize("weight", ["item", "click"])
def test_a_weight_has_a_column_of_its_own(weight):
    with pytest.raises(ValueError, match="a weight in a column of its own"):
        Schema([Categorical("item")], weight=weight)


def test_arguments_are_names():
    with pytest.raises(TypeError, match="`weight`"):
        Schema([Categorical("item")], weight=2.0)
    with pytest.raises(TypeError, match="one column as `label`"):
        Schema([Categorical("item")], label=["click", "buy"])


def test_a_file_keeps_the_weight_and_one_without_stays_as_it_was(schema, tmp_path):
    schema.save(tmp_path / "weighted.json")
    assert Schema.load(tmp_path / "weighted.json").weight == "w"
    Schema([Categorical("item")]).save(tmp_path / "plain.json")
    assert '"weight"' not in (tmp_path / "plain.json").read_text()
    assert Schema.load(tmp_path / "plain.json").weight is None


def test_grown_schemas_keep_the_weight(frame, schema):
    assert schema.extend(frame).weight == schema.union(schema).weight == "w"


def gauc_by_hand(labels, scores, groups, weights):
    """GAUC as the definition says, a pair of rows at a time."""
    total = parts = 0.0
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        won = pairs = 0.0
        for i in rows[labels[rows] == 1]:
            for j in rows[labels[rows] == 0]:
                pair = weights[i] * weights[j]
                pairs += pair
                won += pair * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
        if pairs:
            parts += weights[rows].sum() * won / pairs
            total += weights[rows].sum()
    return parts / total


def test_exact_metrics_are_those_of_scikit_learn_and_of_definitions(frame):
    labels, weights = frame["click"].to_numpy(), frame["w"].to_numpy()
    scores = np.random.default_rng(0).integers(1, 9, ROWS) / 9
    assert exact_auc(labels, scores, weights) == pytest.approx(
        sk.roc_auc_score(labels, scores, sample_weight=weights), abs=1e-9
    )
    assert log_loss(labels, scores, weights=weights) == pytest.approx(
        sk.log_loss(labels, scores, sample_weight=weights), abs=1e-9
    )
    expected = (weights * scores).sum() / (weights * labels).sum()
    assert calibration(labels, scores, weights) == pytest.approx(expected, abs=1e-9)
    groups = frame["user"].to_numpy()
    found = exact_gauc(labels, scores, groups, weights)
    by_hand = gauc_by_hand(labels, scores, groups, weights)
    assert found.gauc == pytest.approx(by_hand, abs=1e-9)
    assert found.impressions_used + found.impressions_skipped == ROWS


def test_whole_weights_count_as_repeated_rows(frame):
    labels, groups = frame["click"].to_numpy(), frame["user"].to_numpy()
    scores = np.random.default_rng(0).integers(1, 9, ROWS) / 9
    times = np.random.default_rng(1).integers(0, 4, ROWS)
    own = evaluation.score_metrics(labels, scores, groups, times)
    repeated = evaluation.score_metrics(
        *(np.repeat(values, times) for values in (labels, scores, groups))
    )
    for name in ("click_rate", "auc", "log_loss", "calibration", "gauc"):
        assert own[name] == pytest.approx(repeated[name], abs=1e-9), name


def test_a_row_of_weight_0_with_infinite_loss_does_not_count():
    assert log_loss([1, 1], [0.5, 0.0], eps=0, weights=[1, 0]) == np.log(2)


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_streaming_metrics_are_weighted(shape, frame):
    labels, weights = frame["click"].to_numpy(), frame["w"].to_numpy()
    # No two logits share a bin of the streaming metrics, which would make them ties.
    logits = np.random.default_rng(0).permutation(np.linspace(-3, 3, ROWS))
    scores = 1 / (1 + np.exp(-logits))
    expected = evaluation.score_metrics(labels, scores, frame["user"], weights)
    found = {"auc": AUC(), "log_loss": LogLoss(), "calibration": Calibration()}
    for name, metric in found.items():
        metric.update_state(labels, scores.reshape(-1, 1), weights.reshape(shape))
        assert float(metric.result()) == pytest.approx(expected[name], abs=2e-6), name
    gauc = GAUC(9)
    gauc.update_state(labels, scores, frame["user"].to_numpy(), weights)
    assert float(gauc.result()) == pytest.approx(expected["gauc"], abs=2e-6)


def test_evaluate_is_weighted(frame, schema, model):
    scores = evaluation.predict(model, frame, schema)
    found = evaluation.evaluate(model, frame, schema)
    labels, weights = frame["click"].to_numpy(), frame["w"].to_numpy()
    expected = {
        "rows": ROWS,
        "click_rate": np.average(labels, weights=weights),
        "auc": sk.roc_auc_score(labels, scores, sample_weight=weights),
        "log_loss": sk.log_loss(
            labels, scores.astype(np.float64), sample_weight=weights
        ),
        "calibration": weights @ scores / (weights @ labels),
        "gauc": gauc_by_hand(labels, scores, frame["user"].to_numpy(), weights),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    by_domain = tf_ctr.joint.evaluate(model, frame.assign(d=1), schema, "d")
    for name, value in expected.items():
        assert by_domain.loc[1, name] == pytest.approx(value, abs=1e-6), name
    measured = tf_ctr.continual.measuring.measure(model, frame, schema)
    assert measured["auc"] == pytest.approx(expected["auc"], abs=1e-6)
    lost = evaluation.auc_loss(model, model, frame, schema)
    assert lost == 0


def test_training_and_its_metrics_are_weighted(frame, schema, model):
    """A row of weight 2 counts as two rows, in the loss and in every metric."""
    times = np.arange(ROWS) % 3
    weighted = data.from_frame(frame.assign(w=times), schema, batch_size=ROWS)
    repeated = frame.loc[np.repeat(np.arange(ROWS), times)].assign(w=1.0)
    plain = data.from_frame(repeated, schema, batch_size=ROWS)
    found = model.evaluate(weighted, verbose=0, return_dict=True)
    expected = model.evaluate(plain, verbose=0, return_dict=True)
    for name in ("auc", "log_loss"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6), name
    # Keras divides the weighted sum of losses by the number of rows of the batch.
    share = times.sum() / ROWS
    assert found["loss"] == pytest.approx(expected["loss"] * share, abs=1e-6)
    history = model.fit(weighted, verbose=0, validation_data=weighted, shuffle=False)
    assert {"auc", "log_loss", "val_auc", "val_log_loss"} <= set(history.history)


def test_rows_of_weight_0_do_not_train(frame, schema):
    model = tf_ctr.backbones.dnn(schema, embedding_dim=2, hidden_units=(4,))
    tf_ctr.training.compile(model)
    table = model.get_layer("item_embedding").weights[0]
    before = table.numpy()
    rows = frame.assign(w=(frame["item"] == "a").astype(float))
    model.fit(data.from_frame(rows, schema), verbose=0, shuffle=False)
    moved = (table.numpy() != before).any(axis=1)
    [row] = schema.encode({"item": ["a"], "price": [0.0]})["item"].numpy()
    assert moved.tolist() == [index == row for index in range(len(moved))]


def test_mix_keeps_weights_and_multiplies_that_of_the_source(frame, schema):
    source, target = frame[:20].assign(w=3.0), frame[20:30].assign(w=5.0)
    datasets = [data.from_frame(rows, schema) for rows in (source, target)]
    for factor, expected in ((None, 3.0), (0.5, 1.5)):
        mixed = data.mixing.mix(*datasets, batch_size=4, source_weight=factor)
        for _, _, weight in mixed:
            assert weight.numpy()[-2:].tolist() == [expected] * 2
            assert set(weight.numpy()[:-2]) == {5.0}
