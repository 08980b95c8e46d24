"""Requests that TF Serving runs when it loads a version, before it serves it."""

import numpy as np
import tensorflow as tf

from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.requests import request, signature_inputs, signature_names

FILE = "tf_serving_warmup_requests"
KINDS = {
    "PredictRequest": "predict_log",
    "ClassificationRequest": "classify_log",
    "RegressionRequest": "regress_log",
}


def write_warmup(path, columns, schema, item_fields, batch_sizes, model_name):
    """Writes one request per signature and batch size, of real rows.

    Rows are used again where there are fewer than a batch has.

    Args:
        path: The file to write, `assets.extra/tf_serving_warmup_requests`.
        columns: `{field: array [N, ...]}`, raw, strings as bytes.
        schema: The fitted `tf_ctr.Schema`.
        item_fields: The items' fields.
        batch_sizes: The allowed batch sizes.
        model_name: The name of the model on the server.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    prediction_log = protos.load("apis.prediction_log_pb2").PredictionLog
    num_rows = len(next(iter(columns.values())))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in batch_sizes:
            rows = np.arange(size) % num_rows
            batch = {name: column[rows] for name, column in columns.items()}
            for name in signature_names(schema, item_fields):
                inputs = signature_inputs(name, batch, schema, item_fields)
                message = request(name, inputs, model_name)
                log = prediction_log()
                kind = KINDS[type(message).__name__]
                getattr(log, kind).request.CopyFrom(message)
                writer.write(log.SerializeToString())
