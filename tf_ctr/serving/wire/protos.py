"""The gRPC messages of TF Serving: inputs as requests, and back."""

import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message

from tf_ctr.errors import explain
from tf_ctr.serving.wire.signatures import CLASSIFY, DEFAULT, REGRESS

# The signatures whose requests hold examples, not tensors: module and message.
OF_EXAMPLES = {
    CLASSIFY: ("apis.classification_pb2", "ClassificationRequest"),
    REGRESS: ("apis.regression_pb2", "RegressionRequest"),
}


def load(name: str) -> ModuleType:
    """Returns a module of the package `tensorflow-serving-api`.

    The package is an extra, so it is imported only where a message is needed.

    Args:
        name: Its name in `tensorflow_serving`, e.g. `"apis.predict_pb2"`.

    Raises:
        ImportError: If the package is not installed.

    Example:

    >>> load("apis.model_pb2").ModelSpec(name="dcn").name
    'dcn'
    """
    try:
        return importlib.import_module(f"tensorflow_serving.{name}")
    except ImportError as error:
        raise ImportError(
            explain(
                "the package tensorflow-serving-api, for the messages of TF Serving",
                error,
                "pip install 'tf_ctr[serving]'",
            )
        ) from error


def request(name: str, inputs: Mapping[str, np.ndarray], model: str) -> Message:
    """Returns the request that asks a signature for its outputs.

    Args:
        name: The signature.
        inputs: `{input: array}`, as `signatures.signature_inputs` returns.
        model: The name of the model on the server.

    Returns:
        A `PredictRequest`, `ClassificationRequest` or `RegressionRequest`.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    if name in OF_EXAMPLES:
        examples = map(tf.train.Example.FromString, inputs["inputs"])
        message = examples_request(name, examples)
    else:
        message = predict_request(inputs)
    message.model_spec.name = model
    message.model_spec.signature_name = name
    return message


def predict_request(inputs: Mapping[str, np.ndarray]) -> Message:
    """Returns a `PredictRequest` of arrays, for no model yet.

    Args:
        inputs: `{input: array}`, strings as bytes.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    message = load("apis.predict_pb2").PredictRequest()
    for key, values in inputs.items():
        # TensorFlow does not guess that an array of objects holds strings.
        dtype = tf.string if values.dtype.kind in "OS" else None
        message.inputs[key].CopyFrom(tf.make_tensor_proto(values, dtype))
    return message


def examples_request(
    method: str,
    examples: Iterable[tf.train.Example],
    context: tf.train.Example | None = None,
) -> Message:
    """Returns a request of examples, for no model yet.

    Args:
        method: `"classify"` or `"regress"`.
        examples: One per row.
        context: The features that all rows share.

    Returns:
        A `ClassificationRequest` or `RegressionRequest`.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    module, kind = OF_EXAMPLES[method]
    message = getattr(load(module), kind)()
    if context is None:
        message.input.example_list.examples.extend(examples)
    else:
        shared = message.input.example_list_with_context
        shared.examples.extend(examples)
        shared.context.CopyFrom(context)
    return message


def read_request(message: Message) -> tuple[str, dict[str, np.ndarray]]:
    """Returns the signature and the inputs of a request; undoes `request`.

    Args:
        message: A `PredictRequest`, `ClassificationRequest` or `RegressionRequest`.

    Returns:
        `(name, {input: array})`. A feature of the context is in every example that
        lacks it.
    """
    name = message.model_spec.signature_name or DEFAULT
    if "inputs" in message.DESCRIPTOR.fields_by_name:
        return name, {key: tf.make_ndarray(p) for key, p in message.inputs.items()}
    examples = [each.SerializeToString() for each in _examples(message.input)]
    return name, {"inputs": np.array(examples, object)}


def _examples(request_input):
    """The examples of a `tensorflow.serving.Input`, the context merged into each."""
    if request_input.WhichOneof("kind") == "example_list":
        return request_input.example_list.examples
    shared = request_input.example_list_with_context
    merged = [tf.train.Example() for _ in shared.examples]
    for example, own in zip(merged, shared.examples, strict=True):
        # In this order, so that a feature of the example goes before the context's.
        for features in (shared.context.features, own.features):
            for name, feature in features.feature.items():
                example.features.feature[name].CopyFrom(feature)
    return merged
