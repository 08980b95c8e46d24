"""The checker says of a version what TensorFlow Serving does with it.

Each case names the source file and function of the server that its outcome comes from;
"seen" means that a server was run on it. Files are those of tensorflow/serving, those
under `tensorflow/` of tensorflow/tensorflow.
"""

import functools
import shutil
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.support.damage import (
    WARMUP,
    check_as_exported,
    damaged,
    edit_signature,
    replace_graph,
    write,
    write_records,
)
from tests.support.meta_graphs import tensor_info
from tf_ctr.serving.rules.conformance import require_conformant
from tf_ctr.serving.rules.findings import errors

# What the server does, in the words of the checker.
LOADS = ""
NO_LOAD = "does not load"
CRASH = "crashes the server"
IS_400 = "answers 400"
BATCH = "depends on its batch"
UNAVAILABLE = "UNAVAILABLE"


class Case(NamedTuple):
    """One row of the table.

    Attributes:
        name: What is unusual about the version.
        server: The server's outcome.
        source: Where it comes from.
        change: The function that makes the version so.
        says: Further words of the finding.
    """

    name: str
    server: str
    source: str
    change: Any
    says: str = ""


def of(name, **changes):
    """Changes a signature: `inputs=` or `outputs=` `{key: tensor, or None to drop}`."""

    def change(signature):
        for side, tensors in changes.items():
            found = getattr(signature, side)
            for key, tensor in tensors.items():
                if tensor is None:
                    del found[key]
                else:
                    kept = found[key] if key in found else next(iter(found.values()))
                    node = kept.name
                    found[key].CopyFrom(tensor)
                    if tensor.WhichOneof("encoding") == "name":
                        found[key].name = node

    return lambda version: edit_signature(version, name, change)


def sparse():
    tensor = tensor_info(tf.string, None)
    tensor.coo_sparse.values_tensor_name = "x:0"
    return tensor


def batching(text):
    return lambda version: write(version / "batching_params.pbtxt", text)


def sizes(*values):
    return "".join(f" allowed_batch_sizes: {value}" for value in values)


def records(*content):
    return lambda version: write_records(version, content)


def predict_log(users=(b"ann",), signature="", size=1, dtype=object):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "rates"
    request.model_spec.signature_name = signature
    values = np.array(list(users) * size, dtype)
    request.inputs["user"].CopyFrom(tf.make_tensor_proto(values))
    return log.SerializeToString()


def multi_inference_log():
    log = prediction_log_pb2.PredictionLog()
    log.multi_inference_log.request.tasks.add()
    return log.SerializeToString()


def session_log():
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.SetInParent()
    return log.SerializeToString()


def truncated_warmup(version):
    write_records(version, [predict_log()] * 3)
    damaged(version / WARMUP, keep=-5)


def graph(score):
    return lambda version: replace_graph(version, score)


def lengths(users):
    return tf.cast(tf.strings.length(users), tf.float32)


@tf.function(jit_compile=True)
def compiled(x):
    return tf.nn.sigmoid(x)


def in_python(users):
    scores = tf.numpy_function(
        lambda u: np.full(len(u), 0.5, "float32"), [users], "float32"
    )
    return tf.ensure_shape(scores, [None])


SCORES = functools.partial(tensor_info, tf.float32)
STRINGS = tensor_info(tf.string, None)
DEFAULT = "serving_default"
SPLIT = "enable_large_batch_splitting { value: true }"

