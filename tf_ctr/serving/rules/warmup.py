"""Rules for warm-up requests: a failing one fails the load of the version."""

import pathlib
from collections.abc import Collection, Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError, Message

from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.wire import protos

RULE = "warm-up"
FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000
KINDS = ("predict_log", "classify_log", "regress_log")


def check_warmup(
    version: pathlib.Path, loaded: SessionLoader, batch_sizes: Collection[int] = ()
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
        yield error(RULE, f"{FILE} is no TFRecord file of PredictionLog: {problem}")
        return
    if not 0 < len(logs) <= MAX_RECORDS:
        yield error(RULE, f"{len(logs)} records; the server takes 1 to {MAX_RECORDS}")
    sizes = set()
    for i, log in enumerate(logs):
        kind = log.WhichOneof("log_type")
        try:
            if kind not in KINDS:
                raise ValueError(f"{kind} is not predict, classify or regress")
            sizes.add(run_request(getattr(log, kind).request, loaded))
        except (ValueError, TypeError) as problem:
            yield error(
                RULE, f"record {i} fails, so the version does not load: {problem}"
            )
    if missing := sorted(set(batch_sizes) - sizes):
        yield note(RULE, f"no request of the batch sizes {missing}")


def run_request(request: Message, loaded: SessionLoader) -> int:
    """Runs a predict, classify or regress request; returns its number of rows.

    Raises:
        ValueError: If it fails, or gives a number that is not finite.
    """
    name, inputs = protos.read_request(request)
    for key, values in loaded(name, inputs).items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{key!r} of {name!r} is not finite")
    return len(next(iter(inputs.values())))
