"""A client of TF Serving by gRPC, the path of least overhead."""

import tensorflow as tf

from tf_ctr.serving.client.base import Client
from tf_ctr.serving.client.failures import failure
from tf_ctr.serving.wire import protos


class GrpcClient(Client):
    """Scores rows by gRPC; use it in a `with` block, or call `close`.

    Args:
        model: The name of the model on the server.
        address: Host and port.
        schema: The `tf_ctr.Schema` of the model, to fill missing values and pad lists.
            Without it rows must be complete.
        timeout: Seconds that a call may take, unless it says otherwise.
        credentials: `grpc.ChannelCredentials`; a connection in the clear for `None`.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.

    Example:

    >>> with GrpcClient("dcn", "localhost:1", timeout=5) as client:
    ...     client.predict([{"user": "ann", "item": 7}], label="stable")
    Traceback (most recent call last):
    ConnectionError: Expected TF Serving to answer at localhost:1...
    """

    def __init__(
        self,
        model,
        address="localhost:8500",
        schema=None,
        timeout=5.0,
        credentials=None,
    ):
        super().__init__(model, schema, timeout)
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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connection."""
        self._channel.close()

    def _predict(self, inputs, signature, choice):
        request = protos.load("apis.predict_pb2").PredictRequest()
        for name, values in inputs.items():
            dtype = tf.string if values.dtype.kind in "OS" else None
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype))
        answer = self._call(self._predictions.Predict, request, choice, signature)
        return {name: tf.make_ndarray(proto) for name, proto in answer.outputs.items()}

    def _classify(self, examples, context, choice):
        request = protos.load("apis.classification_pb2").ClassificationRequest()
        _fill(request.input, examples, context)
        answer = self._call(self._predictions.Classify, request, choice, "classify")
        return [
            {each.label: each.score for each in row.classes}
            for row in answer.result.classifications
        ]

    def _regress(self, examples, context, choice):
        request = protos.load("apis.regression_pb2").RegressionRequest()
        _fill(request.input, examples, context)
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
        version, label, timeout = choice
        timeout = self.timeout if timeout is None else timeout
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        try:
            return method(request, timeout=timeout)
        except self._error as error:
            self._forget()
            code, details = error.code().name, error.details()
            raise failure(code, details, self.address, self.model, timeout) from error


def _fill(message, examples, context):
    if context is None:
        message.example_list.examples.extend(examples)
    else:
        message.example_list_with_context.examples.extend(examples)
        message.example_list_with_context.context.CopyFrom(context)
