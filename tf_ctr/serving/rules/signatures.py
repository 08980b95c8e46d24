"""Rules of the server for signatures: keys, dtypes, shapes, and what JSON can carry.

A version with any signature loads: what is wrong shows in the answers.

Sources: TensorFlow Serving, `predict_util.cc` (`RunPredict`), `classifier.cc`
(`PreProcessClassification`, `PostProcessClassificationResult`), `regressor.cc`
(`PreProcessRegression`, `PostProcessRegressionResult`), `json_tensor.cc`
(`AddValueToTensor`, `AddSingleValueAndAdvance`, `MakeRowFormatJsonFromTensors`) and
`batching_util.h` (`ComputeTensorBatchSize`).
"""

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
# The dtypes of the tensors that the server's JSON parser fills. Its source lists uint32
# too, but a server answered 400.
READ_FROM_JSON = {
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
WRITTEN_AS_JSON = READ_FROM_JSON | {tf.float16, tf.uint32, tf.uint64}


def check_signatures(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[Finding]:
    """Yields what makes the server refuse requests to a signature."""
    found = signatures(meta_graph)
    if DEFAULT not in found:
        yield error(
            RULE,
            f"no {DEFAULT!r} among {sorted(found)}: a request that names no signature "
            "is answered 400",
        )
    for name, each in found.items():
        kind = signature_kind(name, each)
        yield from _check_method(name, each, kind)
        yield from _check_tensors(name, each)
        if kind != "predict":
            yield from (
                error(RULE, f"{breach}: {name!r} answers 400")
                for breach in breaches(kind, each)
            )


def signature_kind(
    name: str, signature: meta_graph_pb2.SignatureDef
) -> Literal["predict", "regress", "classify"]:
    """Returns the kind of requests to a signature, by its method or its name."""
    kinds: tuple[Literal["regress", "classify"], ...] = ("regress", "classify")
    for kind in kinds:
        if name == kind or signature.method_name == METHOD.format(kind):
            return kind
    return "predict"


def breaches(
    kind: Literal["regress", "classify"], signature: meta_graph_pb2.SignatureDef
) -> Iterator[str]:
    """Yields why `:regress` or `:classify` requests to a signature are refused."""
    inputs = dict(signature.inputs)
    info = inputs.get("inputs")
    strings = info is not None and info.dtype == tf.string.as_datatype_enum
    if set(inputs) != {"inputs"} or not strings or len(shape(info) or ()) != 1:
        yield (
            "expected the one input 'inputs', string [N] of serialized tf.Example, not "
            f"{sorted(inputs)}"
        )
    check_outputs = _regress_outputs if kind == "regress" else _classify_outputs
    yield from check_outputs(dict(signature.outputs))


def _regress_outputs(outputs):
    if set(outputs) != {"outputs"}:
        yield f"expected the one output 'outputs', not {sorted(outputs)}"
        return
    info = outputs["outputs"]
    size = shape(info)
    column = size is not None and (len(size) == 1 or size[1:] == (1,))
    if info.dtype != tf.float32.as_datatype_enum or not column:
        yield (
            "expected 'outputs' as float32 [N] or [N, 1], not "
            f"{tf.as_dtype(info.dtype).name} {size}"
        )


def _classify_outputs(outputs):
    if len(outputs) not in (1, 2) or not set(outputs) & set(CLASSIFY_OUTPUTS):
        yield (
            "expected one or two outputs, 'classes', 'scores' or both among them, not "
            f"{sorted(outputs)}"
        )
    for key, dtype in CLASSIFY_OUTPUTS.items():
        info = outputs.get(key)
        if info is None:
            continue
        if info.dtype != dtype.as_datatype_enum or len(shape(info) or ()) != 2:
            yield (
                f"expected {key!r} as {dtype.name} [N, K], not "
                f"{tf.as_dtype(info.dtype).name} {shape(info)}"
            )


def _check_method(name, signature, kind):
    if (method := signature.method_name) != METHOD.format(kind):
        yield note(
            RULE,
            f"{name!r} has the method {method!r}, not {METHOD.format(kind)!r}: a "
            "server that runs with --enable_signature_method_name_check refuses it",
        )


def _check_tensors(name, signature):
    if not signature.inputs or not signature.outputs:
        yield error(RULE, f"{name!r} lacks inputs or outputs, so it answers 400")
    tensors = [(key, info, READ_FROM_JSON) for key, info in signature.inputs.items()]
    tensors += [(key, info, WRITTEN_AS_JSON) for key, info in signature.outputs.items()]
    for key, info, dtypes in tensors:
        where = f"{key!r} of {name!r}"
        size = shape(info)
        if info.WhichOneof("encoding") != "name":
            yield error(RULE, f"{where} is sparse or ragged: REST answers 400")
        elif (dtype := tf.as_dtype(info.dtype)) not in dtypes:
            yield error(
                RULE, f"{where} is {dtype.name}, which JSON lacks: REST answers 400"
            )
        elif size == ():
            yield error(
                RULE, f"{where} has no dimension for rows: {name!r} answers 400"
            )
        elif size and size[0] is not None:
            yield note(
                RULE,
                f"{where} has shape {size}: only requests and batches of {size[0]} "
                "rows are answered",
            )
    for key, info in signature.outputs.items():
        if key.endswith("_bytes") and info.dtype == tf.string.as_datatype_enum:
            yield note(
                RULE, f"{key!r} of {name!r} ends in _bytes: REST answers it in base64"
            )
