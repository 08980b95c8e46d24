"""The clients, against a stand-in server that has no code of TF Serving."""

import io
import json
import threading
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import pytest
import requests
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2

from tests.support.frames import click_frame, click_schema
from tests.support.meta_graphs import signature_def, tensor_info
from tests.support.stand_in_server import StandInServer
from tf_ctr.data.examples import to_examples
from tf_ctr.serving import GrpcClient, Overloaded, RestClient
from tf_ctr.serving.client import calls
from tf_ctr.serving.client.failures import failure
from tf_ctr.serving.client.inputs import to_inputs
from tf_ctr.serving.wire import protos


@pytest.fixture(scope="module")
def clicks(exported_clicks):
    model, version = exported_clicks
    with StandInServer("dcn", {1: version}) as server:
        yield model, version, server


@pytest.fixture(scope="module")
def rates(exported_rates):
    versions = {1: exported_rates / "1", 2: exported_rates / "2"}
    labels = {"stable": 1, "canary": 2, "late": 3}
    with StandInServer("rates", versions, labels, ended=[3]) as server:
        yield server


def client_of(kind, server, **options):
    if kind == "rest":
        return RestClient(server.name, server.url, **options)
    return GrpcClient(server.name, server.address, **options)


@pytest.fixture(params=["grpc", "rest"])
def kind(request):
    return request.param


@pytest.fixture
def client(kind, rates):
    with client_of(kind, rates) as client:
        yield client


ROWS = {"user": ["ann", "bob", "somebody new"]}
SCORES = [0.1, 0.3, 0.4]


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        pd.DataFrame(ROWS),
        [{"user": user} for user in ROWS["user"]],
        {"user": np.array(ROWS["user"])},
    ],
)
def test_rows_can_have_any_form(client, rows):
    scores = client.predict(rows, version=1)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, SCORES, rtol=1e-6)


def test_a_dict_of_single_values_is_one_row(client):
    np.testing.assert_allclose(client.predict({"user": "bob"}, version=1), [0.3])


def test_a_call_can_ask_a_version_or_a_label(client):
    def score(**choice):
        return float(client.predict({"user": "bob"}, **choice)[0])

    assert score(version=1) == score(label="stable") == pytest.approx(0.3)
    # The newest by default.
    assert score() == score(label="canary") == pytest.approx(0.15)
    assert client.status() == {3: "END", 2: "AVAILABLE", 1: "AVAILABLE"}


def test_classify_and_regress_give_the_click_rates(client):
    [ann, _, _] = client.classify(ROWS, version=1)
    assert set(ann) == {"click", "no_click"}
    assert ann["click"] == pytest.approx(0.1) and sum(ann.values()) == pytest.approx(1)
    np.testing.assert_allclose(client.regress(ROWS, label="stable"), SCORES, rtol=1e-6)


def test_the_client_reads_the_signatures_of_the_version(client):
    found = client.signatures(version=1)
    assert set(found) == {"serving_default", "predict_examples", "regress", "classify"}
    assert found["serving_default"].inputs["user"].dtype == tf.string.as_datatype_enum


@pytest.mark.parametrize(
    "choice", [{"version": 9}, {"label": "none"}, {"label": "late"}]
)
def test_an_unknown_version_or_label_is_a_lookup_error(client, choice):
    with pytest.raises(LookupError, match="a version of 'rates' that"):
        client.predict(ROWS, **choice)


def test_an_unknown_model_is_a_lookup_error(kind, rates):
    client = client_of(kind, rates)
    client.model = "other"
    for call in (client.status, lambda: client.predict(ROWS)):
        with pytest.raises(LookupError, match="'other'"):
            call()


def test_a_version_and_a_label_together_are_refused(client):
    with pytest.raises(ValueError, match="a version or a label"):
        client.predict(ROWS, version=1, label="stable")


def test_an_unknown_signature_lists_the_known_ones(client):
    with pytest.raises(ValueError, match="classify, predict_examples, regress"):
        client.predict(ROWS, "scores")


def test_a_late_answer_is_a_timeout(kind, rates):
    client = client_of(kind, rates)
    client.signatures()
    rates.delay = 1.0
    try:
        with pytest.raises(TimeoutError, match="within 0.05 s"):
            client.predict(ROWS, timeout=0.05)
    finally:
        rates.delay = 0.0


def test_no_server_is_a_connection_error():
    for client in (
        GrpcClient("m", "127.0.0.1:1"),
        RestClient("m", "http://127.0.0.1:1"),
    ):
        with pytest.raises(ConnectionError, match="8500 is the port of gRPC"):
            client.predict(ROWS)


