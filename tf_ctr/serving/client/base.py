"""What the clients by gRPC and by REST have in common."""

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.data.examples import to_examples
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.inputs import Rows, check_fields, to_inputs, with_context
from tf_ctr.serving.wire.signatures import DEFAULT


class Choice(NamedTuple):
    """Which version a call asks, and how long it may take.

    Attributes:
        version: The number of the version; `None` for the newest or the label's.
        label: The label of the version, e.g. `"stable"`.
        timeout: Seconds; the client's for `None`.
    """

    version: int | None = None
    label: str | None = None
    timeout: float | None = None


class Client(abc.ABC):
    """Scores rows on a server. `GrpcClient` and `RestClient` are the two kinds.

    Args:
        model: The name of the model on the server.
        schema: The schema of the model, to fill missing values and pad lists. Without
            it rows must be complete.
        timeout: Seconds that a call may take, unless it says otherwise.
    """

    def __init__(self, model: str, schema: Schema | None, timeout: float):
        self.model = model
        self.schema = schema
        self.timeout = timeout
        self._signatures: dict[
            tuple[int | None, str | None], dict[str, meta_graph_pb2.SignatureDef]
        ] = {}

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
            rows: A frame, a list of dicts (one per row), or a dict of columns; a dict
                of single values is one row.
            signature: The name of the signature.
            version: The version to ask; the newest for `None`, unless a label is given.
            label: The label of the version to ask, e.g. `"stable"`.
            timeout: Seconds; the client's for `None`.

        Returns:
            A single output as an array `[B, ...]`; several as `{output: array}`.

        Raises:
            ValueError: For rows that the signature does not take.
            LookupError: For a model, version or label that is not served.
            TimeoutError: If the answer takes too long.
            ConnectionError: If no server answers.
        """
        choice = Choice(version, label, timeout)
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
        choice = Choice(version, label, timeout)
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
        choice = Choice(version, label, timeout)
        values = self._regress(*self._examples(rows, context, choice), choice)
        return np.array(values, "float32")

    def status(self, timeout: float | None = None) -> dict[int, str]:
        """Returns `{version: state}` of the model's versions, e.g. `"AVAILABLE"`."""
        return self._status(Choice(timeout=timeout))

    def signatures(
        self,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> dict[str, meta_graph_pb2.SignatureDef]:
        """Returns `{name: SignatureDef}` of a version.

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
        if version is not None and label is not None:
            raise ValueError(
                explain(
                    "a version or a label",
                    f"version={version} and label={label!r}",
                    "pass one of them, or neither for the newest version",
                )
            )
        key = (version, label)
        if key not in self._signatures:
            self._signatures[key] = self._metadata(Choice(version, label, timeout))
        return self._signatures[key]

    def _signature(self, name, choice):
        found = self.signatures(*choice)
        check_name("signature", name, found)
        return found[name]

    def _examples(
        self, rows: Rows, context: Mapping[str, Any] | None, choice: Choice
    ) -> tuple[list[tf.train.Example], tf.train.Example | None]:
        """Returns the examples of the rows, and one of the context if there is any."""
        signature = self._signature(DEFAULT, choice)
        if not context:
            inputs = to_inputs(rows, signature, self.schema)
            return list(to_examples(inputs)), None
        check_fields(context, signature)
        inputs = to_inputs(with_context(rows, context), signature, self.schema)
        shared = {name: inputs.pop(name)[:1] for name in context}
        return list(to_examples(inputs)), next(to_examples(shared))

    def _forget_signatures(self):
        self._signatures.clear()

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
