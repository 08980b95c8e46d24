"""What version 0.1 (c5d1398) wrote still loads, with the same scores.

`support/written_by_0_1` holds a `.keras` file of AutoFT on DCN, and the run directory
of two periods of CTNet, each with the scores that 0.1 gave.
"""

import dataclasses
import pathlib
import shutil

import keras
import numpy as np

from tests.support.continual_world import (
    TRAINING,
    fitted,
    frame,
    network,
    periods,
)
from tests.support.frames import click_frame
from tf_ctr import Schema
from tf_ctr.continual import run
from tf_ctr.continual.store import Store
from tf_ctr.evaluation import predict
from tf_ctr.transfer import ctnet

WRITTEN = pathlib.Path(__file__).parent / "support" / "written_by_0_1"


def test_a_model_gives_the_same_scores():
    model = keras.saving.load_model(WRITTEN / "autoft.keras")
    schema = Schema.load(WRITTEN / "schema.json")
    scores = predict(model, click_frame(), schema)
    # Equal to the bit on the machine that wrote it; another CPU may round differently.
    np.testing.assert_array_max_ulp(scores, np.load(WRITTEN / "scores.npy"), maxulp=4)


def test_a_run_resumes_with_the_same_scores(tmp_path):
    directory = shutil.copytree(WRITTEN / "run", tmp_path / "run")
    last = Store(directory).load({"number": 1})
    scores = predict(last.model, frame(seed=99), last.schema)
    expected = np.load(WRITTEN / "run_scores.npy")
    np.testing.assert_array_max_ulp(scores, expected, maxulp=4)
    report = run(
        periods(0, 1, 2),
        directory,
        target=network(fitted()),
        source=network(fitted(), 1),
        schema=fitted(),
        method=ctnet,
        training=dataclasses.replace(TRAINING, batch_size=8),
    )
    assert list(report.frame["number"]) == [1, 2]
    assert Store(directory).numbers() == [0, 1, 2]
