"""What the clients by gRPC and by REST have in common."""

import abc

import numpy as np

from tf_ctr.data.examples import inputs_as_examples as to_examples
from tf_ctr.errors import check_name
from tf_ctr.serving.client.failures import check_choice
from tf_ctr.serving.client.inputs import check_names, to_inputs, with_context

DEFAULT = "serving_default"


class Client(abc.ABC):
    """Scores rows on a server. `GrpcClient` and `RestClient` are the two kinds.

    Args:
        model: The name of the model on the server.
        schema: The `tf_ctr.Schema` of the model, to fill missing values and pad lists.
            Without it rows must be complete.
        timeout: Seconds that a call may take, unless it says otherwise.
    """

    def __init__(self, model, schema, timeout):
        self.model = model
        self.schema = schema
        self.timeout = timeout
        self._signatures = {}

    def predict(self, rows, signature=DEFAULT, version=None, label=None, timeout=None):
        """Returns what a signature gives for rows.

        Args:
            rows: A frame, a list of dicts (one per row), or a dict of columns; a dict
                of single values is one row.
            signature: Its name.
            version: The version to ask; the newest one if no label is given either.
            label: The label of the version to ask, e.g. `"stable"`.
            timeout: Seconds; the client's for `None`.

        Returns:
            The one output as an array, or `{output: array}` of several.

        Raises:
            ValueError: For rows that the signature does not take.
            LookupError: For a model, version or label that is not served.
            TimeoutError: If the answer takes too long.
            ConnectionError: If no server answers.
        """
        choice = (version, label, timeout)
        inputs = to_inputs(rows, self._signature(signature, choice), self.schema)
        outputs = self._predict(inputs, signature, choice)
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))

    def classify(self, rows, context=None, version=None, label=None, timeout=None):
        """Returns `{class: score}` of each row, by the signature `classify`.

        Args:
            rows: As for `predict`.
            context: `{field: value}` that all rows share, e.g. the user's; sent once.
            version: As for `predict`.
            label: As for `predict`.
            timeout: As for `predict`.

        Raises:
            ValueError: As `predict`, and so on.
        """
        choice = (version, label, timeout)
        return self._classify(*self._examples(rows, context, choice), choice)

    def regress(self, rows, context=None, version=None, label=None, timeout=None):
        """Returns the click probabilities `[B]`, by the signature `regress`.

        The arguments, and what is raised, are those of `classify`.
        """
        choice = (version, label, timeout)
        values = self._regress(*self._examples(rows, context, choice), choice)
        return np.array(values, "float32")

    def status(self, timeout=None) -> dict:
        """Returns `{version: state}` of the model's versions, e.g. `"AVAILABLE"`."""
        return self._status((None, None, timeout))

    def signatures(self, version=None, label=None, timeout=None) -> dict:
        """Returns `{name: SignatureDef}` of a version.

        It is asked for once, and again after a request that the server refused.
        """
        check_choice(version, label)
        key = (version, label)
        if key not in self._signatures:
            self._signatures[key] = self._metadata((version, label, timeout))
        return self._signatures[key]

    def _signature(self, name, choice):
        found = self.signatures(*choice)
        check_name("signature", name, found)
        return found[name]

    def _examples(self, rows, context, choice):
        """Returns the examples of the rows, and the one of the context or `None`."""
        signature = self._signature(DEFAULT, choice)
        if not context:
            return to_examples(to_inputs(rows, signature, self.schema)), None
        check_names(context, signature)
        inputs = to_inputs(with_context(rows, context), signature, self.schema)
        shared = {name: inputs.pop(name)[:1] for name in context}
        return to_examples(inputs), to_examples(shared)[0]

    def _forget(self):
        """After a refusal: a label may have moved to a version of other inputs."""
        self._signatures.clear()

    @abc.abstractmethod
    def _predict(self, inputs, signature, choice):
        """Returns `{output: array}`; `choice` is version, label and timeout."""

    @abc.abstractmethod
    def _classify(self, examples, context, choice):
        """Returns a list of `{class: score}`."""

    @abc.abstractmethod
    def _regress(self, examples, context, choice):
        """Returns a list of numbers."""

    @abc.abstractmethod
    def _status(self, choice):
        """Returns `{version: state}`."""

    @abc.abstractmethod
    def _metadata(self, choice):
        """Returns `{name: SignatureDef}`."""