def test_an_address_of_another_service_is_a_connection_error(rates, monkeypatch):
    with pytest.raises(ConnectionError, match="8500 is the port of gRPC"):
        RestClient("rates", f"http://{rates.address}").status()
    answers = [b"{}", b"[]", b"5", b"<html>"]

    def answer(*_, **__):
        made = requests.Response()
        made.status_code, made.raw = 200, io.BytesIO(answers.pop())
        return made

    monkeypatch.setattr(requests.Session, "request", answer)
    while answers:
        with pytest.raises(ConnectionError, match="TF Serving to answer at"):
            RestClient("rates", rates.url).predict(ROWS)


def test_a_refused_request_is_a_value_error_and_forgets_the_signatures(kind, rates):
    client = client_of(kind, rates)
    inputs = client.signatures()["serving_default"].inputs
    # As if the version had had another field when the client asked.
    inputs["item"].CopyFrom(inputs["user"])
    del inputs["user"]
    with pytest.raises(ValueError, match="a request that 'rates' takes(.|\n)*inputs"):
        client.predict({"item": ["x"]})
    np.testing.assert_allclose(client.predict({"user": "ann"}, version=1), [0.1])
    np.testing.assert_allclose(client.predict({"user": "ann"}), [0.05])


def test_a_full_queue_is_told_apart_from_no_server(kind, rates):
    """Sources: shared_batch_scheduler.h, ValidateBatchTaskQueueCapacity; seen."""
    with client_of(kind, rates) as client:
        client.signatures()
        rates.turned_away = 1
        with pytest.raises(Overloaded, match="raise max_enqueued_batches"):
            client.predict(ROWS)
        assert rates.turned_away == 0
        assert client.predict(ROWS, version=1).shape == (3,)


@pytest.mark.parametrize("status", [429, 503])
def test_by_rest_a_busy_server_is_known_by_its_status(rates, monkeypatch, status):
    """Source: http_server.cc, ToHTTPStatusCode."""

    def answer(*_, **__):
        made = requests.Response()
        made.status_code, made.raw = status, io.BytesIO(b"busy")
        return made

    monkeypatch.setattr(requests.Session, "request", answer)
    with client_of("rest", rates) as client, pytest.raises(Overloaded, match="busy"):
        client.status()


def test_a_call_is_sent_again_to_a_full_queue_if_asked(kind, rates, monkeypatch):
    pauses = []
    monkeypatch.setattr(
        calls.random, "uniform", lambda _, most: pauses.append(most) or 0
    )
    with client_of(kind, rates, retries=3) as client:
        rates.turned_away = 3
        np.testing.assert_allclose(client.predict(ROWS, version=1), SCORES, rtol=1e-6)
        rates.turned_away = 4
        with pytest.raises(Overloaded):
            client.predict(ROWS, version=1)
    assert pauses == [0.05, 0.1, 0.2, 0.05, 0.1, 0.2, 0.4]
    assert rates.turned_away == 0


def test_retries_end_with_the_deadline(kind, rates, monkeypatch):
    monkeypatch.setattr(calls.random, "uniform", lambda _, most: 60.0)
    with client_of(kind, rates, retries=9, timeout=30) as client:
        client.signatures()
        rates.turned_away = 9
        try:
            with pytest.raises(Overloaded):
                client.predict(ROWS)
            assert rates.turned_away == 8
        finally:
            rates.turned_away = 0


def test_the_deadline_counts_all_requests_of_a_call(kind, rates):
    """Asking for the signatures takes 0.3 s, and so would the scores."""
    rates.delay = 0.3
    try:
        with (
            client_of(kind, rates) as client,
            pytest.raises(TimeoutError, match=r"within 0\.45 s"),
        ):
            client.predict(ROWS, timeout=0.45)
    finally:
        rates.delay = 0.0


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_every_call_has_a_deadline(kind, rates, timeout):
    with pytest.raises(ValueError, match="`timeout` as seconds"):
        client_of(kind, rates, timeout=timeout)
    with (
        client_of(kind, rates) as client,
        pytest.raises(ValueError, match="`timeout` as seconds"),
    ):
        client.predict(ROWS, timeout=timeout)


def test_threads_share_a_client_and_its_connections(kind, rates):
    before = rates.connections
    wrong = []

    def ask(client):
        for _ in range(10):
            scores = client.predict(ROWS, version=1)
            if not np.allclose(scores, SCORES, rtol=1e-6):
                wrong.append(scores)
            try:  # Makes the client forget the signatures.
                client.predict(ROWS, version=9)
            except LookupError:
                continue

    with client_of(kind, rates) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert rates.connections - before <= (4 if kind == "rest" else 0)


