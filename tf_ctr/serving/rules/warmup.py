"""Rules for warm-up requests: a failing one fails the load of the version.

Sources: TensorFlow Serving, `saved_model_warmup_util.cc` (`RunSavedModelWarmup`),
`saved_model_warmup.cc` (`RunWarmupRequest`) and `util.cc`
(`InputToSerializedExampleTensor`).
"""

import pathlib
from collections.abc import Collection, Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError, Message

from tf_ctr.serving.loaders.loader import Loader
from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.rules.signatures import breaches
from tf_ctr.serving.version import signature
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.signatures import DEFAULT

RULE = "warm-up"
FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000
KINDS = {"predict_log": "predict", "classify_log": "classify", "regress_log": "regress"}


def check_warmup(
    version: pathlib.Path, loaded: Loader, batch_sizes: Collection[int] = ()
) -> Iterator[Finding]:
    """Yields warm-up requests that fail, and batch sizes that none of them warms up.

    Args:
        version: A version directory.
        loaded: The loaded version, which runs every request.
        batch_sizes: The allowed batch sizes; each should be warmed up.
    """
    file = version / FILE
    if not file.exists():
        yield note(RULE, "no warm-up requests: the first requests will be slow")
        return
    try:
        prediction_log = protos.load("apis.prediction_log_pb2").PredictionLog
    except ImportError as problem:
        yield note(RULE, f"not run. {problem}")
        return
    try:
        records = [r.numpy() for r in tf.data.TFRecordDataset(str(file))]
        logs = [prediction_log.FromString(record) for record in records]
    except (tf.errors.OpError, DecodeError) as problem:
        yield error(
            RULE,
            f"{FILE} is no TFRecord file of PredictionLog, so the version does not "
            f"load: {problem}",
        )
        return
    if not logs:
        yield note(RULE, f"{FILE} is empty: the first requests will be slow")
    if len(logs) > MAX_RECORDS:
        yield error(
            RULE,
            f"{len(logs)} records, more than {MAX_RECORDS}: the version does not load",
        )
    sizes = set()
    for i, log in enumerate(logs):
        kind = log.WhichOneof("log_type")
        if kind is None:
            yield note(RULE, f"record {i} holds no request; the server skips it")
        elif kind == "multi_inference_log":
            yield note(RULE, f"record {i} asks several signatures at once; not run")
        else:
            try:
                sizes.add(_run_record(log, kind, loaded))
            except FloatingPointError as problem:
                yield error(RULE, f"record {i} is answered wrongly: {problem}")
            except (ValueError, TypeError) as problem:
                yield error(
                    RULE, f"record {i} fails, so the version does not load: {problem}"
                )
    if missing := sorted(set(batch_sizes) - sizes):
        yield note(RULE, f"no request of the batch sizes {missing}")


def _run_record(log, kind, loaded):
    if kind not in KINDS:
        raise ValueError(f"{kind} cannot be replayed")
    request = getattr(log, kind).request
    name = request.model_spec.signature_name or DEFAULT
    if kind != "predict_log":
        for breach in breaches(KINDS[kind], signature(loaded.meta_graph, name)):
            raise ValueError(f"{breach}, of {name!r}")
    return run_request(request, loaded)


def run_request(request: Message, loaded: Loader) -> int:
    """Runs a predict, classify or regress request; returns its number of rows.

    Raises:
        ValueError: If it has no row or fails.
        FloatingPointError: If it gives a number that is not finite.
    """
    name, inputs = protos.read_request(request)
    if not all(map(len, inputs.values())):
        raise ValueError("the request has no row")
    for key, values in loaded(name, inputs).items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise FloatingPointError(f"{key!r} of {name!r} is not finite")
    return len(next(iter(inputs.values())))
