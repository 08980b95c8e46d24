"""The same rows as a request to each signature, as tensors and as protos."""

import numpy as np
import tensorflow as tf

from tf_ctr.data.examples import to_examples
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.names import (
    CANDIDATES,
    CLASSIFY,
    DEFAULT,
    EXAMPLES,
    REGRESS,
    STRING_IDS,
    has_integer_ids,
)

# Those whose requests hold examples, not tensors: module and name of the message.
OF_EXAMPLES = {
    CLASSIFY: ("apis.classification_pb2", "ClassificationRequest"),
    REGRESS: ("apis.regression_pb2", "RegressionRequest"),
}


def signature_names(schema, item_fields) -> list:
    """Returns the names of the signatures that an export has."""
    names = [DEFAULT, EXAMPLES, REGRESS, CLASSIFY]
    names += [STRING_IDS] if has_integer_ids(schema.fields) else []
    return names + ([CANDIDATES] if item_fields else [])


def signature_inputs(name, columns, schema, item_fields) -> dict:
    """Returns rows as the tensors of a signature.

    Args:
        name: The signature.
        columns: `{field: array [N, ...]}`, raw, strings as bytes.
        schema: The fitted `tf_ctr.Schema`.
        item_fields: The items' fields; `candidates` gets the user of the first row,
            and the items of all.

    Returns:
        `{input: array}`.
    """
    if name in (EXAMPLES, REGRESS, CLASSIFY):
        examples = to_examples(columns, schema.fields)
        serialized = np.array([e.SerializeToString() for e in examples], object)
        return {"examples" if name == EXAMPLES else "inputs": serialized}
    if name == STRING_IDS:
        return {
            field.name: as_text(columns[field.name], field) for field in schema.fields
        }
    if name == CANDIDATES:
        return {
            field: values[np.newaxis] if field in item_fields else values[:1]
            for field, values in columns.items()
        }
    return columns


def rows_of(name, columns, item_fields) -> dict:
    """Returns the rows that the request of `signature_inputs` stands for."""
    if name != CANDIDATES:
        return columns
    return {
        field: values if field in item_fields else np.repeat(values[:1], len(values), 0)
        for field, values in columns.items()
    }


def click_of(outputs) -> np.ndarray:
    """Returns the click probabilities `[N]` among the outputs of any signature."""
    if "scores" in outputs:
        return np.asarray(outputs["scores"])[:, 1]
    (click,) = outputs.values()
    return np.reshape(click, -1)


def as_text(values, field):
    """Returns integers as strings, empty where missing; other values as they are."""
    if field.dtype != "int64":
        return values
    text = np.where(values == field.padding, "", values.astype(str))
    return np.char.encode(text, "ascii")


def request(name, inputs, model_name):
    """Returns the gRPC request of the inputs to a signature.

    Args:
        name: The signature.
        inputs: What `signature_inputs` returns.
        model_name: The name of the model on the server.

    Returns:
        A `PredictRequest`, `ClassificationRequest` or `RegressionRequest`.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    if name not in OF_EXAMPLES:
        message = protos.load("apis.predict_pb2").PredictRequest()
        for key, values in inputs.items():
            dtype = tf.string if values.dtype.kind in "OS" else None
            message.inputs[key].CopyFrom(tf.make_tensor_proto(values, dtype))
    else:
        module, kind = OF_EXAMPLES[name]
        message = getattr(protos.load(module), kind)()
        for serialized in inputs["inputs"]:
            example = message.input.example_list.examples.add()
            example.ParseFromString(serialized)
    message.model_spec.name = model_name
    message.model_spec.signature_name = name
    return message
