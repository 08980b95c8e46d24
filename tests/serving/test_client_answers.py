"""What the clients make of answers: scores, or an error; and what they never show."""

import io
import json

import grpc
import numpy as np
import pytest
import requests

from tests.support.stand_in_server import StandInServer
from tf_ctr.serving import GrpcClient, Overloaded, RestClient
from tf_ctr.serving.client import calls, rest
from tf_ctr.serving.client.answers import check_classes
from tf_ctr.serving.client.failures import failure
from tf_ctr.serving.client.token import Bearer


@pytest.fixture(scope="module")
def rates(exported_rates):
    with StandInServer("rates", {1: exported_rates / "1"}) as server:
        yield server


ROWS = {"user": ["ann", "bob"]}


def answering(client, status, content, headers=None):
    """Lets a `RestClient` receive this answer to whatever it asks from now on."""
    sent = []

    def answer(method, url, **options):
        sent.append((url, options))
        made = requests.Response()
        made.status_code, made.raw = status, io.BytesIO(content)
        made.headers.update(headers or {})
        return made

    client._session.request = answer
    return sent


@pytest.mark.parametrize("scores", [[0.1, np.nan], [0.1, 1.5], [-0.1, 0.5], [0.1]])
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_scores_that_are_no_probabilities_are_an_error(rates, kind, scores):
    options = {"url": rates.url} if kind == "rest" else {"address": rates.address}
    with {"rest": RestClient, "grpc": GrpcClient}[kind]("rates", **options) as client:
        client.signatures()
        client._predict = lambda *_: {"click": np.array(scores, "float32")}
        client._regress = lambda *_: scores
        client._classify = lambda *_: [{"no_click": 1 - s, "click": s} for s in scores]
        for call in (client.predict, client.regress, client.classify):
            with pytest.raises(RuntimeError, match="Expected (.|\n)*look at"):
                call(ROWS)


@pytest.mark.parametrize(
    "content",
    [
        b'{"outputs": [0.1, NaN]}',
        b'{"outputs": [0.1, 0.2, 0.3]}',
        b'{"outputs": [[0.1], [0.2]]}',
        b'{"outputs": [0.1, 1e39]}',
        b'{"outputs": [0.1, null]}',
        b'{"outputs": [0.1, "high"]}',
        b'{"outputs": {"click": [0.1, 0.2]}}',
        b'{"outputs": 5}',
    ],
)
def test_by_rest_an_answer_of_another_form_is_an_error(rates, content):
    with RestClient("rates", rates.url) as client:
        client.signatures()
        answering(client, 200, content)
        with pytest.raises(RuntimeError, match="Expected (.|\n)*Fix: look at"):
            client.predict(ROWS)


def test_classes_have_names_and_scores():
    check_classes([{"no_click": 0.9, "click": 0.1}], 1)
    with pytest.raises(RuntimeError, match="the classes"):
        check_classes([{"yes": 0.1, "no": 0.9}], 1)


def test_an_answer_without_end_is_refused(rates, monkeypatch):
    monkeypatch.setattr(rest, "MOST_BYTES", 1 << 20)
    with RestClient("rates", rates.url) as client:
        answering(client, 200, b" " * (2 << 20))
        with pytest.raises(RuntimeError, match="at most 1 MiB"):
            client.status()


def test_an_answer_that_drips_is_late(rates, monkeypatch):
    now = iter(range(100))
    with RestClient("rates", rates.url, timeout=50) as client:
        answering(client, 200, b" " * (1 << 20))
        monkeypatch.setattr(rest, "CHUNK", 10)
        monkeypatch.setattr(rest.time, "monotonic", lambda: next(now, 99))
        with pytest.raises(TimeoutError, match="within 50 s"):
            client.status()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(rates, status):
    with RestClient("rates", rates.url) as client:
        headers = {"location": "http://elsewhere.example/"}
        sent = answering(client, status, b"", headers)
        with pytest.raises(ConnectionError, match="follows no redirect"):
            client.status()
    [(_, options)] = sent
    assert options["allow_redirects"] is False and options["verify"] is True


@pytest.mark.parametrize(
    "status, error", [(401, PermissionError), (403, PermissionError), (413, ValueError)]
)
def test_what_a_proxy_says_is_explained(rates, status, error):
    with RestClient("rates", rates.url) as client:
        answering(client, status, b"no")
        with pytest.raises(error, match="Received: [A-Z _]+: no"):
            client.status()


def test_a_message_that_is_too_large_wants_fewer_rows():
    """Words of gRPC: src/core/ext/filters/message_size (checked in its binary)."""
    words = "CLIENT: Received message larger than max (4194318 vs. 4194304)"
    error = failure("RESOURCE_EXHAUSTED", words, "host:1", "dcn", 5)
    assert type(error) is ValueError and "send fewer rows" in str(error)
    error = failure("RESOURCE_EXHAUSTED", "quota", "host:1", "dcn", 5)
    assert type(error) is Overloaded


class Refusal(grpc.RpcError):
    """What a gRPC call raises."""

    def __init__(self, code, words):
        self.code = lambda: code
        self.details = lambda: words


