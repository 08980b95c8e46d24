"""The callback that logs exact metrics, and what early stopping makes of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support import two_labels
from tf_ctr import data, evaluation, metrics, training
from tf_ctr.backbones import dnn
from tf_ctr.training import EarlyStopping, Evaluation


@pytest.fixture(scope="module")
def frame():
    return two_labels.rows()


@pytest.fixture(scope="module")
def schema():
    return two_labels.schema().for_label("click")


@pytest.fixture(scope="module")
def fitted(frame, schema, tmp_path_factory):
    """A run of two epochs of two steps, its callback and its history."""
    folder = tmp_path_factory.mktemp("run")
    tf.keras.utils.set_random_seed(0)
    model = training.compile(dnn(schema, 2, (3,)))
    callback = Evaluation(frame, schema, by="tab", every_steps=1, log_dir=folder)
    stopping = EarlyStopping(monitor="val_gauc", patience=9)
    history = model.fit(
        data.from_frame(frame, schema, batch_size=30),
        epochs=2,
        callbacks=[callback, stopping],
        shuffle=False,
        verbose=0,
    )
    return model, callback, stopping, history.history, folder


def test_the_logs_have_exact_metrics_by_group_and_by_slice(fitted, frame, schema):
    model, callback, stopping, logs, _ = fitted
    assert stopping.best == max(logs["val_gauc"])
    # Early stopping has restored the best weights, so measure them again.
    now = {}
    callback.on_epoch_end(0, now)
    expected = evaluation.evaluate(model, frame, schema)
    own = evaluation.evaluate(model, frame[frame["tab"] == 1], schema)
    for name in ("auc", "gauc", "log_loss", "calibration"):
        assert now[f"val_{name}"] == expected[name]
        assert now[f"val_tab_1_{name}"] == pytest.approx(own[name])
    scores = evaluation.predict(model, frame, schema)
    for name in ("normalized_entropy", "calibration_error"):
        value = getattr(metrics, name)(frame["click"], scores)
        assert now[f"val_{name}"] == value
    assert len(logs["val_tab_0_gauc"]) == 2
    assert not any("rows" in name or "groups" in name for name in logs)


def test_steps_are_in_the_history_and_in_tensorboard(fitted):
    _, callback, _, logs, folder = fitted
    # Two epochs, of two steps each; then another measurement by the test above.
    lines = callback.history.iloc[:6]
    assert lines["step"].tolist() == [1, 2, 2, 3, 4, 4]
    assert lines["epoch"].tolist() == [0, 0, 0, 1, 1, 1]
    assert lines["gauc"].iloc[5] == logs["val_gauc"][1]
    events = EventAccumulator(str(folder / "evaluation"))
    events.Reload()
    values = [
        tf.make_ndarray(each.tensor_proto).item()
        for each in events.Tensors("evaluation/gauc")
    ]
    np.testing.assert_allclose(values, lines["gauc"].iloc[[0, 1, 3, 4]], rtol=1e-6)


def test_a_resumed_run_goes_on_with_the_steps_of_the_run(frame, schema, tmp_path):
    def run(*further):
        callback = Evaluation(frame, schema, every_steps=2)
        model = training.compile(dnn(schema, 2, (3,)))
        model.run_eagerly = True
        model.fit(
            data.from_frame(frame, schema, batch_size=15),
            epochs=2,
            callbacks=[
                callback,
                *training.callbacks(tmp_path / "run", every_steps=3),
                *further,
            ],
            shuffle=False,
            verbose=0,
        )
        return callback.history

    def kill(batch, logs):
        seen.append(batch)
        if len(seen) == 8:
            raise InterruptedError

    seen = []
    with pytest.raises(InterruptedError):
        run(keras.callbacks.LambdaCallback(on_train_batch_end=kill))
    # The last backup was after step 6, in the middle of the second epoch: the batches
    # 5 and 6 are drawn again, but not measured again.
    lines = run()
    assert lines["step"].tolist() == [8, 8]
    assert lines["epoch"].tolist() == [1, 1]


def test_several_labels_are_logged_by_name(frame):
    schema = two_labels.schema()
    callback = Evaluation(frame, schema)
    model = two_labels.build("esmm", schema)
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(0, logs)
    expected = evaluation.evaluate(model, frame, schema)
    assert logs["val_buy_gauc"] == expected["buy_gauc"]
    assert np.isfinite(logs["val_click_normalized_entropy"])


def test_a_missing_value_is_a_slice_and_many_values_are_refused(fitted, frame, schema):
    model = fitted[0]
    callback = Evaluation(frame.assign(tab=[np.nan, 1.0] * 30), schema, by="tab")
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(0, logs)
    assert "val_tab_missing_auc" in logs
    callback = Evaluation(two_labels.rows(150).assign(n=range(150)), schema, by="n")
    callback.set_model(model)
    with pytest.raises(ValueError, match="at most 100 values"):
        callback.on_epoch_end(0, {})


def test_rows_that_can_be_read_once_and_wrong_steps_are_refused(frame, schema):
    with pytest.raises(TypeError, match="can be read after every epoch"):
        Evaluation(iter([frame]), schema)
    with pytest.raises(ValueError, match="`every_steps` to be a whole number"):
        Evaluation(frame, schema, every_steps=0)


def test_gauc_in_compile_names_the_callback(fitted, frame, schema):
    model = dnn(schema, 2, (3,))
    model.compile("sgd", "binary_crossentropy", metrics=[metrics.GAUC(9)])
    with pytest.raises(ValueError, match=r"callback tf_ctr\.training\.Evaluation"):
        model.fit(data.from_frame(frame, schema), shuffle=False, verbose=0)
