"""The loaders in a function that is being traced, as strategies of TensorFlow do."""

import logging

import pandas as pd
import pytest
import tensorflow as tf

from tf_ctr import data
from tf_ctr.features import Categorical, Schema

FRAME = pd.DataFrame({"item": ["a", "b", "a"] * 10, "click": [0, 1, 1] * 10})


@pytest.mark.parametrize("source", ["frame", "parquet", "csv", "tfrecord"])
def test_a_loader_works_in_a_traced_function(source, tmp_path, caplog):
    schema = Schema([Categorical("item")]).fit(FRAME)
    path = tmp_path / f"a.{source}"
    if source == "tfrecord":
        data.to_tfrecord(FRAME, schema, path)
    elif source != "frame":
        getattr(FRAME, f"to_{source}")(path)
    rows = FRAME if source == "frame" else path

    @tf.function
    def clicks():
        batches = getattr(data, f"from_{source}")(rows, schema, 8, shuffle=True)
        return batches.reduce(0.0, lambda total, batch: total + sum_of(batch[1]))

    def sum_of(labels):
        return tf.reduce_sum(labels)

    with caplog.at_level(logging.WARNING):
        assert float(clicks()) == FRAME["click"].sum()
    assert "AutoGraph" not in caplog.text
