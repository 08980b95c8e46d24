"""A training that is no longer finite ends, says where, and saves nothing of it."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support.continual_world import TRAINING, fitted, frame, network, periods
from tf_ctr import Categorical, Numeric, Schema, training
from tf_ctr.backbones import dnn
from tf_ctr.continual import run
from tf_ctr.continual.store import Store
from tf_ctr.data import from_frame
from tf_ctr.training import DivergedError, EarlyStopping, StopIfNotFinite

ROWS = frame(rows=48)


def fit(model, *callbacks, epochs=3, rows=ROWS, schema=None):
    batches = from_frame(rows, schema or fitted(), 24)
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    options = {"epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(batches, validation_data=batches, callbacks=[*callbacks], **options)


def breaks(model, layer, epoch):
    """Makes a weight NaN at the first batch of an epoch."""

    def spoil(number, logs=None):
        if number == epoch:
            weight = model.get_layer(layer).weights[0]
            weight.assign(weight * float("nan"))

    return keras.callbacks.LambdaCallback(on_epoch_begin=spoil)


def test_the_first_batch_with_a_loss_of_nan_ends_it_and_the_best_weights_return():
    model, best = network(fitted()), EarlyStopping(monitor="val_loss", mode="min")
    known = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: known.append(model.get_weights())
    )
    with pytest.raises(DivergedError) as error:
        fit(model, breaks(model, "logit", 1), StopIfNotFinite(best), best, keep)
    text = str(error.value)
    assert "a finite loss at batch 1 of epoch 2" in text
    assert "a loss of nan; NaN or infinite weights in ['" in text and "'logit'" in text
    assert text.endswith("the model has the weights of epoch 1.")
    assert len(known) == 1
    for one, two in zip(model.get_weights(), known[0], strict=True):
        np.testing.assert_array_equal(one, two)


def test_weights_that_no_loss_shows_are_found_after_the_epoch():
    """A row of a table that no row of the data looks up."""
    model = network(fitted(items=(5, 6, 7, 99)))
    layer = model.get_layer("item_embedding")

    def spoil(*_):
        table = layer.get_weights()[0]
        table[-1] = np.inf
        layer.set_weights([table])

    rows = frame(items=(5, 6))
    with pytest.raises(
        DivergedError, match="(?s)finite weights after epoch 1.*'item_e"
    ):
        fit(
            model,
            keras.callbacks.LambdaCallback(on_train_end=None, on_epoch_end=spoil),
            StopIfNotFinite(),
            rows=rows,
            schema=fitted(items=(5, 6, 7, 99)),
        )


def test_the_rows_that_are_not_finite_are_named():
    fields = [Categorical("item"), Numeric("price", clip=None)]
    rows = ROWS.assign(price=np.arange(48.0))
    schema = Schema(fields).fit(rows)
    rows.loc[[30, 40], "price"] = 3e38
    model = dnn(schema, embedding_dim=2, hidden_units=(3,))
    with pytest.raises(DivergedError, match="2 rows from 30 to 40 whose 'price'"):
        fit(
            model,
            breaks(model, "logit", 0),
            StopIfNotFinite(schema=schema, data=rows),
            rows=rows,
            schema=schema,
        )


def test_the_usual_callbacks_stop_and_a_run_goes_on_from_its_last_epoch(tmp_path):
    def start(*others):
        model = network(fitted())
        chosen = training.callbacks(tmp_path, monitor="val_loss", mode="min")
        fit(model, *chosen, *(each(model) for each in others))

    with pytest.raises(DivergedError, match="batch 1 of epoch 2"):
        start(lambda model: breaks(model, "logit", 1))
    assert not (tmp_path / "finished").exists()
    start()
    assert (tmp_path / "finished").exists()


def test_a_period_that_diverges_is_not_saved(tmp_path):
    def hot(model):
        model.compile(
            keras.optimizers.SGD(1e38), "binary_crossentropy", run_eagerly=True
        )

    def start(compile, *numbers):
        run(
            periods(*numbers),
            tmp_path,
            target=network(fitted()),
            schema=fitted(),
            method="target_only",
            training=dataclasses.replace(TRAINING, compile=compile, epochs=2),
        )

    with pytest.raises(DivergedError, match="what was saved before is whole"):
        start(hot, 0)
    assert Store(tmp_path).numbers() == []
    assert not [each for each in tmp_path.iterdir() if "partial" in each.name]


def test_labels_other_than_zero_and_one_are_refused_before_any_training(tmp_path):
    rows = pd.concat([ROWS, ROWS.head(1).assign(click=2)])
    with pytest.raises(ValueError, match="click"):
        fit(network(fitted()), rows=rows)