def test_one_connection_is_kept_alive(rates):
    before = rates.connections
    with client_of("rest", rates) as client:
        for _ in range(5):
            client.predict(ROWS)
        client.status()
    assert rates.connections == before + 1


def test_a_connection_that_the_server_closed_is_opened_again(rates, monkeypatch):
    with client_of("rest", rates) as client:
        client.predict(ROWS)
        handler = rates._http.RequestHandlerClass
        answer, closed = handler._answer, []

        def close_once(self, body):
            if closed:
                return answer(self, body)
            closed.append(True)
            self.close_connection = True  # Without an answer.

        monkeypatch.setattr(handler, "_answer", close_once)
        np.testing.assert_allclose(client.predict(ROWS, version=1), SCORES, rtol=1e-6)
    assert closed


def test_a_closed_client_says_so(kind, rates):
    with client_of(kind, rates) as client:
        client.predict(ROWS)
    with pytest.raises(ValueError, match="an open client"):
        client.predict(ROWS)


def post(server, method, body):
    """The status of the stand-in server's answer, and what it says."""
    url = f"{server.url}/v1/models/{server.name}{method}"
    answer = requests.post(url, json=body, timeout=5)
    return answer.status_code, answer.json().get("error", "")


@pytest.mark.parametrize(
    "method, body, status, words",
    [
        ("/labels/x:predict", {}, 400, "Unrecognized servable version label: x"),
        ("/versions/99:predict", {}, 404, "Specific(rates, 99)"),
        (":predict", {"signature_name": "x"}, 400, '"x" not found in signature def'),
        (":predict", {"instances": [{}]}, 400, ""),
        (":predict", {"inputs": {}}, 400, ""),
        (":predict", {"instances": [{"user": "ann", "age": 1}]}, 400, ""),
        (":predict", {"inputs": {"user": ["ann"], "age": [1]}}, 200, ""),
        (":predict", {"instances": [{"user": "ann"}], "further": 1}, 200, ""),
        (":predict", {"instances": [{"user": 1}]}, 400, ""),
        (":predict", {"instances": [{"user": None}]}, 400, ""),
        (
            ":regress",
            {"examples": [{"user": "ann"}]},
            400,
            "Expected one input Tensor.",
        ),
        (
            ":classify",
            {"examples": [{"user": "ann"}]},
            400,
            "Expected one input Tensor.",
        ),
    ],
)
def test_the_stand_in_server_has_the_codes_of_the_server(
    rates, method, body, status, words
):
    """Seen on a server; sources: server_core.cc, http_server.cc and json_tensor.cc."""
    answered, said = post(rates, method, body)
    assert answered == status and words in said


@pytest.mark.parametrize(
    "changes, status",
    [
        ({}, 200),
        ({"item": 7.0}, 400),  # "integer written 1.0"
        ({"item": "7"}, 400),  # "integer as text"
        ({"user": 7}, 400),  # "text as integer"
        ({"item": None}, 400),  # "null"
        ({"age": 31}, 200),  # "float written as an integer"
        ({"tags": [["a"], ["b", "c"]]}, 400),  # "rows of different list lengths"
    ],
)
@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_the_stand_in_server_reads_values_as_the_server(clicks, form, changes, status):
    """../shared/serving-real.md, "Codes"; source: json_tensor.cc, AddValueToTensor."""
    _, version, server = clicks
    sample = version / "assets.extra/requests/serving_default_row.json"
    row = json.loads(sample.read_text())["instances"][0]
    rows = [dict(row), dict(row)]
    for field, value in changes.items():
        for place, each in enumerate(rows):
            each[field] = value[place] if isinstance(value, list) else value
    columns = {field: [each[field] for each in rows] for field in row}
    body = {"instances": rows} if form == "instances" else {"inputs": columns}
    assert post(server, ":predict", body)[0] == status


def test_an_unknown_signature_is_a_failed_precondition_by_grpc(rates):
    """Source: predict_util.cc, RunPredict."""
    request = protos.predict_request({"user": np.array([b"ann"], object)})
    request.model_spec.name, request.model_spec.signature_name = "rates", "x"
    with GrpcClient("rates", rates.address) as client:
        with pytest.raises(client._error) as caught:
            client._predictions.Predict(request, timeout=5)
    assert caught.value.code().name == "FAILED_PRECONDITION"


def test_a_url_needs_a_scheme():
    with pytest.raises(ValueError, match="a URL"):
        RestClient("m", "localhost:8501")


