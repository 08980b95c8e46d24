"""One sample request per signature, for REST and for gRPC."""

import base64
import json
import math

import numpy as np
import tensorflow as tf
from google.protobuf import text_format

from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.protos import request
from tf_ctr.serving.wire.signatures import (
    CANDIDATES,
    DEFAULT,
    EXAMPLES,
    STRING_IDS,
    signature_inputs,
    signature_names,
)

NUM_ROWS = 3

FILE = "tf_serving_warmup_requests"

KINDS = {
    "PredictRequest": "predict_log",
    "ClassificationRequest": "classify_log",
    "RegressionRequest": "regress_log",
}


def write_samples(directory, columns, schema, item_fields, model_name, protos=True):
    """Writes `{signature}*.json` bodies for REST and `{signature}.pbtxt` for gRPC.

    Args:
        directory: A new directory.
        columns: `{field: array [N, ...]}`, raw, strings as bytes; three rows are
            taken.
        schema: The fitted `tf_ctr.Schema`.
        item_fields: The items' fields.
        model_name: The name of the model on the server.
        protos: Whether to write those for gRPC, which need `tensorflow-serving-api`.
    """
    directory.mkdir()
    columns = {name: column[:NUM_ROWS] for name, column in columns.items()}
    for name in signature_names(schema, item_fields):
        inputs = signature_inputs(name, columns, schema, item_fields)
        for kind, body in _bodies(name, inputs, columns, schema).items():
            path = directory / f"{name}{kind}.json"
            path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n")
        if protos:
            text = text_format.MessageToString(request(name, inputs, model_name))
            (directory / f"{name}.pbtxt").write_text(text)


def _bodies(name, inputs, columns, schema):
    """Returns `{end of the file name: JSON body}`."""
    chosen = {} if name == DEFAULT else {"signature_name": name}
    if name == EXAMPLES:
        encoded = [base64.b64encode(each).decode() for each in inputs["examples"]]
        return {"": {**chosen, "inputs": {"examples": [{"b64": e} for e in encoded]}}}
    if name not in (DEFAULT, STRING_IDS, CANDIDATES):
        return {"": {**chosen, "examples": _json_examples(columns, schema)}}
    values = {key: _json_values(array) for key, array in inputs.items()}
    rows = [
        dict(zip(values, row, strict=True))
        for row in zip(*values.values(), strict=True)
    ]
    return {
        "_row": {**chosen, "instances": rows},
        "_column": {**chosen, "inputs": values},
    }


def _json_values(array):
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype == np.float32:  # The shortest number that reads back the same.
        array = array.astype(str).astype("float64")
    return array.tolist()


def _json_examples(columns, schema):
    """Rows as `:classify` and `:regress` take them, without what is missing."""
    values = {name: _json_values(array) for name, array in columns.items()}
    return [
        {
            field.name: value
            for field in schema.fields
            if (value := _present(values[field.name][row], field)) not in (None, [])
        }
        for row in range(len(next(iter(values.values()))))
    ]


def _present(value, field):
    if field.multivalent:
        return [each for each in value if each != field.padding]
    if field.dtype == "float32":
        return None if math.isnan(value) else value
    return None if value == field.padding else value


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
