"""Rules for the batching parameters, and for signatures under batching.

Sources: TensorFlow Serving, `bundle_factory_util.cc` (`GetPerModelBatchingParams`,
`GetQueueOptions`, `WrapSessionForBatching`) and `batching_session.cc`; TensorFlow,
`shared_batch_scheduler.h` (`SharedBatchScheduler::AddQueue`).
"""

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
from tf_ctr.serving.wire.signatures import CANDIDATES, EXAMPLES

RULE = "batching"
FILE = "batching_params.pbtxt"

INT64, BOOL, STRING = "Int64Value", "BoolValue", "StringValue"
# `max_batch_size` where it is not set: `QueueOptions::input_batch_size_limit`.
DEFAULT_LARGEST = 1000
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
    """Yields what stops the load, crashes the server, or mixes up rows of a batch."""
    file = version / FILE
    if file.is_file() and not file.stat().st_size:
        # The server maps the file into memory, which fails for no bytes.
        yield error(RULE, f"{FILE} is empty: the version does not load")
        return
    try:
        parameters = batching_parameters(version)
    except (text_format.ParseError, UnicodeDecodeError) as problem:
        yield error(
            RULE, f"{FILE} cannot be read, so the version does not load: {problem}"
        )
        return
    if parameters is None:
        return
    yield from _check_crashes(parameters)
    yield from _check_sizes(parameters)
    yield from _check_without_effect(parameters)
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
            "pad_variable_length_inputs pads with the first value of a request, a real "
            "id, so that a row's score depends on its batch; clear it, for "
            f"{open_lists}",
        )
    elif open_lists:
        by_examples = EXAMPLES in meta_graph.signature_def
        or_ask = f", or ask {EXAMPLES!r}" if by_examples else ""
        yield note(
            RULE,
            "requests with lists of different lengths cannot share a batch; pad in the "
            f"client{or_ask}: {open_lists}",
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


def execution_size(parameters: Message) -> int:
    """Returns the rows of the largest batch that the server executes.

    Larger requests are cut into batches of this size where that is enabled, or refused.
    """
    if not parameters.enable_large_batch_splitting.value:
        return _largest_request(parameters)
    if parameters.HasField("max_execution_batch_size"):
        return parameters.max_execution_batch_size.value
    return parameters.max_batch_size.value  # The server's default does not count here.


def _largest_request(parameters):
    if parameters.HasField("max_batch_size"):
        return parameters.max_batch_size.value
    return DEFAULT_LARGEST


def _check_crashes(parameters):
    """Values that `AddQueue` refuses.

    `BatchingSession::Create` then writes to the session that was not made: signal 11.
    """
    splits = parameters.enable_large_batch_splitting.value
    largest = _largest_request(parameters)
    wrong = []
    if largest == 0:
        wrong.append("max_batch_size 0")
    if parameters.batch_timeout_micros.value < 0:
        wrong.append(f"batch_timeout_micros {parameters.batch_timeout_micros.value}")
    if splits and execution_size(parameters) > largest:
        wrong.append(
            f"max_execution_batch_size {execution_size(parameters)} over "
            f"max_batch_size {largest}"
        )
    queue = parameters.max_enqueued_batches
    if splits and parameters.HasField("max_enqueued_batches") and queue.value == 0:
        wrong.append("max_enqueued_batches 0 with enable_large_batch_splitting")
    for each in wrong:
        yield error(RULE, f"{each} crashes the server (signal 11)")
    # Sizes are unsigned in the server, which makes a negative one very large.
    for name in ("max_batch_size", "max_execution_batch_size", "max_enqueued_batches"):
        if getattr(parameters, name).value < 0:
            yield error(
                RULE, f"{name} is negative, which the server reads as unlimited"
            )
    if splits and largest and execution_size(parameters) == 0:
        yield error(
            RULE,
            "enable_large_batch_splitting without max_batch_size or "
            "max_execution_batch_size: every request is answered UNAVAILABLE",
        )


def _check_sizes(parameters):
    sizes = list(parameters.allowed_batch_sizes)
    largest = _largest_request(parameters)
    if not sizes:
        return
    if sizes[-1] != largest:
        yield error(
            RULE,
            f"the last of allowed_batch_sizes, {sizes[-1]}, must be max_batch_size, "
            f"{largest}, or the version does not load",
        )
    if sizes != sorted(set(sizes)) or sizes[0] < 1:
        yield note(
            RULE,
            f"allowed_batch_sizes {sizes} do not increase from 1 on: the server fills "
            "a batch up to the first of them that is large enough",
        )


def _check_without_effect(parameters):
    splits = parameters.enable_large_batch_splitting.value
    if parameters.HasField("max_execution_batch_size") and not splits:
        yield note(
            RULE,
            "max_execution_batch_size has no effect without "
            "enable_large_batch_splitting",
        )
    if parameters.HasField("num_batch_threads"):
        yield note(
            RULE,
            "num_batch_threads has no effect in a version: only "
            "--batching_parameters_file sizes the pool",
        )
    queue = parameters.max_enqueued_batches
    if parameters.HasField("max_enqueued_batches") and queue.value == 0 and not splits:
        yield note(RULE, "max_enqueued_batches 0 is read as 1")


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
