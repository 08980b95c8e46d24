"""A client of TF Serving by gRPC, the path of least overhead."""

from typing import TYPE_CHECKING

import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.asking import AskBy
from tf_ctr.serving.client.base import Client
from tf_ctr.serving.client.token import Bearer
from tf_ctr.serving.wire import protos

if TYPE_CHECKING:
    import grpc


class GrpcClient(Client):
    """Scores rows by gRPC, over one channel.

    Args:
        model: The name of the model on the server.
        address: Host and port.
        schema: The schema of the model, to fill missing values and pad lists. Without
            it rows must be complete.
        timeout: Seconds that a call may take in all, unless it says otherwise.
        credentials: Credentials of the channel; `None` connects without encryption.
        retries: How often a call is sent again to a server that is overloaded, after
            random pauses that grow.
        ask_by: As for `Client`: `"auto"`, `"examples"` or `"tensors"`.
        token: Sent with each call as `authorization: Bearer ...`, for a proxy before
            the server; only over a channel with `credentials`.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
        ValueError: For a token without credentials, which anyone could read.

    Example:

    >>> with GrpcClient("dcn", "localhost:1", timeout=5) as client:
    ...     client.predict([{"user": "ann", "item": 7}], label="stable")
    Traceback (most recent call last):
    ConnectionError: Expected TF Serving to answer at localhost:1...
    """

    def __init__(
        self,
        model: str,
        address: str = "localhost:8500",
        schema: Schema | None = None,
        timeout: float = 5.0,
        credentials: "grpc.ChannelCredentials | None" = None,
        retries: int = 0,
        ask_by: AskBy = "auto",
        token: str | None = None,
    ):
        super().__init__(model, address, schema, timeout, retries, ask_by)
        if token is not None and credentials is None:
            raise ValueError(
                explain(
                    "`credentials` beside `token`, so that nobody else reads it",
                    "a token for a channel without encryption",
                    "pass credentials=grpc.ssl_channel_credentials()",
                )
            )
        self._headers = Bearer(token).headers
        predictions = protos.load("apis.prediction_service_pb2_grpc")
        models = protos.load("apis.model_service_pb2_grpc")
        import grpc  # A dependency of tensorflow-serving-api, needed only here.

        self.address = address
        self._error = grpc.RpcError
        self._channel = (
            grpc.insecure_channel(address)
            if credentials is None
            else grpc.secure_channel(address, credentials)
        )
        self._predictions = predictions.PredictionServiceStub(self._channel)
        self._models = models.ModelServiceStub(self._channel)

    def _disconnect(self):
        self._channel.close()

    def _predict(self, inputs, signature, choice):
        request = protos.predict_request(inputs)
        answer = self._call(self._predictions.Predict, request, choice, signature)
        return {name: tf.make_ndarray(proto) for name, proto in answer.outputs.items()}

    def _classify(self, examples, context, choice):
        request = protos.examples_request("classify", examples, context)
        answer = self._call(self._predictions.Classify, request, choice, "classify")
        return [
            {each.label: each.score for each in row.classes}
            for row in answer.result.classifications
        ]

    def _regress(self, examples, context, choice):
        request = protos.examples_request("regress", examples, context)
        answer = self._call(self._predictions.Regress, request, choice, "regress")
        return [each.value for each in answer.result.regressions]

    def _status(self, choice):
        messages = protos.load("apis.get_model_status_pb2")
        request = messages.GetModelStatusRequest()
        answer = self._call(self._models.GetModelStatus, request, choice)
        name = messages.ModelVersionStatus.State.Name
        return {each.version: name(each.state) for each in answer.model_version_status}

    def _metadata(self, choice):
        messages = protos.load("apis.get_model_metadata_pb2")
        request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
        answer = self._call(self._predictions.GetModelMetadata, request, choice)
        found = messages.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return dict(found.signature_def)

    def _call(self, method, request, choice, signature=""):
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        if choice.version is not None:
            request.model_spec.version.value = choice.version
        if choice.label is not None:
            request.model_spec.version_label = choice.label

        def send(left):
            try:
                return method(request, timeout=left, metadata=self._headers())
            except self._error as error:
                code, details = error.code().name, error.details()
                raise self._failure(code, details, choice) from error

        return self._send(send, choice)
