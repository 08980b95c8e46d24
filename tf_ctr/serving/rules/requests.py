"""Rules for the request samples: each must be answered."""

import json
import pathlib
from collections.abc import Iterator

from google.protobuf import text_format

from tf_ctr.serving.loaders.loader import Loader
from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.rules.warmup import run_request
from tf_ctr.serving.version import signatures
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.json import read_examples, read_predict

RULE = "requests"
FOLDER = "assets.extra/requests"

# Only the first has `inputs`, so that no other request is taken for it. Requests to
# regress have the fields of those to classify.
MESSAGES = (
    ("apis.predict_pb2", "PredictRequest"),
    ("apis.classification_pb2", "ClassificationRequest"),
)


def check_requests(version: pathlib.Path, loaded: Loader) -> Iterator[Finding]:
    """Yields the samples beside a version that its signatures do not answer."""
    for file in sorted((version / FOLDER).glob("*")):
        try:
            if file.suffix == ".json":
                _run_json(json.loads(file.read_text()), loaded)
            elif file.suffix == ".pbtxt":
                _run_proto(file.read_text(), loaded)
        except ImportError as problem:
            yield note(RULE, f"{file.name} not run. {problem}")
        except (
            ValueError,
            TypeError,
            FloatingPointError,
            text_format.ParseError,
        ) as problem:
            yield error(RULE, f"{file.name} fails: {problem}")


def _run_json(body, loaded):
    if isinstance(body, dict) and "examples" in body:
        loaded(*read_examples(body))
    else:
        loaded(*read_predict(body, signatures(loaded.meta_graph)))


def _run_proto(text, loaded):
    for module, kind in MESSAGES:
        message = getattr(protos.load(module), kind)()
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as problem:
            unread = problem
        else:
            run_request(message, loaded)
            return
    raise unread
