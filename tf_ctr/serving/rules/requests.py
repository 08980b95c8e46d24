"""Rules for the request samples: each must be answered."""

import json

import numpy as np
from google.protobuf import text_format

from tf_ctr.serving.rules.findings import error, note
from tf_ctr.serving.rules.warmup import run_request
from tf_ctr.serving.version import signatures
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.json import example_feeds, predict_feeds

RULE = "requests"
FOLDER = "assets.extra/requests"


def check_requests(version, loaded):
    """Yields samples beside a version that its signatures do not answer.

    Args:
        version: `pathlib.Path` of the version.
        loaded: Its `SessionLoader`.
    """
    for file in sorted((version / FOLDER).glob("*")):
        try:
            if file.suffix == ".json":
                _run_json(json.loads(file.read_text()), loaded, file.stem)
            elif file.suffix == ".pbtxt":
                _run_proto(file.read_text(), loaded)
        except ImportError as problem:
            yield note(RULE, f"{file.name} not run. {problem}")
        except (ValueError, TypeError, text_format.ParseError) as problem:
            yield error(RULE, f"{file.name} fails: {problem}")


def _run_json(body, loaded, stem):
    if isinstance(body, dict) and "examples" in body:
        examples = np.array(example_feeds(body), object)
        loaded(body.get("signature_name", stem), {"inputs": examples})
    else:
        loaded(*predict_feeds(body, signatures(loaded.meta_graph)))


def _run_proto(text, loaded):
    for module, name in REQUESTS:
        message = getattr(protos.load(module), name)()
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as problem:
            unread = problem
        else:
            run_request(message, loaded)
            return
    raise unread


# Only the first has `inputs`, so that no other one is taken for it.
REQUESTS = (
    ("apis.predict_pb2", "PredictRequest"),
    ("apis.classification_pb2", "ClassificationRequest"),
)
