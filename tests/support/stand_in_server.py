"""A stand-in for TF Serving on loopback, FOR TESTS ONLY.

It answers the same messages and JSON from SavedModels in TF 1 sessions, so that clients
and request samples are tested end to end. It has no batching, polling or warm-up, and
proves nothing about the behaviour of the real server. Its codes and their words are
those of TensorFlow Serving: `server_core.cc` (`GetModelVersionForLabel`),
`basic_manager.cc` (`ServingMap::GetUntypedServableHandle`), `predict_util.cc`
(`RunPredict`) and `shared_batch_scheduler.h` (`ValidateBatchTaskQueueCapacity`).
"""

import concurrent.futures
import http.server
import json
import threading
import time

import grpc
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.support.stand_in_rest import answer
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.version import signatures
from tf_ctr.serving.wire.protos import read_request


class NotServedError(LookupError):
    """No such model or version: NOT_FOUND, 404."""


class NoSignatureError(ValueError):
    """No such signature: FAILED_PRECONDITION, 400."""


class QueueFullError(Exception):
    """No room for a request: UNAVAILABLE, 503."""


class StandInServer:
    """Serves versions of one model; use it in a `with` block.

    Args:
        name: The model's name.
        versions: `{number: directory}`.
        labels: `{label: number}`.
        delay: Seconds before each answer, to test timeouts.
        ended: Numbers of versions that were unloaded.

    Attributes:
        turned_away: How many of the next requests find the queue full.
        connections: How many connections by HTTP were opened.
    """

    def __init__(self, name, versions, labels=None, delay=0.0, ended=()):
        self.ended = ended
        self.turned_away = 0
        self.connections = 0
        self.name = name
        self.labels = labels or {}
        self.delay = delay
        self.loaded = {n: SessionLoader(path) for n, path in versions.items()}

    def __enter__(self):
        pool = concurrent.futures.ThreadPoolExecutor(2)
        self._grpc = grpc.server(pool)
        service = _Service(self)
        add = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
        add(service, self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, self._grpc)
        self.address = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        for each in self.loaded.values():
            each.__exit__()

    def find(self, name, version=None, label=None):
        """Returns the number and the loader of a version; the newest by default."""
        if label is not None:
            if label not in self.labels:
                raise ValueError(f"Unrecognized servable version label: {label}")
            version = self.labels[label]
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        version = max(self.loaded) if version is None else version
        if name != self.name or version not in self.loaded:
            raise NotServedError(f"Servable not found for request: {asked}")
        return version, self.loaded[version]

    def admit(self):
        """Raises while requests are turned away."""
        if self.turned_away:
            self.turned_away -= 1
            raise QueueFullError(
                "The batch scheduling queue to which this task was submitted is full; "
                "task size is 3 but scheduling capacity is only 0"
            )

    def status(self, name):
        """Returns the status of all versions, or raises `NotServedError`."""
        self.find(name)
        states = get_model_status_pb2.ModelVersionStatus
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in sorted([*self.loaded, *self.ended], reverse=True):
            state = states.AVAILABLE if version in self.loaded else states.END
            response.model_version_status.add(version=version, state=state)
        return response

    def metadata(self, version, loaded):
        """Returns the signatures of a version, with the one that initialises it."""
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, each in loaded.meta_graph.signature_def.items():
            found.signature_def[name].CopyFrom(each)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = self.name
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(found)
        return response


class _Service(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, server):
        self._server = server

    def Predict(self, request, context):  # noqa: N802
        return self._guarded(context, self._predict, request)

    def Classify(self, request, context):  # noqa: N802
        return self._guarded(context, self._classify, request)

    def Regress(self, request, context):  # noqa: N802
        return self._guarded(context, self._regress, request)

    def GetModelMetadata(self, request, context):  # noqa: N802
        return self._guarded(
            context, lambda r: self._server.metadata(*self._find(r.model_spec)), request
        )

    def GetModelStatus(self, request, context):  # noqa: N802
        return self._guarded(
            context, lambda r: self._server.status(r.model_spec.name), request
        )

    def _guarded(self, context, method, request):
        time.sleep(self._server.delay)
        try:
            return method(request)
        except NotServedError as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except NoSignatureError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except QueueFullError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def _find(self, spec):
        kind = spec.WhichOneof("version_choice")
        version = spec.version.value if kind == "version" else None
        label = spec.version_label if kind == "version_label" else None
        return self._server.find(spec.name, version, label)

    def _predict(self, request):
        response = predict_pb2.PredictResponse()
        for key, values in self._run(request).items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(values))
        return response

    def _classify(self, request):
        outputs = self._run(request)
        response = classification_pb2.ClassificationResponse()
        for labels, scores in zip(outputs["classes"], outputs["scores"], strict=True):
            row = response.result.classifications.add()
            for label, score in zip(labels, scores, strict=True):
                row.classes.add(label=label.decode(), score=score)
        return response

    def _regress(self, request):
        response = regression_pb2.RegressionResponse()
        for value in self._run(request)["outputs"].reshape(-1):
            response.result.regressions.add(value=value)
        return response

    def _run(self, request):
        _, loaded = self._find(request.model_spec)
        self._server.admit()
        name, inputs = read_request(request)
        if name not in signatures(loaded.meta_graph):
            raise NoSignatureError(f'Serving signature key "{name}" not found.')
        return loaded(name, inputs)


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of = None
    protocol_version = "HTTP/1.1"  # Keeps connections open.

    def setup(self):
        super().setup()
        self.server_of.connections += 1

    def do_GET(self):
        self._answer(None)

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        """Keeps the tests quiet."""

    def _answer(self, body):
        time.sleep(self.server_of.delay)
        try:
            status, found = 200, answer(self.server_of, self.path, body)
        except NotServedError as error:
            status, found = 404, {"error": str(error)}
        except QueueFullError as error:
            status, found = 503, {"error": str(error)}
        except ValueError as error:
            status, found = 400, {"error": str(error)}
        if not isinstance(found, dict):
            found = json.loads(json_format.MessageToJson(found))
        text = json.dumps(found).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except (BrokenPipeError, ConnectionResetError):  # The client gave up waiting.
            self.close_connection = True