FULL_QUEUE = "The batch scheduling queue to which this task was submitted is full"
WAITED = "Run() timeout exceeded while waiting in batching queue"
SHAPES = "Tensors with name 'a' from different tasks have different shapes"
TYPES = "Cannot concatenate tensors that have different data types"


@pytest.mark.parametrize(
    "code, status, words, error, fix",
    [
        (
            "INVALID_ARGUMENT",
            400,
            "Unrecognized servable version label: x",
            LookupError,
            "client.status()",
        ),
        (
            "NOT_FOUND",
            404,
            "Servable not found for request: Specific(dcn, 99)",
            LookupError,
            "client.status()",
        ),
        (
            "FAILED_PRECONDITION",
            400,
            'Serving signature name: "x" not found in signature def',
            ValueError,
            "client.signatures()",
        ),
        (
            "INVALID_ARGUMENT",
            400,
            "Task size 2049 is larger than maximum input batch size 2048",
            ValueError,
            "send fewer rows",
        ),
        ("FAILED_PRECONDITION", 400, SHAPES, RuntimeError, "ask_by='examples'"),
        ("INTERNAL", 500, TYPES, RuntimeError, "ask_by='examples'"),
        ("UNAVAILABLE", 503, FULL_QUEUE, Overloaded, "raise max_enqueued_batches"),
        ("RESOURCE_EXHAUSTED", 429, "quota", Overloaded, "raise max_enqueued_batches"),
        ("RESOURCE_EXHAUSTED", 429, WAITED, Overloaded, "more cores or servers"),
    ],
)
def test_the_answers_seen_on_a_server_become_these_errors(
    rates, code, status, words, error, fix
):
    """../shared/serving-real.md, "Wrong today" and "Codes".

    WAITED was read, not seen: batching_session.cc, BatchingSession::ProcessBatch.
    """

    def refuse(*_, **__):
        raise Refusal(grpc.StatusCode[code], words)

    with (
        RestClient("rates", rates.url) as rest_client,
        GrpcClient("rates", rates.address) as grpc_client,
    ):
        for client in (rest_client, grpc_client):
            client.signatures()
        answering(rest_client, status, json.dumps({"error": words}).encode())
        grpc_client._predictions.Predict = refuse
        for client in (rest_client, grpc_client):
            with pytest.raises(error) as caught:
                client.predict(ROWS)
            assert type(caught.value) is error
            _, received, said = str(caught.value).split("\n")
            assert words in received and fix in said


TOKEN = "s3cr3t-t0ken"


def test_a_token_is_sent_and_never_shown(rates):
    client = RestClient("rates", "https://127.0.0.1:1", token=TOKEN, ca_file="ca.pem")
    with client:
        request = requests.Request("GET", client.url, auth=client._session.auth)
        prepared = client._session.prepare_request(request)
        assert prepared.headers["authorization"] == f"Bearer {TOKEN}"
        sent = answering(client, 500, b"broken")
        with pytest.raises(RuntimeError) as caught:
            client.status()
        assert sent[0][1]["verify"] == "ca.pem"
    shown = f"{client!r} {vars(client)!r} {client._session.auth} {caught.value!r}"
    assert TOKEN not in shown
    credentials = grpc.ssl_channel_credentials()
    with GrpcClient("m", "localhost:1", credentials=credentials, token=TOKEN) as client:
        sent = []
        client._models.GetModelStatus = lambda _, **options: sent.append(options)
        with pytest.raises(AttributeError):  # There is no answer to read.
            client.status()
        assert sent[0]["metadata"] == [("authorization", f"Bearer {TOKEN}")]
        assert TOKEN not in f"{client!r} {vars(client)!r}"


@pytest.mark.parametrize("token", ["", "two\nlines", "é"])
def test_a_token_that_no_header_holds_is_refused_without_showing_it(token):
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Bearer(token)
    assert not token or token not in str(caught.value)


def test_nobody_can_read_a_token_on_its_way():
    with pytest.raises(ValueError, match="an https URL beside `token`"):
        RestClient("m", "http://localhost:8501", token=TOKEN)
    with pytest.raises(ValueError, match="`credentials` beside `token`"):
        GrpcClient("m", token=TOKEN)
    with pytest.raises(ValueError, match="without a name and a password") as caught:
        RestClient("m", f"https://me:{TOKEN}@localhost")
    assert TOKEN not in str(caught.value)


def test_pauses_between_retries_grow_at_random_until_the_deadline(monkeypatch):
    """On a clock of the test: each pause is drawn up to a bound that doubles."""
    now, pauses, bounds = [100.0], [], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    def draw(least, most):
        bounds.append(most)
        return (least + most) / 2

    monkeypatch.setattr(calls.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(calls.time, "sleep", sleep)
    monkeypatch.setattr(calls.random, "uniform", draw)
    left = []

    def send(seconds):
        left.append(seconds)
        raise Overloaded("full")

    choice = calls.choose(None, None, 6.0)
    with pytest.raises(Overloaded):
        calls.send_until_deadline(send, choice, 20, TimeoutError())
    assert bounds == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert pauses == [bound / 2 for bound in bounds[:-1]]
    np.testing.assert_allclose(left, 6.0 - np.cumsum([0, *pauses]))
