"""The loaders behind a `tf.data` service in another process, of two workers."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr import data
from tf_ctr.features import Categorical, Numeric, Schema

ROWS = 60
FRAME = pd.DataFrame(
    {
        "item": [f"i{row % 7}" for row in range(ROWS)],
        "row": np.arange(ROWS) / 4,
        "click": np.arange(ROWS) % 2,
    }
)
SERVICE = """
import sys
from tensorflow.data.experimental import service
dispatcher = service.DispatchServer()
address = dispatcher.target.split("://")[1]
workers = [service.WorkerServer(service.WorkerConfig(address)) for _ in range(2)]
print(dispatcher.target, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def schema():
    return Schema([Categorical("item"), Numeric("row")]).fit(FRAME)


@pytest.fixture(scope="module")
def target():
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process.stdout.readline().strip()
        process.kill()  # Its servers would take seconds to end.


def test_loaders_without_python_work_in_another_process(schema, target, tmp_path):
    data.to_cache(FRAME, schema, tmp_path / "cache")
    data.to_tfrecord(FRAME, schema, tmp_path / "a.tfrecord")
    FRAME.to_parquet(tmp_path / "a.parquet")
    service = tf.data.experimental.service.distribute("parallel_epochs", target)
    for dataset in (
        data.from_frame(FRAME, schema, 16, shuffle=True),
        data.from_cache(tmp_path / "cache", schema, 16, shuffle=True),
        data.from_tfrecord(tmp_path / "a.tfrecord", schema, 16, shuffle=True),
    ):
        found = [batch[0]["row"].numpy()[:, 0] for batch in dataset.apply(service)]
        # Each worker reads everything.
        rows, counts = np.unique(np.concatenate(found), return_counts=True)
        assert len(rows) == ROWS
        assert set(counts) == {2}
    parquet = data.from_parquet(tmp_path / "a.parquet", schema, 16)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"another process(?s:.)*to_cache\("
    ):
        list(parquet.apply(service))
    assert len(list(parquet)) == 4
