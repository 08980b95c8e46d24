"""The model of the server, asked by gRPC, FOR TESTS ONLY.

It answers what commands ask a server, as TensorFlow Serving does: `GetModelStatus`
(`model_servers/get_model_status_impl.cc`, `GetModelStatusWithModelSpec`) and
`GetModelMetadata` of a label (`servables/tensorflow/get_model_metadata_impl.cc`,
`SavedModelGetSignatureDef`).
"""

import concurrent.futures
from typing import Any, Self

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from tests.support.server_model import RefusedError, ServerModel


class ServerOverGrpc(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Puts a `ServerModel` behind a port of loopback; use it in a `with` block.

    Args:
        model: The server; its name is that of the directory of versions.

    Attributes:
        address: Host and port.
    """

    def __init__(self, model: ServerModel):
        self._model = model

    def __enter__(self) -> Self:
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
        add = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
        add(self, self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self, self._grpc)
        self.address = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._grpc.stop(None).wait()

    def GetModelStatus(self, request, context):  # noqa: N802
        self._check_name(request, context)
        response = get_model_status_pb2.GetModelStatusResponse()
        states = get_model_status_pb2.ModelVersionStatus.State
        for version, (state, message) in self._model.states.items():
            each = response.model_version_status.add(
                version=version, state=states.Value(state)
            )
            each.status.error_message = message
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        self._check_name(request, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        try:
            version = self._model.ask(label=request.model_spec.version_label)
        except RefusedError as error:
            context.abort(grpc.StatusCode[error.code], error.message)
        response.model_spec.version.value = version
        return response

    def _check_name(self, request, context):
        name = request.model_spec.name
        if not self._model.running:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Connection refused")
        if name != self._model.directory.name:
            words = f"Could not find any versions of model {name}"
            context.abort(grpc.StatusCode.NOT_FOUND, words)
