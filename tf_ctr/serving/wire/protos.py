"""The messages of TF Serving, imported when first needed."""

import functools
import importlib

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from tf_ctr.errors import explain

PACKAGE = "tf_ctr.serving"

WRAPPERS = wrappers_pb2.DESCRIPTOR

INT64, BOOL, STRING = "Int64Value", "BoolValue", "StringValue"

FIELDS = {
    "max_batch_size": INT64,
    "batch_timeout_micros": INT64,
    "max_enqueued_batches": INT64,
    "num_batch_threads": INT64,
    "thread_pool_name": STRING,
    "enable_large_batch_splitting": BOOL,
    "max_execution_batch_size": INT64,
}


def load(name):
    """Returns a module of the package `tensorflow-serving-api`.

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


def parse_batching_parameters(text):
    """Returns the `BatchingParameters` of `batching_params.pbtxt`.

    Source: tensorflow/serving, `session_bundle_config.proto`. Text is read by name,
    so that the numbers of the fields are free.

    Raises:
        google.protobuf.text_format.ParseError: For text that the server cannot read.

    Example:

    >>> parsed = parse_batching_parameters("max_batch_size { value: 64 }")
    >>> parsed.max_batch_size.value
    64
    """
    return text_format.Parse(text, _batching_parameters()())


@functools.cache
def _batching_parameters():
    field = descriptor_pb2.FieldDescriptorProto
    message = descriptor_pb2.DescriptorProto(name="BatchingParameters")
    optional = field.LABEL_OPTIONAL
    for number, (name, kind) in enumerate(FIELDS.items(), start=1):
        message.field.add(
            name=name,
            number=number,
            label=optional,
            type=field.TYPE_MESSAGE,
            type_name=f".google.protobuf.{kind}",
        )
    message.field.add(
        name="allowed_batch_sizes",
        number=len(FIELDS) + 1,
        label=field.LABEL_REPEATED,
        type=field.TYPE_INT64,
    )
    message.field.add(
        name="pad_variable_length_inputs",
        number=len(FIELDS) + 2,
        label=optional,
        type=field.TYPE_BOOL,
    )
    file = descriptor_pb2.FileDescriptorProto(
        name="tf_ctr/batching_parameters.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[WRAPPERS.name],
        message_type=[message],
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(WRAPPERS.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    name = f"{PACKAGE}.BatchingParameters"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
