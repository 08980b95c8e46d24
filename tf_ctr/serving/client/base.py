"""What the clients by gRPC and by REST have in common."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import check_choice, check_count, check_name, explain
from tf_ctr.features import Schema
from tf_ctr.serving.client import answers, asking
from tf_ctr.serving.client.calls import (
    Choice,
    check_timeout,
    choose,
    send_until_deadline,
)
from tf_ctr.serving.client.candidates import candidates_shape, crossed
from tf_ctr.serving.client.failures import failure
from tf_ctr.serving.client.inputs import to_inputs, to_serialized
from tf_ctr.serving.client.rows import Rows
from tf_ctr.serving.version import INIT_OP
from tf_ctr.serving.wire.signatures import CANDIDATES, DEFAULT, EXAMPLES

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
        ask_by: How `predict` sends rows to `serving_default` and `candidates`.
            `"tensors"`: an array per field, which the server reads fastest; but in a
            server that batches, lists of another length or another number of candidates
            in one request fail all requests of its batch. `"examples"`: a serialized
            example per row, by the signature `predict_examples`, which never fails
            others. `"auto"`: by examples where an input has lists or candidates. Other
            signatures are asked by tensors; with a schema their lists are padded, and
            without one lists of `string_ids` need `"tensors"`.
    """

    def __init__(
        self,
        model: str,
        where: str,
        schema: Schema | None,
        timeout: float,
        retries: int,
        ask_by: asking.AskBy = "auto",
    ):
        check_timeout(timeout)
        check_choice("ask_by", ask_by, asking.ASK_BY)
        check_count("retries", retries, 0)
        self.model = model
        self.schema = schema
        self.timeout = timeout
        self.retries = retries
        self.ask_by = ask_by
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
            PermissionError: If the server wants a token, or another one.
            RuntimeError: For any other failure of the server, and for scores that are
                no probabilities, or not as many as were asked for.
        """
        choice = self._choose(version, label, timeout)
        found, shape = self._signature(signature, choice), None
        served = self._signatures_of(choice)
        if asking.asks_by_examples(self.ask_by, signature, served):
            return self._predict_examples(rows, signature, choice)
        asking.check_lists(self.ask_by, signature, served, self.schema)
        inputs = to_inputs(rows, found, self.schema)
        if signature == CANDIDATES:
            shape = candidates_shape(inputs, found, self._signature(DEFAULT, choice))
        outputs = self._predict(inputs, signature, choice)
        shape = shape or next(iter(inputs.values())).shape[:1]
        answers.check_outputs(outputs, found.outputs, shape, self.schema)
        return answers.single(outputs)

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
        examples, shared = self._examples(rows, context, choice, "classify")
        classes = self._classify(examples, shared, choice)
        answers.check_classes(classes, len(examples))
        return classes

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
        examples, shared = self._examples(rows, context, choice, "regress")
        scores = np.array(self._regress(examples, shared, choice), "float32")
        answers.check_probabilities(scores, (len(examples),))
        return scores

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

    def _examples(self, rows, context, choice, name):
        self._signature(name, choice)  # A version of several labels lacks it.
        signature = self._signature(DEFAULT, choice)
        return asking.with_shared_context(rows, context, signature, self.schema)

    def _predict_examples(
        self, rows: Rows, signature: str, choice: Choice
    ) -> np.ndarray | dict[str, np.ndarray]:
        """`predict` for fields or candidates, with an example per row or candidate."""
        default, shape = self._signature(DEFAULT, choice), None
        if signature == CANDIDATES:
            found = self._signature(CANDIDATES, choice)
            rows, shape = crossed(rows, found, default, self.schema)
        texts = to_serialized(rows, default, self.schema)
        outputs = self._predict({"examples": texts}, EXAMPLES, choice)
        wanted = self._signature(EXAMPLES, choice).outputs
        answers.check_outputs(outputs, wanted, texts.shape, self.schema)
        return answers.single(outputs, shape)

    @abc.abstractmethod
    def _disconnect(self) -> None:
        """Closes the connection."""

    @abc.abstractmethod
    def _predict(self, inputs, signature, choice):
        """Returns `{output: array}` for `{input: array}`."""

    @abc.abstractmethod
    def _classify(self, examples, context, choice):
        """Returns `{class: score}` per example."""

    @abc.abstractmethod
    def _regress(self, examples, context, choice):
        """Returns a number per example."""

    @abc.abstractmethod
    def _status(self, choice):
        """Returns `{version: state}`."""

    @abc.abstractmethod
    def _metadata(self, choice):
        """Returns `{name: SignatureDef}`."""
