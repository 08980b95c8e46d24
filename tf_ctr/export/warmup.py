"""Requests that TF Serving runs when it loads a version, before it serves it."""

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.export.requests import (
    click_of,
    request,
    signature_inputs,
    signature_names,
)
from tf_ctr.serving import protos

FILE = "tf_serving_warmup_requests"
MOST_RECORDS = 1000
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


def verify_warmup(path, loaded) -> int:
    """Reads the requests back and runs each, as the server will.

    A request that fails there fails the load of the version.

    Args:
        path: The file.
        loaded: The SavedModel, by `tf.saved_model.load`.

    Returns:
        The number of requests.

    Raises:
        RuntimeError: If a request fails or gives no probability, or there is none,
            or more than the server takes.
    """
    prediction_log = protos.load("apis.prediction_log_pb2").PredictionLog
    number = 0
    for number, record in enumerate(tf.data.TFRecordDataset(str(path)), 1):
        log = prediction_log.FromString(record.numpy())
        message = getattr(log, log.WhichOneof("log_type")).request
        try:
            click = click_of(_run(message, loaded))
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise RuntimeError(_refused(number, str(error))) from error
        if not (len(click) and np.all((click >= 0) & (click <= 1))):
            raise RuntimeError(_refused(number, f"scores {click}"))
    if not 0 < number <= MOST_RECORDS:
        raise RuntimeError(_refused(number, f"{number} requests in all"))
    return number


def _run(message, loaded):
    signature = loaded.signatures[message.model_spec.signature_name]
    if hasattr(message, "inputs"):
        inputs = {key: tf.make_ndarray(value) for key, value in message.inputs.items()}
    else:
        examples = message.input.example_list.examples
        inputs = {"inputs": np.array([e.SerializeToString() for e in examples], object)}
    return signature(**{key: tf.constant(value) for key, value in inputs.items()})


def _refused(number, received):
    return explain(
        f"1 to {MOST_RECORDS} warm-up requests, each with click probabilities",
        f"request {number}: {received}",
        "pass sample= rows that the model scores, and few batch_sizes",
    )
