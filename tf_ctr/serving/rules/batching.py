"""Rules for the batching parameters, and for signatures under batching."""

from google.protobuf import text_format

from tf_ctr.serving.rules.findings import error, note
from tf_ctr.serving.version import shape, signatures
from tf_ctr.serving.wire.names import CANDIDATES
from tf_ctr.serving.wire.protos import parse_batching_parameters

RULE = "batching"
FILE = "batching_params.pbtxt"


def batching_parameters(version):
    """Returns the parsed parameters of a version, `None` if it has none.

    Raises:
        google.protobuf.text_format.ParseError: For text that the server cannot read.
    """
    file = version / FILE
    return parse_batching_parameters(file.read_text()) if file.exists() else None


def check_batching(version, meta_graph):
    """Yields what stops the server's start, or mixes up the rows of a batch."""
    try:
        parameters = batching_parameters(version)
    except (text_format.ParseError, UnicodeDecodeError) as problem:
        yield error(RULE, f"{FILE} cannot be read: {problem}")
        return
    if parameters is None:
        return
    yield from _check_sizes(parameters)
    open_lists = _open_lists(meta_graph)
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


def _check_sizes(parameters):
    sizes = list(parameters.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or any(size < 1 for size in sizes):
        yield error(RULE, f"allowed_batch_sizes must increase from 1 on: {sizes}")
    largest = parameters.max_batch_size.value
    # Set to true, batches are cut to the sizes that are run.
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


def _open_lists(meta_graph):
    return sorted(
        {
            key
            for name, each in signatures(meta_graph).items()
            if name != CANDIDATES  # Open in the number of items, by its nature.
            for key, info in each.inputs.items()
            if None in (shape(info) or ())[1:]
        }
    )