def test_the_stand_in_server_refuses_malformed_requests(rates):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{rates.url}/v1/model/rates")
    request = urllib.request.Request(
        f"{rates.url}/v1/models/rates:predict", data=b"{", method="POST"
    )
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        urllib.request.urlopen(request)
    assert "JSON Parse error" in json.load(caught.value)["error"]


def test_every_signature_accepts_every_kind_of_field(kind, clicks):
    model, _, server = clicks
    frame, schema = click_frame(6, seed=3), click_schema()
    expected = model.predict(schema.encode(schema.raw_columns(frame)), verbose=0)[:, 0]
    client = client_of(kind, server, schema=schema)
    close = {"rtol": 0, "atol": 1e-6}
    np.testing.assert_allclose(client.predict(frame), expected, **close)
    np.testing.assert_allclose(client.regress(frame), expected, **close)
    classes = [each["click"] for each in client.classify(frame)]
    np.testing.assert_allclose(classes, expected, **close)
    columns = schema.raw_columns(frame)
    text = {n: c.astype(str) if c.dtype == np.int64 else c for n, c in columns.items()}
    scores = client.predict(text, "string_ids")
    np.testing.assert_allclose(scores, expected, **close)
    examples = to_examples(
        to_inputs(frame, client.signatures()["serving_default"], schema)
    )
    serialized = {"examples": [each.SerializeToString() for each in examples]}
    scores = client.predict(serialized, "predict_examples")
    np.testing.assert_allclose(scores, expected, **close)


def test_candidates_score_many_items_of_one_user(kind, clicks):
    _, _, server = clicks
    client = client_of(kind, server)
    columns = click_schema().raw_columns(click_frame(4))
    one = {name: values[:1] for name, values in columns.items()}
    users = {"user", "history"}
    many = {n: one[n] if n in users else v[np.newaxis] for n, v in columns.items()}
    crossed = {
        n: np.repeat(one[n], 4, 0) if n in users else v for n, v in columns.items()
    }
    scores = client.predict(many, "candidates")
    assert scores.shape == (1, 4)
    np.testing.assert_allclose(scores[0], client.predict(crossed), rtol=0, atol=1e-6)


def test_rows_share_the_context(kind, clicks):
    _, _, server = clicks
    client = client_of(kind, server)
    columns = click_schema().raw_columns(click_frame(3))
    context = {name: columns[name][0] for name in ("user", "history")}
    rows = {n: v for n, v in columns.items() if n not in context}
    crossed = {**rows, **{n: np.stack([v] * 3) for n, v in context.items()}}
    shared = client.regress(rows, context)
    np.testing.assert_allclose(shared, client.predict(crossed), rtol=0, atol=1e-6)
    assert client.classify(rows, context)[0]["click"] == pytest.approx(shared[0])
    # A schema fills what rows and context lack, as it does without a context.
    filled = client_of(kind, server, schema=click_schema())
    lists = [[], *([t for t in tags if t] for tags in columns["tags"].tolist()[1:])]
    rows["age"] = [None, *rows["age"][1:].tolist()]
    given = filled.regress({**rows, "tags": lists}, {**context, "history": []})
    crossed["history"] = np.full((3, 4), -1)
    crossed["tags"][0] = ""
    crossed["age"] = np.array([np.nan, *crossed["age"][1:]], "float32")
    np.testing.assert_allclose(given, client.predict(crossed), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="'usr'(.|\n)*use one of: age, device"):
        client.regress(rows, {"usr": "ann"})


def test_a_schema_fills_missing_values(kind, clicks):
    model, _, server = clicks
    schema = click_schema()
    frame = click_frame(2)
    frame["user"] = ["u1", None]
    frame["tags"] = [["a", "b", "c"], []]
    frame["age"] = [None, 30.0]
    expected = model.predict(schema.encode(schema.raw_columns(frame)), verbose=0)[:, 0]
    scores = client_of(kind, server, schema=schema).predict(frame)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    # By examples, missing values are left out, and lists may have any length.
    scores = client_of(kind, server).predict(frame)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="pass schema= to the client"):
        client_of(kind, server, ask_by="tensors").predict(frame)


