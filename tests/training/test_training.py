"""Training: early stopping, temperature, routes in TensorBoard, resuming.

Most models run eagerly: a few small batches take less time than tracing two graphs.
"""

import glob
import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.models import batch, small_dcn
from tf_ctr import training
from tf_ctr.layers import GumbelRouter
from tf_ctr.transfer import autoft, route_shares


def eager(model):
    """Compiles a model for a few small batches."""
    training.compile(model)
    model.run_eagerly = True
    return model


def dataset(rows=48, seed=1):
    return tf.data.Dataset.from_tensor_slices(batch(rows, seed)).batch(16)


def fit(model, epochs, callbacks):
    return model.fit(
        dataset(),
        validation_data=dataset(seed=2),
        epochs=epochs,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def assert_same_weights(model, weights):
    for own, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, other)


def scalars(log_dir):
    """`{tag: values}` of the TensorBoard run in a folder."""
    events = EventAccumulator(str(log_dir))
    events.Reload()
    tensors = {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}
    return {
        tag: [float(tf.make_ndarray(e.tensor_proto)) for e in values]
        for tag, values in tensors.items()
        if not values[0].tensor_proto.string_val
    }


class Kill(keras.callbacks.Callback):
    """Raises in the middle of an epoch, as a killed process stops."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch
        self.started = []

    def on_epoch_begin(self, epoch, logs=None):
        self.started.append(epoch)

    def on_train_batch_end(self, batch, logs=None):
        if self.started[-1] == self.epoch and batch == 1:
            raise InterruptedError


class Scripted(keras.callbacks.Callback):
    """Overwrites the monitored metric, so that a test chooses the best epoch."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_auc"] = self.values[epoch]


def test_compile_equals_the_line_in_its_docstring():
    model = training.compile(small_dcn(), learning_rate=0.25)
    assert float(model.optimizer.learning_rate) == 0.25
    logs = model.evaluate(dataset(), return_dict=True, verbose=0)
    assert set(logs) == {"loss", "auc", "log_loss"}


def test_temperature_falls_exponentially_and_stays():
    annealing = training.TemperatureAnnealing(final_temperature=0.5, epochs=3)
    temperatures = [annealing.at(epoch, start=5.0) for epoch in range(4)]
    np.testing.assert_allclose(temperatures, [5.0, np.sqrt(2.5), 0.5, 0.5])


def test_temperature_reaches_every_router_and_ignores_models_without():
    model = eager(autoft(small_dcn()))
    fit(model, 2, [training.TemperatureAnnealing(0.5, epochs=2)])
    found = [layer for layer in model.layers if isinstance(layer, GumbelRouter)]
    assert len(found) == 3
    assert all(float(router.current_temperature) == 0.5 for router in found)
    fit(eager(small_dcn()), 1, [training.TemperatureAnnealing()])


def test_temperature_reaches_the_routers_of_a_model_within_a_model(tmp_path):
    routed = autoft(small_dcn())
    outer = eager(keras.Model(routed.input, 1.0 - routed(routed.input)))
    logger = training.RouteLogger(dataset(), tmp_path)
    fit(outer, 2, [training.TemperatureAnnealing(0.5, epochs=2), logger])
    found = [layer for layer in routed.layers if isinstance(layer, GumbelRouter)]
    assert {float(router.current_temperature) for router in found} == {0.5}
    assert logger.history.empty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0.0, 3), "final_temperature > 0"), ((0.5, 0), "`epochs` to be a whole number")],
)
def test_an_unreachable_temperature_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        training.TemperatureAnnealing(*arguments)


def test_route_shares_are_the_means_of_the_gates():
    model, features = autoft(small_dcn(), which=["embedding", "deep"]), batch(50)[0]
    bias = model.get_layer("deep_router").weights[-2]
    assert bias.shape == (4,)
    bias.assign([9.0, -9.0, -9.0, 9.0])
    shares = route_shares(model, features)
    assert set(shares.index) == {
        "user_embedding",
        "item_embedding",
        "history_embedding",
        "deep_0",
        "deep_1",
    }
    assert shares["deep_0"] == 1.0
    assert shares["deep_1"] == 0.0
    assert shares.between(0, 1).all()


def test_route_shares_of_a_single_router():
    model = autoft(small_dcn(), which="cross")
    assert set(route_shares(model, batch()[0]).index) == {"cross_0", "cross_1"}


def test_route_shares_of_a_model_without_routes_is_an_error():
    with pytest.raises(ValueError, match="has no Route layer"):
        route_shares(small_dcn(), batch()[0])


