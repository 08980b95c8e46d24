"""One training run: chosen on validation, kept, and not trained again."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

import tf_ctr
from pipelines.datasets.domains import Splits
from pipelines.runs import Settings, train, train_best

SETTINGS = Settings(
    embedding_dim=2,
    hidden_units=(4,),
    num_cross_layers=1,
    batch_size=20,
    epochs=3,
    patience=3,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(0.01,),
)


@pytest.fixture
def splits():
    """Item "a" is clicked, item "b" is not; a few are mixed up."""
    frame = pd.DataFrame({"item": ["a", "b"] * 100, "click": [1, 0] * 100})
    frame.loc[:9, "click"] = 1 - frame.loc[:9, "click"]
    return Splits(frame, frame, frame)


@pytest.fixture
def schema(splits):
    return tf_ctr.Schema([tf_ctr.Categorical("item")]).fit(splits.train)


@pytest.fixture
def build(schema):
    """A table of click logits that starts on the wrong side."""

    def build():
        ids = schema.inputs()["item"]
        start = keras.initializers.Constant([[0.0], [0.0], [-0.1], [0.1]])
        logit = tf_ctr.layers.Embedding(4, 1, start, name="item_embedding")(ids)
        click = keras.layers.Activation("sigmoid", name="click")(logit)
        return keras.Model({"item": ids}, click)

    return build


def test_learning_rate_is_chosen_on_validation(build, splits, schema, tmp_path):
    model, record = train_best(
        build, splits, schema, SETTINGS, (1e-6, 0.5), 0, tmp_path, verbose=0
    )
    assert record["learning_rate"] == 0.5
    assert record["validation_auc"] == pytest.approx(0.95)
    logits = model.get_layer("item_embedding").get_weights()[0].ravel()
    assert logits[2] > logits[3]


def test_finished_run_is_taken_and_other_settings_train_again(
    build, splits, schema, tmp_path, capsys
):
    run = (splits, schema)
    first, record = train(build, *run, SETTINGS, 0.1, 0, tmp_path, verbose=0)
    assert "finished before" not in capsys.readouterr().out
    again, same = train(build, *run, SETTINGS, 0.1, 0, tmp_path, verbose=0)
    assert "finished before" in capsys.readouterr().out
    assert same == record
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    longer = dataclasses.replace(SETTINGS, epochs=4)
    _, other = train(build, *run, longer, 0.1, 0, tmp_path, verbose=0)
    assert "finished before" not in capsys.readouterr().out
    assert other["epochs"] == 4
