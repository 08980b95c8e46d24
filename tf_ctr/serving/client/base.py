"""What the clients by gRPC and by REST have in common."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.data.examples import to_examples
from tf_ctr.errors import check_count, check_name, explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.calls import (
    Choice,
    check_timeout,
    choose,
    send_until_deadline,
)
from tf_ctr.serving.client.failures import failure
from tf_ctr.serving.client.inputs import Rows, check_fields, to_inputs, with_context
from tf_ctr.serving.version import INIT_OP
from tf_ctr.serving.wire.signatures import DEFAULT

Answer = TypeVar("Answer")


class Client(abc.ABC):
    """Scores rows on a server. `GrpcClient` and `RestClient` are the two kinds.

    A client keeps its connection open: make one, share it among threads, and `close`
    it, or use it in a `with` block.

    Args:
        model: The name of the model on the server.
        where: The address of the server, as errors show it.
        schema: The schema of the model, to fill missing values and pad lists. Without
            it rows must be complete.
        timeout: Seconds that a call may take, unless it says otherwise. All that the
            call does counts: asking for the signatures, and retries.
        retries: How often a call is sent again to a server that is overloaded. The
            pauses in between are random, and longer from one to the next.
    """

    def __init__(
        self,
        model: str,
        where: str,
        schema: Schema | None,
        timeout: float,
        retries: int,
    ):
        check_timeout(timeout)
        check_count("retries", retries, 0)
        self.model = model
        self.schema = schema
        self.timeout = timeout
        self.retries = retries
        self._where = where
        self._closed = False
        self._signatures: dict[
            tuple[int | None, str | None], dict[str, meta_graph_pb2.SignatureDef]
        ] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the client cannot be used any more."""
        self._closed = True
        self._disconnect()

    def predict(
        self,
        rows: Rows,
        signature: str = DEFAULT,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Returns the outputs of a signature for rows.

        Args:
            rows: A frame, a list of dicts (one per row), a dict of columns, or rows of
                any kind that `tf_ctr.data.rows` opens, such as a path; a dict of single
                values is one row. All of them are sent in one request.
            signature: The name of the signature.
            version: The version to ask; the newest for `None`, unless a label is given.
            label: The label of the version to ask, e.g. `"stable"`.
            timeout: Seconds; the client's for `None`.

        Returns:
            A single output as an array `[B, ...]`; several as `{output: array}`.

        Raises:
            ValueError: For rows that the signature does not take, or a closed client.
            LookupError: For a model, version or label that is not served.
            TimeoutError: If the answer takes too long.
            Overloaded: If the server's queue is full, also after the retries.
            ConnectionError: If no server answers.
            RuntimeError: For any other failure of the server.
        """
        choice = self._choose(version, label, timeout)
        inputs = to_inputs(rows, self._signature(signature, choice), self.schema)
        outputs = self._predict(inputs, signature, choice)
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def classify(
        self,
        rows: Rows,
        context: Mapping[str, Any] | None = None,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, float]]:
        """Returns `{class: score}` of each row, by the signature `classify`.

        Args:
            rows: As for `predict`.
            context: `{field: value}` that all rows share, e.g. the user's; sent once.
            version: As for `predict`.
            label: As for `predict`.
            timeout: As for `predict`.

        Raises:
            ValueError, LookupError, TimeoutError, ConnectionError: As `predict`.
        """
        choice = self._choose(version, label, timeout)
        return self._classify(*self._examples(rows, context, choice), choice)

    def regress(
        self,
        rows: Rows,
        context: Mapping[str, Any] | None = None,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> np.ndarray:
        """Returns the click probabilities `[B]`, by the signature `regress`.

        Args:
            rows: As for `predict`.
            context: As for `classify`.
            version: As for `predict`.
            label: As for `predict`.
            timeout: As for `predict`.

        Raises:
            ValueError, LookupError, TimeoutError, ConnectionError: As `predict`.
        """
        choice = self._choose(version, label, timeout)
        values = self._regress(*self._examples(rows, context, choice), choice)
        return np.array(values, "float32")

    def status(self, timeout: float | None = None) -> dict[int, str]:
        """Returns `{version: state}` of the versions that the server knows.

        The state of a version that is served is `"AVAILABLE"`. Versions that were
        unloaded stay in the list, with the state `"END"`.

        Args:
            timeout: As for `predict`.

        Raises:
            LookupError, TimeoutError, ConnectionError: As `predict`.
        """
        return self._status(self._choose(None, None, timeout))

    def signatures(
        self,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> dict[str, meta_graph_pb2.SignatureDef]:
        """Returns `{name: SignatureDef}` of the signatures that can be asked.

        The server is asked once, and again after a request that it refused: a label
        may have moved to a version with other inputs.

        Args:
            version: As for `predict`.
            label: As for `predict`.
            timeout: As for `predict`.

        Raises:
            ValueError: If both a version and a label are given.
            LookupError, TimeoutError, ConnectionError: As `predict`.
        """
        return self._signatures_of(self._choose(version, label, timeout))

    def _choose(self, version, label, timeout):
        return choose(version, label, self.timeout if timeout is None else timeout)

    def _signatures_of(self, choice):
        known = self._signatures  # Another thread may forget them meanwhile.
        key = (choice.version, choice.label)
        if key not in known:
            found = self._metadata(choice)
            known[key] = {name: found[name] for name in found if name != INIT_OP}
        return known[key]

    def _signature(self, name, choice):
        found = self._signatures_of(choice)
        check_name("signature", name, found)
        return found[name]

    def _send(self, send: Callable[[float], Answer], choice: Choice) -> Answer:
        """Returns the answer to a request, sent again to a server that is overloaded.

        Args:
            send: Sends the request, given the seconds that are left.
            choice: The deadline.
        """
        if self._closed:
            raise ValueError(
                explain("an open client", "a closed one", "make another client")
            )
        late = self._failure("DEADLINE_EXCEEDED", "no time is left", choice)
        try:
            return send_until_deadline(send, choice, self.retries, late)
        except (ValueError, LookupError):
            self._signatures = {}  # A label may have moved.
            raise

    def _failure(self, code, details, choice, answered=False):
        return failure(code, details, self._where, self.model, choice.timeout, answered)

    def _examples(
        self, rows: Rows, context: Mapping[str, Any] | None, choice: Choice
    ) -> tuple[list[tf.train.Example], tf.train.Example | None]:
        """Returns the examples of the rows, and one of the context if there is any."""
        signature = self._signature(DEFAULT, choice)
        if not context:
            inputs = to_inputs(rows, signature, self.schema)
            return list(to_examples(inputs)), None
        check_fields(context, signature)
        inputs = to_inputs(
            with_context(rows, context, self.schema), signature, self.schema
        )
        shared = {name: inputs.pop(name)[:1] for name in context}
        return list(to_examples(inputs)), next(to_examples(shared))

    @abc.abstractmethod
    def _disconnect(self) -> None:
        """Closes the connection."""

    @abc.abstractmethod
    def _predict(
        self, inputs: dict[str, np.ndarray], signature: str, choice: Choice
    ) -> dict[str, np.ndarray]:
        """Returns `{output: array}`."""

    @abc.abstractmethod
    def _classify(
        self,
        examples: list[tf.train.Example],
        context: tf.train.Example | None,
        choice: Choice,
    ) -> list[dict[str, float]]:
        """Returns `{class: score}` per example."""

    @abc.abstractmethod
    def _regress(
        self,
        examples: list[tf.train.Example],
        context: tf.train.Example | None,
        choice: Choice,
    ) -> list[float]:
        """Returns a number per example."""

    @abc.abstractmethod
    def _status(self, choice: Choice) -> dict[int, str]:
        """Returns `{version: state}`."""

    @abc.abstractmethod
    def _metadata(self, choice: Choice) -> dict[str, meta_graph_pb2.SignatureDef]:
        """Returns `{name: SignatureDef}`."""
