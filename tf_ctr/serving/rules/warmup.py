"""Rules for warm-up requests: a failing one fails the load of the version."""

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from tf_ctr.serving.rules.findings import error, note
from tf_ctr.serving.wire import protos

RULE = "warm-up"
FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000


def check_warmup(version, loaded, batch_sizes=()):
    """Yields warm-up requests that fail, and what none of them warms up.

    Args:
        version: `pathlib.Path` of the version.
        loaded: Its `SessionLoader`, which every request is run by.
        batch_sizes: The allowed batch sizes, each of which should be warmed up.
    """
    file = version / FILE
    if not file.exists():
        yield note(RULE, "no warm-up requests: the first requests will be slow")
        return
    try:
        log = protos.load("apis.prediction_log_pb2").PredictionLog
    except ImportError as problem:
        yield note(RULE, f"not run. {problem}")
        return
    try:
        records = [r.numpy() for r in tf.data.TFRecordDataset(str(file))]
        requests = [log.FromString(record) for record in records]
    except (tf.errors.OpError, DecodeError) as problem:
        yield error(RULE, f"{FILE} is no TFRecord file of PredictionLog: {problem}")
        return
    if not 0 < len(requests) <= MAX_RECORDS:
        yield error(
            RULE, f"{len(requests)} records; the server takes 1 to {MAX_RECORDS}"
        )
    sizes = set()
    for i, request in enumerate(requests):
        try:
            sizes.add(_run(request, loaded))
        except (ValueError, TypeError) as problem:
            yield error(RULE, f"record {i} fails, and with it the load: {problem}")
    if missing := sorted(set(batch_sizes) - sizes):
        yield note(RULE, f"no request of the batch sizes {missing}")


def _run(log, loaded):
    """Runs the request of a log; returns its number of rows."""
    kind = log.WhichOneof("log_type")
    if kind not in ("predict_log", "classify_log", "regress_log"):
        raise ValueError(f"{kind} is not predict, classify or regress")
    return run_request(getattr(log, kind).request, loaded)


def run_request(request, loaded):
    """Runs a predict, classify or regress request; returns its number of rows.

    Raises:
        ValueError: If it fails, or gives a number that is not finite.
    """
    if "inputs" in request.DESCRIPTOR.fields_by_name:
        feeds = {name: tf.make_ndarray(p) for name, p in request.inputs.items()}
    else:
        feeds = {"inputs": np.array(serialized_examples(request.input), object)}
    name = request.model_spec.signature_name or "serving_default"
    for key, values in loaded(name, feeds).items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{key!r} of {name!r} is not finite")
    return len(next(iter(feeds.values())))


def serialized_examples(request_input):
    """Returns the examples of a `tensorflow.serving.Input`, with its context.

    A feature of an example goes before the one of the context.
    """
    if request_input.WhichOneof("kind") == "example_list":
        return [e.SerializeToString() for e in request_input.example_list.examples]
    with_context = request_input.example_list_with_context
    examples = []
    for example in with_context.examples:
        merged = tf.train.Example()
        for features in (with_context.context.features, example.features):
            for name, feature in features.feature.items():
                merged.features.feature[name].CopyFrom(feature)
        examples.append(merged.SerializeToString())
    return examples