def test_the_server_answers_the_sample_requests_of_a_version(clicks):
    """By REST and by gRPC, with the model's scores of their three rows."""
    model, version, server = clicks
    schema = click_schema()
    rows = schema.encode(schema.raw_columns(click_frame().head(3)))
    expected = model.predict(rows, verbose=0)[:, 0]
    scores = {}
    for file in (version / "assets.extra" / "requests").glob("*.json"):
        method = file.stem if file.stem in ("classify", "regress") else "predict"
        url = f"{server.url}/v1/models/dcn:{method}"
        with urllib.request.urlopen(url, file.read_bytes()) as answer:
            [scores[file.stem]] = json.load(answer).values()
    names = {"serving_default_row", "serving_default_column", "regress"}
    names |= {"string_ids_row", "string_ids_column", "predict_examples"}
    for name in names:
        np.testing.assert_allclose(scores[name], expected, rtol=0, atol=1e-6)
    clicked = [dict(map(tuple, row))["click"] for row in scores["classify"]]
    np.testing.assert_allclose(clicked, expected, rtol=0, atol=1e-6)
    assert scores["candidates_row"] == scores["candidates_column"]

    text = (version / "assets.extra" / "requests" / "string_ids.pbtxt").read_text()
    request = text_format.Parse(text, predict_pb2.PredictRequest())
    with GrpcClient("dcn", server.address) as client:
        answer = client._predictions.Predict(request, timeout=5)
    found = tf.make_ndarray(answer.outputs["click"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


TWO = signature_def(item=tensor_info(tf.int64, None), age=tensor_info(tf.float32, None))


def test_values_take_the_dtypes_of_the_signature():
    inputs = to_inputs([{"item": 7, "age": 3}, {"item": 8, "age": None}], TWO)
    assert inputs["item"].dtype == np.int64 and inputs["age"].dtype == np.float32
    np.testing.assert_array_equal(inputs["age"], [3, np.nan])


@pytest.mark.parametrize(
    "rows, error, words",
    [
        ([{"item": 7}], ValueError, "none of \\['age'\\]"),
        ([{"item": 7.5, "age": 1.0}], ValueError, "'item' as int64"),
        ([{"item": "7", "age": 1.0}], ValueError, "'item' as int64"),
        ([{"item": True, "age": 1.0}], ValueError, "'item' as int64"),
        ([{"item": None, "age": 1.0}], ValueError, "no missing values"),
        ([{"item": 2**63, "age": 1.0}], ValueError, "'item' as int64"),
        ([{"item": [7], "age": 1.0}], ValueError, "with 1 dimensions"),
        ([{"item": 7, "age": "old"}], ValueError, "'age' as float32"),
        ({"item": [7, 8], "age": [1.0]}, ValueError, "as many values"),
        ([], ValueError, "at least one row"),
        ({"item": [], "age": []}, ValueError, "at least one row"),
        (None, TypeError, "a frame, a list of dicts"),
        ("ann", ValueError, "names none"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, error, words):
    with pytest.raises(error, match=words):
        to_inputs(rows, TWO)


def test_without_a_schema_lists_must_have_one_length():
    lists = signature_def(tags=tensor_info(tf.string, None, None))
    with pytest.raises(ValueError, match="lists of one length"):
        to_inputs([{"tags": ["a"]}, {"tags": ["b", "c"]}], lists)
    assert to_inputs([{"tags": ["a"]}], lists)["tags"].tolist() == [[b"a"]]


@pytest.mark.parametrize(
    "code, kind",
    [
        ("UNAVAILABLE", ConnectionError),
        ("DEADLINE_EXCEEDED", TimeoutError),
        ("NOT_FOUND", LookupError),
        ("INVALID_ARGUMENT", ValueError),
        ("FAILED_PRECONDITION", ValueError),
        ("RESOURCE_EXHAUSTED", Overloaded),
        ("INTERNAL", RuntimeError),
    ],
)
def test_failures_of_the_server_are_explained(code, kind):
    error = failure(code, "why", "host:1", "dcn", 5)
    assert type(error) is kind
    assert f"Received: {code}: why." in str(error) and "Fix: " in str(error)


@pytest.mark.parametrize(
    "code, details, answered, kind",
    [
        (
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: x",
            True,
            LookupError,
        ),
        ("UNAVAILABLE", "failed to connect to all addresses", False, ConnectionError),
        ("UNAVAILABLE", "anything", True, Overloaded),
        (
            "RESOURCE_EXHAUSTED",
            "Sent message larger than max (9 vs. 4)",
            False,
            ValueError,
        ),
    ],
)
def test_failures_of_one_code_are_told_apart(code, details, answered, kind):
    assert type(failure(code, details, "host:1", "dcn", 5, answered)) is kind


def test_without_the_serving_package_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(protos.importlib, "import_module", missing)
    for make in (lambda: GrpcClient("m"), lambda: RestClient("m")):
        with pytest.raises(ImportError, match=r"pip install 'tf_ctr\[serving\]'"):
            make()
