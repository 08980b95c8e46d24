"""Rules for the batching parameters, and for signatures under batching."""

import functools
import pathlib
from collections.abc import Iterator

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from google.protobuf.message import Message
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.version import shape, signatures
from tf_ctr.serving.wire.signatures import CANDIDATES

RULE = "batching"
FILE = "batching_params.pbtxt"

INT64, BOOL, STRING = "Int64Value", "BoolValue", "StringValue"
# Those of `BatchingParameters` that hold one value.
FIELDS = {
    "max_batch_size": INT64,
    "batch_timeout_micros": INT64,
    "max_enqueued_batches": INT64,
    "num_batch_threads": INT64,
    "thread_pool_name": STRING,
    "enable_large_batch_splitting": BOOL,
    "max_execution_batch_size": INT64,
}


def check_batching(
    version: pathlib.Path, meta_graph: meta_graph_pb2.MetaGraphDef
) -> Iterator[Finding]:
    """Yields what stops the server's start, or mixes up the rows of a batch."""
    try:
        parameters = batching_parameters(version)
    except (text_format.ParseError, UnicodeDecodeError) as problem:
        yield error(RULE, f"{FILE} cannot be read: {problem}")
        return
    if parameters is None:
        return
    yield from _check_sizes(parameters)
    open_lists = sorted(
        {
            key
            for name, each in signatures(meta_graph).items()
            if name != CANDIDATES  # Its number of items is always open.
            for key, info in each.inputs.items()
            if None in (shape(info) or ())[1:]
        }
    )
    if parameters.pad_variable_length_inputs and open_lists:
        yield error(
            RULE,
            "pad_variable_length_inputs pads with the first value of a "
            f"request, a real id; clear it, for {open_lists}",
        )
    elif open_lists:
        yield note(
            RULE,
            "requests with lists of different lengths cannot share a "
            f"batch; pad in the client: {open_lists}",
        )


def batching_parameters(version: pathlib.Path) -> Message | None:
    """Returns the parsed parameters of a version, `None` if it has none.

    Raises:
        google.protobuf.text_format.ParseError: For text that the server cannot read.
    """
    file = version / FILE
    return parse_batching_parameters(file.read_text()) if file.exists() else None


def parse_batching_parameters(text: str) -> Message:
    """Returns the `BatchingParameters` of `batching_params.pbtxt`.

    Source: tensorflow/serving, `session_bundle_config.proto`.

    Raises:
        google.protobuf.text_format.ParseError: For text that the server cannot read.

    Example:

    >>> parsed = parse_batching_parameters("max_batch_size { value: 64 }")
    >>> parsed.max_batch_size.value
    64
    """
    return text_format.Parse(text, _batching_parameters()())


def _check_sizes(parameters):
    sizes = list(parameters.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or any(size < 1 for size in sizes):
        yield error(RULE, f"allowed_batch_sizes must increase from 1 on: {sizes}")
    largest = parameters.max_batch_size.value
    # Where it is true, larger requests are cut into batches of the execution size.
    if parameters.enable_large_batch_splitting.value:
        largest = parameters.max_execution_batch_size.value or largest
    if sizes and sizes[-1] != largest:
        yield error(
            RULE,
            f"the last of allowed_batch_sizes, {sizes[-1]}, must be the "
            f"largest batch, {largest}",
        )
    for name in ("max_batch_size", "num_batch_threads", "max_enqueued_batches"):
        if parameters.HasField(name) and getattr(parameters, name).value < 1:
            yield error(RULE, f"{name} must be at least 1")


@functools.cache
def _batching_parameters():
    """The class of the message, which `tensorflow-serving-api` does not ship.

    Text is parsed by the names of fields, so their numbers are free to choose.
    """
    field = descriptor_pb2.FieldDescriptorProto
    message = descriptor_pb2.DescriptorProto(name="BatchingParameters")
    for number, (name, kind) in enumerate(FIELDS.items(), start=1):
        message.field.add(
            name=name,
            number=number,
            label=field.LABEL_OPTIONAL,
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
        label=field.LABEL_OPTIONAL,
        type=field.TYPE_BOOL,
    )
    wrappers = wrappers_pb2.DESCRIPTOR
    file = descriptor_pb2.FileDescriptorProto(
        name="tf_ctr/batching_parameters.proto",
        package="tf_ctr.serving",
        syntax="proto3",
        dependency=[wrappers.name],
        message_type=[message],
    )
    # A pool of its own: another package may bring the server's message.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName("tf_ctr.serving.BatchingParameters")
    return message_factory.GetMessageClass(found)