def test_tensorboard_has_losses_learning_rate_temperature_and_routes(tmp_path):
    model = training.compile(autoft(small_dcn()))
    fit(model, 2, training.callbacks(tmp_path, validation=dataset(seed=2)))
    assert {"epoch_loss", "epoch_auc", "epoch_log_loss", "epoch_learning_rate"} <= set(
        scalars(tmp_path / "train")
    )
    assert {"epoch_loss", "epoch_auc"} <= set(scalars(tmp_path / "validation"))
    routes = scalars(tmp_path / "routes")
    sites = ["user_embedding", "item_embedding", "history_embedding"]
    sites += ["cross_0", "cross_1", "deep_0", "deep_1"]
    assert set(routes) == {"temperature", *(f"frozen_share/{s}" for s in sites)}
    assert [len(values) for values in routes.values()] == [2] * 8
    np.testing.assert_allclose(routes["temperature"][0], 5.0)


def test_route_logger_keeps_a_history_and_ignores_models_without_routes():
    logger = training.RouteLogger(dataset(seed=2))
    fit(eager(autoft(small_dcn())), 2, [logger])
    assert isinstance(logger.history, pd.DataFrame)
    assert logger.history.shape == (2, 7)
    fit(eager(small_dcn()), 1, [logger])
    assert logger.history.empty


def test_early_stopping_restores_the_best_weights():
    model = eager(small_dcn())
    seen = []
    callbacks = [
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append(model.get_weights())
        ),
        Scripted([0.5, 0.9, 0.8, 0.7, 0.6]),
        training.EarlyStopping(patience=2),
    ]
    fit(model, 5, callbacks)
    assert len(seen) == 4
    assert_same_weights(model, seen[1])


def test_a_metric_that_is_not_defined_cannot_decide():
    # Keras would keep NaN as the best value, and restore the first epoch.
    stopping = training.EarlyStopping(patience=2)
    stopping.set_model(small_dcn())
    stopping.on_train_begin()
    with pytest.raises(ValueError, match="(?s)a number as 'val_auc'.*NaN.*clicks and"):
        stopping.on_epoch_end(0, {"val_auc": float("nan")})


def test_a_killed_run_loses_at_most_the_epoch_it_was_in(tmp_path):
    model = eager(small_dcn())
    first = Kill(epoch=2)
    with pytest.raises(InterruptedError):
        fit(model, 4, [first, *training.callbacks(tmp_path, patience=9)])
    again = Kill(epoch=None)
    resumed = eager(small_dcn(seed=99))
    fit(resumed, 4, [again, *training.callbacks(tmp_path, patience=9)])
    assert first.started == [0, 1, 2]
    assert again.started == [2, 3]
    assert not (tmp_path / "backup").exists()


def test_early_stopping_remembers_the_best_epoch_after_a_kill(tmp_path):
    values = [0.9, 0.5, 0.4, 0.3, 0.2]
    best = []

    def run(model, *extra):
        chosen = training.callbacks(tmp_path, patience=3)
        fit(model, 5, [*extra, Scripted(values), *chosen])

    model = eager(small_dcn())
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: best.append(model.get_weights())
    )
    with pytest.raises(InterruptedError):
        run(model, keep, Kill(epoch=1))
    state = json.loads((tmp_path / "early_stopping" / "state.json").read_text())
    known = {"seen_epoch": 0, "wait": 0, "best": 0.9, "best_epoch": 0}
    assert known.items() <= state.items()
    resumed = eager(small_dcn(seed=99))
    run(resumed)
    assert_same_weights(resumed, best[0])
    assert glob.glob(str(tmp_path / "early_stopping" / "*")) == []


def test_a_run_killed_after_its_last_epoch_stops_at_once(tmp_path):
    class KillAfterBackup(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def run(model, values, *last):
        chosen = training.callbacks(tmp_path, patience=2)
        history = fit(model, 6, [Scripted(values), *chosen, *last])
        return history.epoch

    with pytest.raises(InterruptedError):
        run(eager(small_dcn()), [0.9, 0.5, 0.4], KillAfterBackup())
    best = np.load(tmp_path / "early_stopping/best_000000.npz")
    best = [best[name] for name in best.files]
    resumed = eager(small_dcn(seed=99))
    assert run(resumed, []) == []
    assert_same_weights(resumed, best)


def test_an_unknown_monitor_is_an_error_after_one_epoch():
    model = eager(small_dcn())
    with pytest.raises(ValueError, match="'val_acu'.\nFix: use one of: auc, .*val_auc"):
        fit(model, 3, training.callbacks(monitor="val_acu"))


def test_route_shares_are_exact_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = autoft(small_dcn(), which="deep")
    finally:
        keras.config.set_dtype_policy("float32")
    model.get_layer("deep_router").weights[-2].assign([9.0, -9.0, -9.0, 9.0])
    shares = route_shares(model, batch(5000)[0])
    assert shares.to_dict() == {"deep_0": 1.0, "deep_1": 0.0}


def test_an_epoch_that_runs_twice_counts_once(tmp_path):
    stopping = training.EarlyStopping(tmp_path, patience=2)
    stopping.set_model(eager(small_dcn()))
    stopping.on_train_begin()
    for epoch in (0, 1, 1, 1):
        stopping.on_epoch_end(epoch, {"val_auc": 0.5 - epoch / 10})
    assert stopping.wait == 1
