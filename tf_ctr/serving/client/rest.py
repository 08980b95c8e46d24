"""A client of TF Serving by REST, for where only HTTP gets through."""

import json
import time
import urllib.parse

import numpy as np
import requests
import tensorflow as tf
import urllib3
from google.protobuf import json_format

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.asking import AskBy
from tf_ctr.serving.client.base import Client
from tf_ctr.serving.client.failures import HTTP
from tf_ctr.serving.client.token import Bearer
from tf_ctr.serving.wire import protos
from tf_ctr.serving.wire.json import json_example, json_values

# Connections that are kept open for threads that call at the same time.
POOL = 16
# An answer has some 20 bytes per row; no server takes the rows that would fill this.
MOST_BYTES = 64 << 20
CHUNK = 1 << 16
HEADERS = {"Content-Type": "application/json"}


class RestClient(Client):
    """Scores rows by REST, over connections that are kept open.

    Args:
        model: The name of the model on the server.
        url: Scheme, host and port.
        schema: The schema of the model, to fill missing values and pad lists. Without
            it rows must be complete.
        timeout: Seconds that a call may take in all, unless it says otherwise.
        retries: How often a call is sent again to a server that is overloaded, after
            random pauses that grow.
        ask_by: As for `Client`: `"auto"`, `"examples"` or `"tensors"`.
        token: Sent with each call as `Authorization: Bearer ...`, for a proxy before
            the server; only to an `https` URL.
        ca_file: The file of the authorities whose certificates count, for `https`;
            those of the package `certifi` for `None`.

    Raises:
        ImportError: If `tensorflow-serving-api` is not installed.
        ValueError: For a URL of another scheme than http and https, one with a
            password in it, or a token for `http`, which anyone could read.

    Example:

    >>> with RestClient("dcn", "http://localhost:1", timeout=5) as client:
    ...     client.predict([{"user": "ann", "item": 7}], label="stable")
    Traceback (most recent call last):
    ConnectionError: Expected TF Serving to answer at http://localhost:1...
    """

    def __init__(
        self,
        model: str,
        url: str = "http://localhost:8501",
        schema: Schema | None = None,
        timeout: float = 5.0,
        retries: int = 0,
        ask_by: AskBy = "auto",
        token: str | None = None,
        ca_file: str | None = None,
    ):
        _check_url(url, token)
        super().__init__(model, url, schema, timeout, retries, ask_by)
        self._messages = protos.load("apis.get_model_metadata_pb2")
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = Bearer(token)
        self._verify = True if ca_file is None else ca_file
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=POOL)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def _disconnect(self):
        self._session.close()

    def _predict(self, inputs, signature, choice):
        columns = {name: json_values(values) for name, values in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        answer = self._call(":predict", choice, "outputs", body)
        found = self._signature(signature, choice).outputs
        # The server leaves out the name of a single output.
        single = len(found) == 1 or not isinstance(answer, dict)
        outputs = {next(iter(found)): answer} if single else answer
        return {
            n: _array(values, found[n]) for n, values in outputs.items() if n in found
        }

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
        url = f"{self.url}/v1/models/{_quoted(self.model)}"
        if choice.version is not None:
            url += f"/versions/{int(choice.version)}"
        if choice.label is not None:
            url += f"/labels/{_quoted(choice.label)}"
        data = None if body is None else json.dumps(body).encode()

        def send(left):
            try:
                end = time.monotonic() + left
                answer = self._request(url + path, data, left)
                content = _read(answer, end)
            except requests.RequestException as error:
                code = "DEADLINE_EXCEEDED" if _is_late(error) else "UNAVAILABLE"
                raise self._failure(code, error, choice) from error
            if answer.status_code != requests.codes.ok:
                code = HTTP.get(answer.status_code, f"HTTP {answer.status_code}")
                raise self._failure(code, _message(content), choice, answered=True)
            try:
                return json.loads(content)[key]
            except (ValueError, LookupError, TypeError) as error:
                # Another service answers.
                raise self._failure("UNAVAILABLE", error, choice) from error

        return self._send(send, choice)

    def _request(self, url, data, seconds):
        method = "GET" if data is None else "POST"
        options = {
            "data": data,
            "headers": HEADERS,
            "timeout": urllib3.Timeout(total=seconds),
            # Rows and tokens go to the address given, and nowhere else.
            "allow_redirects": False,
            "verify": self._verify,
            "stream": True,
        }
        try:
            return self._session.request(method, url, **options)
        except requests.ConnectionError as error:
            # A server closes connections that were idle for long; to score rows twice
            # does no harm.
            if not isinstance(error.args[0], urllib3.exceptions.ProtocolError):
                raise
            return self._session.request(method, url, **options)


def _is_late(error):
    reason = error.args[0] if error.args else None
    late = urllib3.exceptions.TimeoutError
    return isinstance(error, requests.Timeout) or isinstance(reason, late)


def _quoted(name):
    return urllib.parse.quote(name, safe="")


def _message(content):
    try:
        return json.loads(content)["error"]
    except (ValueError, LookupError, TypeError):
        return content[:500].decode(errors="replace")


def _read(answer, end):
    """The body of an answer, if it is of a bounded size and comes in time."""
    content = bytearray()
    try:
        for part in answer.iter_content(CHUNK):
            content += part
            if len(content) > MOST_BYTES:
                raise _too_large()
            if time.monotonic() > end:
                raise requests.Timeout("the answer came too slowly")
    finally:
        answer.close()
    return bytes(content)


def _too_large():
    return RuntimeError(
        explain(
            f"an answer of at most {MOST_BYTES >> 20} MiB",
            "a larger one",
            "send fewer rows, or look at what answers at this address",
        )
    )


def _check_url(url, token):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            explain("a URL", repr(url), "pass url='http://localhost:8501'")
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            explain(
                "a URL without a name and a password, which errors would show",
                f"one for {parts.hostname}",
                "pass token=",
            )
        )
    if token is not None and parts.scheme == "http":
        raise ValueError(
            explain(
                "an https URL beside `token`, so that nobody else reads it",
                repr(url),
                "pass url='https://...'",
            )
        )


def _array(values, info):
    dtype = tf.as_dtype(info.dtype)
    try:
        with np.errstate(over="ignore"):  # Infinite, and so no probability.
            return np.array(
                values, object if dtype == tf.string else dtype.as_numpy_dtype
            )
    except (ValueError, TypeError, OverflowError) as error:
        raise RuntimeError(
            explain(
                f"an output of {dtype.name}",
                f"{str(values)[:80]}",
                "look at what answers at this address, and at the served version",
            )
        ) from error


def _examples_body(signature, examples, context):
    body = {
        "signature_name": signature,
        "examples": [json_example(example) for example in examples],
    }
    return body if context is None else {**body, "context": json_example(context)}