WRAP = "bundle_factory_util.cc, WrapSessionForBatching; seen"
PARSE = "bundle_factory_util.cc, GetPerModelBatchingParams; seen"
QUEUE = (
    "tensorflow/core/kernels/batching_util/shared_batch_scheduler.h, "
    "SharedBatchScheduler::AddQueueAfterRewritingOptions refuses it, and "
    "batching_session.cc, BatchingSession::Create writes to the missing session"
)
REPLAY = "saved_model_warmup_util.cc, RunSavedModelWarmup; seen"
RECORD = "saved_model_warmup.cc, RunWarmupRequest; seen"
CLASSIFY = "classifier.cc, PreProcessClassification; seen"
CLASSES = "classifier.cc, PostProcessClassificationResult; seen"
REGRESS = "regressor.cc, PreProcessRegression; seen"
VALUES = "regressor.cc, PostProcessRegressionResult; seen"
JSON = "json_tensor.cc, AddValueToTensor; seen"
LOADER = "tensorflow/cc/saved_model/loader.cc, RunRestore; seen"

CASES = [
    # Signatures
    Case(
        "no serving_default",
        "answered 400",
        "predict_util.cc, RunPredict; seen",
        lambda v: edit_signature(v, DEFAULT, lambda s: s.Clear()),
        "no 'serving_default'",
    ),
    Case(
        "classify: an extra output",
        LOADS,
        CLASSIFY,
        of("classify", outputs={"extra": SCORES(None, 2), "classes": None}),
    ),
    Case(
        "classify: three outputs",
        IS_400,
        CLASSIFY,
        of("classify", outputs={"extra": SCORES(None, 2)}),
        "one or two outputs",
    ),
    Case(
        "classify: neither classes nor scores",
        IS_400,
        "classifier.cc, PreProcessClassification",
        of("classify", outputs={"p": SCORES(None, 2), "classes": None, "scores": None}),
        "'classes', 'scores' or both",
    ),
    Case(
        "classify: scores [N]",
        IS_400,
        CLASSES,
        of("classify", outputs={"scores": SCORES(None)}),
        "[N, K]",
    ),
    Case(
        "classify: scores float64",
        IS_400,
        CLASSES,
        of("classify", outputs={"scores": tensor_info(tf.float64, None, 2)}),
        "float64",
    ),
    Case(
        "regress: float64",
        IS_400,
        VALUES,
        of("regress", outputs={"outputs": tensor_info(tf.float64, None)}),
        "float64",
    ),
    Case(
        "regress: two columns",
        IS_400,
        VALUES,
        of("regress", outputs={"outputs": SCORES(None, 2)}),
        "[N] or [N, 1]",
    ),
    Case(
        "regress: input named examples",
        IS_400,
        REGRESS,
        of("regress", inputs={"examples": STRINGS, "inputs": None}),
        "the one input 'inputs'",
    ),
    Case(
        "regress: two outputs",
        IS_400,
        REGRESS,
        of("regress", outputs={"extra": SCORES(None)}),
        "the one output 'outputs'",
    ),
    Case(
        "first dimension fixed",
        LOADS,
        "predict_util.cc, PreProcessPrediction compares names only; seen",
        of(DEFAULT, inputs={"user": tensor_info(tf.string, 4)}),
        "of 4 rows",
    ),
    Case(
        "scalar output",
        IS_400,
        "json_tensor.cc, MakeRowFormatJsonFromTensors; batching_session.cc, "
        "BatchingSession::SplitOutputTensors; seen",
        of(DEFAULT, outputs={"click": SCORES()}),
        "no dimension for rows",
    ),
    Case(
        "scalar input",
        IS_400,
        "batching_util.h, ComputeTensorBatchSize",
        of(DEFAULT, inputs={"user": tensor_info(tf.string)}),
        "no dimension for rows",
    ),
    Case(
        "uint16 input",
        IS_400,
        JSON,
        of(DEFAULT, inputs={"user": tensor_info(tf.uint16, None)}),
        "uint16",
    ),
    Case(
        "uint32 input",
        IS_400,
        "seen",
        of(DEFAULT, inputs={"user": tensor_info(tf.uint32, None)}),
        "uint32",
    ),
    Case(
        "sparse input", IS_400, "seen", of(DEFAULT, inputs={"user": sparse()}), "sparse"
    ),
    Case(
        "rows depend on each other",
        BATCH,
        "batching_session.cc, BatchingSession::MergeInputTensors; seen",
        graph(lambda u: tf.nn.sigmoid(lengths(u) - tf.reduce_mean(lengths(u)))),
    ),
    # Batching parameters
    Case(
        "splitting: the last size is max_execution_batch_size",
        NO_LOAD,
        WRAP,
        batching(
            f"{SPLIT} max_execution_batch_size {{ value: 16 }} "
            "max_batch_size { value: 64 }" + sizes(8, 16)
        ),
        "16, must be max_batch_size, 64",
    ),
    Case(
        "splitting: the last size is max_batch_size",
        LOADS,
        WRAP,
        batching(
            f"{SPLIT} max_execution_batch_size {{ value: 16 }} "
            "max_batch_size { value: 64 }" + sizes(8, 16, 64)
        ),
    ),
    Case(
        "max_execution_batch_size without splitting",
        LOADS,
        "bundle_factory_util.h, GetQueueOptions; seen",
        batching(
            "max_execution_batch_size { value: 16 } max_batch_size { value: 64 }"
            + sizes(8, 64)
        ),
        "no effect without enable_large_batch_splitting",
    ),
    Case(
        "max_execution_batch_size over max_batch_size",
        CRASH,
        f"{QUEUE}; seen",
        batching(
            f"{SPLIT} max_execution_batch_size {{ value: 65 }} "
            "max_batch_size { value: 64 }" + sizes(8, 64)
        ),
        "65 over max_batch_size 64",
    ),
    Case(
        "max_batch_size 0",
        CRASH,
        f"{QUEUE}; seen",
        batching("max_batch_size { value: 0 }"),
        "max_batch_size 0",
    ),
    Case(
        "negative time-out",
        CRASH,
        f"{QUEUE}; seen",
        batching(
            "max_batch_size { value: 4 } batch_timeout_micros { value: -1 }" + sizes(4)
        ),
        "batch_timeout_micros -1",
    ),
    Case(
        "splitting: max_enqueued_batches 0",
        CRASH,
        QUEUE,
        batching(
            f"{SPLIT} max_batch_size {{ value: 4 }} max_enqueued_batches {{ value: 0 }}"
        ),
        "max_enqueued_batches 0",
    ),
    Case(
        "splitting without any size",
        UNAVAILABLE,
        "bundle_factory_util.h, GetQueueOptions; tensorflow/core/kernels/batching_util/"
        "shared_batch_scheduler.h, Queue::ValidateBatchTaskQueueCapacity",
        batching(SPLIT),
        "every request",
    ),
    Case("empty file", NO_LOAD, PARSE, batching(""), "is empty"),
    Case(
        "sizes without max_batch_size: the last is 16",
        NO_LOAD,
        WRAP,
        batching(sizes(8, 16)),
        "1000",
    ),
    Case(
        "sizes without max_batch_size: the last is 1000",
        LOADS,
        WRAP,
        batching(sizes(4, 1000)),
    ),
    Case(
        "sizes not increasing",
        LOADS,
        "batching_util.h, RoundToLowestAllowedBatchSize; seen",
        batching("max_batch_size { value: 4 }" + sizes(2, 1, 4)),
        "do not increase",
    ),
    Case(
        "sizes repeated",
        LOADS,
        "batching_util.h, RoundToLowestAllowedBatchSize; seen",
        batching("max_batch_size { value: 4 }" + sizes(4, 4)),
        "do not increase",
    ),
    Case("text that is no proto", NO_LOAD, PARSE, batching("batch, please"), "read"),
    Case("unknown field", NO_LOAD, PARSE, batching("max_batch: 3"), "max_batch"),
    Case(
        "max_enqueued_batches 0",
        LOADS,
        "tensorflow/core/kernels/batching_util/shared_batch_scheduler.h, "
        "SharedBatchScheduler::AddQueue; seen",
        batching("max_batch_size { value: 4 } max_enqueued_batches { value: 0 }"),
        "read as 1",
    ),
    Case(
        "num_batch_threads 0",
        LOADS,
        "bundle_factory_util.h, CreateBatchScheduler is not called for a version; seen",
        batching("max_batch_size { value: 4 } num_batch_threads { value: 0 }"),
        "no effect in a version",
    ),
    # Warm-up
    Case(
        "warm-up: wrong dtype",
        NO_LOAD,
        RECORD,
        records(predict_log([3], dtype="int64")),
        "record 0",
    ),
    Case(
        "warm-up: unknown signature",
        NO_LOAD,
        f"{RECORD}; predict_util.cc, RunPredict",
        records(predict_log(signature="no")),
        "'no'",
    ),
    Case("warm-up: 1001 records", NO_LOAD, REPLAY, records(*[predict_log()] * 1001)),
    Case("warm-up: 1000 records", LOADS, REPLAY, records(*[predict_log()] * 1000)),
    Case("warm-up: truncated", NO_LOAD, REPLAY, truncated_warmup, "no TFRecord"),
    Case(
        "warm-up: garbage",
        NO_LOAD,
        REPLAY,
        lambda v: write(v / WARMUP, "text" * 9),
        "no TFRecord",
    ),
    Case("warm-up: record of no message", NO_LOAD, REPLAY, records(b"\xff"), "Predict"),
    Case("warm-up: empty file", LOADS, REPLAY, records(), "is empty"),
    Case(
        "warm-up: record without a log type", LOADS, RECORD, records(b""), "no request"
    ),
    Case(
        "warm-up: multi-inference",
        LOADS,
        RECORD,
        records(multi_inference_log()),
        "not run",
    ),
    Case(
        "warm-up: a run of the session",
        NO_LOAD,
        "saved_model_warmup.cc, RunWarmupRequest",
        records(session_log()),
        "session_run_log",
    ),
    # The graph
    Case("PyFunc in the graph", IS_400, "seen", graph(in_python), "call Python"),
    Case(
        "random operations",
        LOADS,
        "seen",
        graph(lambda u: 0.5 + 0 * tf.random.uniform(tf.shape(u))),
        "operations that draw",
    ),
    Case(
        "XLA functions",
        LOADS,
        "seen, on a build with XLA's CPU compiler",
        graph(lambda u: compiled(lengths(u))),
        "compiled by XLA",
    ),
    # Files
    Case(
        "saved_model.pb truncated",
        NO_LOAD,
        "tensorflow/cc/saved_model/reader.cc, ReadSavedModel; seen",
        lambda v: damaged(v / "saved_model.pb", keep=-9),
        "parsed",
    ),
    Case(
        "variables damaged",
        NO_LOAD,
        LOADER,
        lambda v: damaged(v / "variables/variables.data-00000-of-00001", flip=3),
        "variables/ cannot be read",
    ),
    Case(
        "variables/ missing",
        IS_400,
        LOADER,
        lambda v: shutil.rmtree(v / "variables"),
        "finds no variable",
    ),
    Case(
        "fingerprint.pb missing",
        LOADS,
        "tensorflow/cc/saved_model/bundle_v2.cc, SavedModelV2Bundle::Load; seen",
        lambda v: (v / "fingerprint.pb").unlink(),
        "fingerprint.pb is missing",
    ),
]


@pytest.fixture
def version(exported_rates, tmp_path):
    return shutil.copytree(exported_rates / "1", tmp_path / "1")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_checker_agrees_with_the_server(version, case):
    case.change(version)
    found = check_as_exported(version)
    if case.server == LOADS:
        assert errors(found) == []
        assert require_conformant(version) == found
    else:
        wrong = [each.message for each in errors(found)]
        [message] = [
            each for each in wrong if case.server in each and case.says in each
        ]
    assert any(case.says in each.message for each in found) or not case.says, found


def test_every_case_names_its_source():
    assert all(
        ".cc, " in case.source or "seen" in case.source or ".h, " in case.source
        for case in CASES
    )
