"""A client of TF Serving by REST, for where only HTTP gets through."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.base import Client
from tf_ctr.serving.client.failures import HTTP, failure
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.json import json_example, json_values

# Raised where there is no server, where it speaks no HTTP (as on the port of gRPC), and
# for the answers of another service.
NO_ANSWER = (
    urllib.error.URLError,
    http.client.HTTPException,
    OSError,
    ValueError,
    LookupError,
    TypeError,
)


class RestClient(Client):
    """Scores rows by REST.

    Args:
        model: The name of the model on the server.
        url: Scheme, host and port.
        schema: The schema of the model, to fill missing values and pad lists. Without
            it rows must be complete.
        timeout: Seconds that a call may take, unless it says otherwise.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
        ValueError: For a URL of another scheme than http and https.

    Example:

    >>> client = RestClient("dcn", "http://localhost:1")
    >>> client.predict([{"user": "ann", "item": 7}], label="stable")
    Traceback (most recent call last):
    ConnectionError: Expected TF Serving to answer at http://localhost:1...
    """

    def __init__(
        self,
        model: str,
        url: str = "http://localhost:8501",
        schema: Schema | None = None,
        timeout: float = 5.0,
    ):
        super().__init__(model, schema, timeout)
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                explain("a URL", repr(url), "pass url='http://localhost:8501'")
            )
        self._messages = protos.load("apis.get_model_metadata_pb2")
        self.url = url.rstrip("/")

    def _predict(self, inputs, signature, choice):
        columns = {name: json_values(values) for name, values in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        answer = self._call(":predict", choice, "outputs", body)
        found = self.signatures(*choice)[signature].outputs
        # The server leaves out the name of a single output.
        outputs = answer if len(found) > 1 else {next(iter(found)): answer}
        return {name: _array(values, found[name]) for name, values in outputs.items()}

    def _classify(self, examples, context, choice):
        body = _examples_body("classify", examples, context)
        answer = self._call(":classify", choice, "results", body)
        return [dict(map(tuple, row)) for row in answer]

    def _regress(self, examples, context, choice):
        body = _examples_body("regress", examples, context)
        return self._call(":regress", choice, "results", body)

    def _status(self, choice):
        answer = self._call("", choice, "model_version_status")
        return {int(each["version"]): each["state"] for each in answer}

    def _metadata(self, choice):
        answer = self._call("/metadata", choice, "metadata")["signature_def"]
        found = self._messages.SignatureDefMap()
        json_format.ParseDict(answer, found, ignore_unknown_fields=True)
        return dict(found.signature_def)

    def _call(self, path, choice, key, body=None):
        """Returns one key of the answer; posts `body` if there is one."""
        timeout = self.timeout if choice.timeout is None else choice.timeout
        url = f"{self.url}/v1/models/{_quoted(self.model)}"
        if choice.version is not None:
            url += f"/versions/{int(choice.version)}"
        if choice.label is not None:
            url += f"/labels/{_quoted(choice.label)}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(url + path, data, timeout) as answer:
                return json.load(answer)[key]
        except urllib.error.HTTPError as error:
            self._forget_signatures()
            code = HTTP.get(error.code, f"HTTP {error.code}")
            details = _message(error)
        except TimeoutError as error:
            code, details = "DEADLINE_EXCEEDED", error
        except NO_ANSWER as error:
            reason = getattr(error, "reason", error)
            late = isinstance(reason, TimeoutError)
            code, details = "DEADLINE_EXCEEDED" if late else "UNAVAILABLE", reason
        raise failure(code, details, self.url, self.model, timeout)


def _quoted(name):
    return urllib.parse.quote(name, safe="")


def _message(error):
    text = error.read().decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text[:500]


def _array(values, info):
    dtype = tf.as_dtype(info.dtype)
    return np.array(values, object if dtype == tf.string else dtype.as_numpy_dtype)


def _examples_body(signature, examples, context):
    body = {
        "signature_name": signature,
        "examples": [json_example(example) for example in examples],
    }
    return body if context is None else {**body, "context": json_example(context)}
