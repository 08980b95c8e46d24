"""What a running server says of a model's versions and labels."""

import re
from typing import Any, NamedTuple, Self

from tf_ctr.errors import explain
from tf_ctr.serving.client.failures import failure
from tf_ctr.serving.wire import protos

AVAILABLE, END = "AVAILABLE", "END"
UNKNOWN_LABELS = ("INVALID_ARGUMENT", "NOT_FOUND")


class Loaded(NamedTuple):
    """A version on the server.

    Attributes:
        state: `"START"`, `"LOADING"`, `"AVAILABLE"`, `"UNLOADING"` or `"END"`.
        message: Why it could not be loaded, in the server's words; else empty.
    """

    state: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.state} ({self.message})" if self.message else self.state


class Server:
    """Asks a server by gRPC; use it in a `with` block.

    Args:
        model: The name of the model, which is that of its directory.
        address: Host and port of gRPC.
        timeout: Seconds that a call may take.

    Raises:
        ValueError: If the address is not a host and a port.
        ImportError: If `tensorflow-serving-api` is not installed.

    Example:

    >>> with Server("dcn", "localhost:1", timeout=5) as server:
    ...     server.versions()
    Traceback (most recent call last):
    ConnectionError: Expected TF Serving to answer at localhost:1...
    """

    def __init__(
        self, model: str, address: str = "localhost:8500", timeout: float = 10.0
    ):
        if not re.fullmatch(r"[^/\s]+:\d+", address):
            raise ValueError(
                explain(
                    "the host and the port of TF Serving's gRPC, e.g. localhost:8500",
                    repr(address),
                    "leave out http:// and any path; gRPC has another port than REST",
                )
            )
        predictions = protos.load("apis.prediction_service_pb2_grpc")
        models = protos.load("apis.model_service_pb2_grpc")
        import grpc  # A dependency of tensorflow-serving-api, needed only here.

        self.model = model
        self.address = address
        self._timeout = timeout
        self._error = grpc.RpcError
        self._channel = grpc.insecure_channel(address)
        self._models = models.ModelServiceStub(self._channel)
        self._predictions = predictions.PredictionServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._channel.close()

    def versions(self) -> dict[int, Loaded]:
        """Returns `{version: Loaded}`, by `GetModelStatus`; those that ended too.

        Raises:
            LookupError: If the server has no such model.
            ConnectionError, TimeoutError: If no server answers, or too late.
        """
        messages = protos.load("apis.get_model_status_pb2")
        request = messages.GetModelStatusRequest()
        request.model_spec.name = self.model
        try:
            answer = self._models.GetModelStatus(request, timeout=self._timeout)
        except self._error as error:
            raise self._failure(error) from error
        name = messages.ModelVersionStatus.State.Name
        return {
            each.version: Loaded(name(each.state), each.status.error_message)
            for each in answer.model_version_status
        }

    def version_of(self, label: str) -> int | None:
        """Returns the version that answers to a label; `None` if none does.

        Raises:
            ConnectionError, TimeoutError: If no server answers, or too late.
        """
        messages = protos.load("apis.get_model_metadata_pb2")
        request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.model
        request.model_spec.version_label = label
        try:
            answer = self._predictions.GetModelMetadata(request, timeout=self._timeout)
        except self._error as error:
            if error.code().name in UNKNOWN_LABELS:
                return None
            raise self._failure(error) from error
        return answer.model_spec.version.value

    def _failure(self, error):
        code, details = error.code().name, error.details()
        return failure(code, details, self.address, self.model, self._timeout)
