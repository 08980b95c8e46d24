"""Rules of the server for signatures: keys, dtypes, shapes, and what JSON can carry."""

from collections.abc import Iterator
from typing import Literal

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.version import shape, signatures
from tf_ctr.serving.wire.signatures import DEFAULT

RULE = "signatures"
METHOD = "tensorflow/serving/{}"
CLASSIFY_OUTPUTS = {"classes": tf.string, "scores": tf.float32}
# The dtypes of the tensors that the server's JSON parser fills.
JSON_DTYPES = {
    tf.bool,
    tf.string,
    tf.float32,
    tf.float64,
    tf.int8,
    tf.int16,
    tf.int32,
    tf.int64,
    tf.uint8,
}


def check_signatures(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[Finding]:
    """Yields what the server would refuse in a request to any signature."""
    found = signatures(meta_graph)
    if DEFAULT not in found:
        yield error(
            RULE,
            f"no {DEFAULT!r} among {sorted(found)}: a request "
            "that names no signature fails",
        )
    for name, each in found.items():
        kind = signature_kind(name, each)
        yield from _check_method(name, each, kind)
        yield from _check_tensors(name, each)
        if kind == "regress":
            yield from _check_regress(name, each)
        if kind == "classify":
            yield from _check_classify(name, each)


def signature_kind(
    name: str, signature: meta_graph_pb2.SignatureDef
) -> Literal["predict", "regress", "classify"]:
    """Returns the kind of requests to a signature, by its method or its name."""
    kinds: tuple[Literal["regress", "classify"], ...] = ("regress", "classify")
    for kind in kinds:
        if name == kind or signature.method_name == METHOD.format(kind):
            return kind
    return "predict"


def _check_method(name, signature, kind):
    method = signature.method_name
    if method not in (METHOD.format("predict"), METHOD.format(kind)):
        yield error(
            RULE, f"{name!r} has the method {method!r}, not {METHOD.format(kind)!r}"
        )
    elif method != METHOD.format(kind):
        yield note(
            RULE,
            f"{name!r} has the method {method!r}: a server that runs with "
            "--enable_signature_method_name_check refuses it",
        )


def _check_tensors(name, signature):
    if not signature.inputs or not signature.outputs:
        yield error(RULE, f"{name!r} lacks inputs or outputs")
    for key, info in [*signature.inputs.items(), *signature.outputs.items()]:
        where = f"{key!r} of {name!r}"
        size = shape(info)
        if info.WhichOneof("encoding") != "name":
            yield error(RULE, f"{where} is sparse or ragged, which no request carries")
        elif tf.as_dtype(info.dtype) not in JSON_DTYPES:
            dtype = tf.as_dtype(info.dtype).name
            yield error(RULE, f"{where} is {dtype}, which JSON does not carry")
        elif not size or size[0] is not None:
            yield error(
                RULE,
                f"{where} has shape {size}: the first dimension must be "
                "open, for the rows of a batch",
            )
    for key, info in signature.outputs.items():
        if key.endswith("_bytes") and info.dtype == tf.string.as_datatype_enum:
            yield note(
                RULE, f"{key!r} of {name!r} ends in _bytes: REST answers it in base64"
            )


def _check_regress(name, signature):
    yield from _check_examples(name, signature)
    outputs = dict(signature.outputs)
    if set(outputs) != {"outputs"}:
        yield error(
            RULE, f"{name!r} must have the one output 'outputs', not {sorted(outputs)}"
        )
        return
    info = outputs["outputs"]
    size = shape(info)
    column = size is not None and (len(size) == 1 or size[1:] == (1,))
    if info.dtype != tf.float32.as_datatype_enum or not column:
        yield error(
            RULE,
            f"'outputs' of {name!r} must be float32 [N] or [N, 1], not "
            f"{tf.as_dtype(info.dtype).name} {size}",
        )


def _check_classify(name, signature):
    yield from _check_examples(name, signature)
    outputs = dict(signature.outputs)
    if not outputs or not set(outputs) <= set(CLASSIFY_OUTPUTS):
        yield error(
            RULE,
            f"{name!r} must have the outputs 'classes', 'scores' or both, "
            f"not {sorted(outputs)}",
        )
    for key, dtype in CLASSIFY_OUTPUTS.items():
        info = outputs.get(key)
        if info is None:
            continue
        if info.dtype != dtype.as_datatype_enum or len(shape(info) or ()) != 2:
            yield error(
                RULE,
                f"{key!r} of {name!r} must be {dtype.name} [N, K], not "
                f"{tf.as_dtype(info.dtype).name} {shape(info)}",
            )


def _check_examples(name, signature):
    inputs = dict(signature.inputs)
    info = inputs.get("inputs")
    strings = info is not None and info.dtype == tf.string.as_datatype_enum
    if set(inputs) != {"inputs"} or not strings or len(shape(info) or ()) != 1:
        yield error(
            RULE,
            f"{name!r} must have the one input 'inputs', string [N] of "
            f"serialized tf.Example, not {sorted(inputs)}",
        )
