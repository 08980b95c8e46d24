"""Requests beside a version: one sample per signature, and those of the warm-up."""

import base64
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format

from tf_ctr.data.examples import to_examples
from tf_ctr.export.served import Served
from tf_ctr.features import Schema
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.json import json_example, json_values
from tf_ctr.serving.wire.protos import request
from tf_ctr.serving.wire.signatures import (
    CLASSIFY,
    DEFAULT,
    EXAMPLES,
    REGRESS,
    signature_inputs,
    signature_names,
)

NUM_ROWS = 3

# The name under which TF Serving looks for them.
FILE = "tf_serving_warmup_requests"

# The field of a `PredictionLog` for each kind of request.
LOGS = {
    "PredictRequest": "predict_log",
    "ClassificationRequest": "classify_log",
    "RegressionRequest": "regress_log",
}


def write_samples(
    directory: pathlib.Path, served: Served, model_name: str, messages: bool = True
) -> None:
    """Writes `{signature}*.json` bodies for REST and `{signature}.pbtxt` for gRPC.

    Args:
        directory: A new directory.
        served: What is served; three of its rows are taken.
        model_name: The name of the model on the server.
        messages: Whether to write those for gRPC, which need the package
            `tensorflow-serving-api`.
    """
    directory.mkdir()
    schema, items = served.schema, served.item_fields
    columns = {name: values[:NUM_ROWS] for name, values in served.columns.items()}
    for name in signature_names(schema, items):
        inputs = signature_inputs(name, columns, schema, items)
        for ending, body in _bodies(name, inputs, columns, schema).items():
            text = json.dumps(body, ensure_ascii=False, indent=1) + "\n"
            (directory / f"{name}{ending}.json").write_text(text, encoding="utf-8")
        if messages:
            text = text_format.MessageToString(request(name, inputs, model_name))
            (directory / f"{name}.pbtxt").write_text(text, encoding="utf-8")


def write_warmup(
    path: pathlib.Path, served: Served, batch_sizes: Sequence[int], model_name: str
) -> None:
    """Writes one request per signature and batch size, of real rows.

    Rows are repeated where a batch needs more than there are.

    Args:
        path: The file to write, `assets.extra/tf_serving_warmup_requests`.
        served: What is served, and its rows.
        batch_sizes: The allowed batch sizes.
        model_name: The name of the model on the server.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    schema, items = served.schema, served.item_fields
    prediction_log = protos.load("apis.prediction_log_pb2").PredictionLog
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in batch_sizes:
            rows = np.arange(size) % len(served.rows)
            columns = {name: values[rows] for name, values in served.columns.items()}
            for name in signature_names(schema, items):
                inputs = signature_inputs(name, columns, schema, items)
                message = request(name, inputs, model_name)
                log = prediction_log()
                kind = LOGS[type(message).__name__]
                getattr(log, kind).request.CopyFrom(message)
                writer.write(log.SerializeToString())


def _bodies(
    name: str,
    inputs: Mapping[str, np.ndarray],
    columns: Mapping[str, np.ndarray],
    schema: Schema,
) -> dict[str, dict[str, Any]]:
    """Returns `{end of the file name: JSON body}` of a request to a signature."""
    chosen = {} if name == DEFAULT else {"signature_name": name}
    if name == EXAMPLES:
        encoded = [base64.b64encode(each).decode() for each in inputs["examples"]]
        return {"": {**chosen, "inputs": {"examples": [{"b64": e} for e in encoded]}}}
    if name in (REGRESS, CLASSIFY):
        return {"": {**chosen, "examples": _json_rows(columns, schema)}}
    values = {key: json_values(array) for key, array in inputs.items()}
    rows = [
        dict(zip(values, row, strict=True))
        for row in zip(*values.values(), strict=True)
    ]
    return {
        "_row": {**chosen, "instances": rows},
        "_column": {**chosen, "inputs": values},
    }


def _json_rows(columns, schema):
    """Returns rows as `:classify` and `:regress` take them, without missing values."""
    rows = []
    for example in to_examples(columns, schema.fields):
        lists, row = json_example(example), {}
        for field in schema.raw_fields:
            values = lists.get(field.name, [])
            if field.row_shape:
                if values and not _is_missing(values[0], field):
                    row[field.name] = values
            elif not _is_missing(values[0], field):
                row[field.name] = values[0]
        rows.append(row)
    return rows


def _is_missing(value, field):
    return math.isnan(value) if field.dtype == "float32" else value == field.padding
