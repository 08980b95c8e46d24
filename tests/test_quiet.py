"""What goes to stderr: nothing by the import, no warning of TensorFlow by CTNet."""

import os
import platform
import re
import subprocess
import sys

import pytest

# In a process of its own, because TensorFlow reads the level of its log once. What
# TensorFlow and Keras print on their own account comes before the first mark.
SCRIPT = """
import sys
import tempfile

import keras
import numpy as np

def mark():
    print("MARK", file=sys.stderr, flush=True)

inputs = keras.Input((2,))
model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
model.compile("adam", "mse")
model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
mark()
import tf_ctr
mark()
from tests.support.frames import click_frame, small_schema
from tf_ctr.data import from_frame
from tf_ctr.serving.loaders.session import SessionLoader

frame, schema = click_frame(), small_schema()
data = from_frame(frame, schema, batch_size=32)
source = tf_ctr.backbones.dnn(schema, embedding_dim=2, hidden_units=(4, 4))
model = tf_ctr.transfer.ctnet(source)
tf_ctr.training.compile(model)
model.fit(data, verbose=0, shuffle=False)
model.evaluate(data, verbose=0)
model.predict(data, verbose=0)
mark()
with tempfile.TemporaryDirectory() as folder:
    version = tf_ctr.export.export(
        model, schema, f"{folder}/m", frame, fresh_process=False, batch_sizes=(1,)
    )
    with SessionLoader(version) as loaded:
        loaded("serving_default", schema.raw_columns(frame))
mark()
for name in ("dcn", "deepfm", "dlrm", "finalmlp", "fibinet", "pnn", "wide_deep"):
    source = tf_ctr.backbones.BACKBONES[name](
        schema, embedding_dim=2, hidden_units=(4,)
    )
    tf_ctr.transfer.ctnet(source).predict(data, verbose=0)
mark()
terms = [keras.layers.Dense(3)(inputs), keras.layers.Dense(3)(inputs)]
hidden = keras.layers.ReLU()(keras.layers.Add()(terms))
keras.Model(inputs, hidden).predict(np.ones((4, 2)), verbose=0)
"""
# A line of TensorFlow's log: a warning or an error, from a file.
COMPLAINT = re.compile(r"^[WE]\d{4} .*\.cc:\d+\] .*", re.MULTILINE)


@pytest.fixture(scope="module")
def printed():
    """What was printed to stderr, from mark to mark."""
    # oneDNN, of which the fusion is a part, is on by itself only on newer processors.
    settings = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_ENABLE_ONEDNN_OPTS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.split("MARK\n")


def test_the_import_prints_nothing(printed):
    assert printed[1] == ""


@pytest.mark.parametrize("stage", [2, 3, 4], ids=["training", "serving", "backbones"])
def test_ctnet_makes_tensorflow_complain_of_nothing(printed, stage):
    assert COMPLAINT.findall(printed[stage]) == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN's fusion is for x86")
def test_a_sum_by_add_would_make_it_complain(printed):
    """Else the tests above would pass without a reason; see `tf_ctr.layers.Sum`."""
    assert any("OpKernel" in line for line in COMPLAINT.findall(printed[5]))
