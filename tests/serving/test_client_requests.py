"""What the clients send: by tensors or by examples, and never what hurts others."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tf_ctr
from tests.support.batching import merged
from tests.support.frames import click_frame, click_schema
from tests.support.meta_graphs import signature_def, tensor_info
from tests.support.stand_in_server import StandInServer
from tf_ctr.serving import GrpcClient, RestClient
from tf_ctr.serving.client.asking import with_shared_context
from tf_ctr.serving.client.inputs import to_inputs, to_row_examples
from tf_ctr.serving.wire.json import json_example

CLOSE = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(scope="module")
def clicks(exported_clicks):
    model, version = exported_clicks
    with StandInServer("dcn", {1: version}) as server:
        yield model, server


@pytest.fixture(scope="module")
def rates(exported_rates):
    with StandInServer("rates", {1: exported_rates / "1"}) as server:
        yield server


def recording(client):
    """The requests that a `GrpcClient` sends to `Predict` from now on."""
    sent, send = [], client._predictions.Predict

    def record(request, **options):
        sent.append(request)
        return send(request, **options)

    client._predictions.Predict = record
    return sent


def scores_of(model, schema, frame):
    return model.predict(schema.encode(schema.raw_columns(frame)), verbose=0)[:, 0]


def mixed_rows():
    """Requests of three callers, whose lists differ in length."""
    frame = click_frame(6, seed=5)
    one, two, three = frame[:2].copy(), frame[2:3].copy(), frame[3:].copy()
    one["history"], one["tags"] = [[], []], [["a"], []]
    two["history"], two["tags"] = [list(range(100, 108))], [["c", "b", "a"]]
    three["history"] = [[101], [102, 103], [104]]
    return one, two, three


@pytest.mark.parametrize("schema", [None, click_schema()], ids=["plain", "schema"])
def test_mixed_requests_join_in_a_batch_by_examples(clicks, schema):
    model, server = clicks
    with GrpcClient("dcn", server.address, schema=schema) as client:
        sent = recording(client)
        answers = [client.predict(frame) for frame in mixed_rows()]
    assert {request.model_spec.signature_name for request in sent} == {
        "predict_examples"
    }
    name, inputs = merged(sent)
    batch = server.loaded[1](name, inputs)["click"]
    whole = pd.concat(mixed_rows())
    expected = scores_of(model, click_schema(), whole)
    np.testing.assert_allclose(batch, expected, **CLOSE)
    np.testing.assert_allclose(np.concatenate(answers), expected, **CLOSE)


def test_by_tensors_a_schema_pads_lists_so_that_requests_join(clicks):
    model, server = clicks
    schema = click_schema()
    options = {"ask_by": "tensors", "schema": schema}
    with GrpcClient("dcn", server.address, **options) as client:
        sent = recording(client)
        for frame in mixed_rows():
            client.predict(frame)
    assert tf.make_ndarray(sent[0].inputs["history"]).shape == (2, 4)
    name, inputs = merged(sent)
    assert name == "serving_default"
    expected = scores_of(model, schema, pd.concat(mixed_rows()))
    found = server.loaded[1](name, inputs)["click"]
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_by_tensors_without_a_schema_requests_do_not_join(clicks):
    """The trait that examples avoid; else this file would show nothing."""
    _, server = clicks
    with GrpcClient("dcn", server.address, ask_by="tensors") as client:
        sent = recording(client)
        for row in ({"history": [[101]]}, {"history": [[101, 102]]}):
            client.predict({**to_lists(click_frame(1)), **row})
    with pytest.raises(ValueError, match="from different tasks have different shapes"):
        merged(sent)


def item_requests(client, ids, history):
    """What a client sends for one row, with the ids and the list given."""
    sent = recording(client)
    client.predict({**to_lists(click_frame(1)), "item": ids, "history": [history]})
    return sent


def test_lists_of_0_to_40_values_and_integers_of_any_width_join(clicks):
    """The mixed requests of which the server answered 175 of 175 by examples."""
    _, server = clicks
    widths = (np.int32, np.int64)
    sent = []
    with GrpcClient("dcn", server.address) as client:
        for length in range(41):
            width = widths[length % 2]
            history = np.arange(100, 100 + length, dtype=width) % 12 + 100
            sent += item_requests(client, np.array([104], width), history)
    name, inputs = merged(sent)
    scores = server.loaded[1](name, inputs)["click"]
    assert scores.shape == (41,) and np.isfinite(scores).all()


def test_integers_of_two_widths_would_not_join(clicks):
    """Source: TensorFlow, core/framework/tensor_util.cc, tensor::Concat."""
    _, server = clicks
    options = {"ask_by": "tensors", "schema": click_schema()}
    with GrpcClient("dcn", server.address, **options) as client:
        sent = item_requests(client, np.array([104], np.int32), [101])
        sent += item_requests(client, np.array([104], np.int64), [101, 102])
    assert merged(sent)[1]["item"].dtype == np.int64
    sent[0].inputs["item"].CopyFrom(tf.make_tensor_proto(np.array([104], np.int32)))
    with pytest.raises(ValueError, match="different data types"):
        merged(sent)


def test_ids_as_text_are_padded_so_that_requests_join(clicks):
    """`string_ids` has no form by examples."""
    model, server = clicks
    schema = click_schema()
    with GrpcClient("dcn", server.address, schema=schema) as client:
        sent = recording(client)
        for frame in mixed_rows():
            text = frame.assign(
                item=frame["item"].astype(str),
                history=[[*map(str, ids)] for ids in frame["history"]],
            )
            client.predict(text, "string_ids")
    name, inputs = merged(sent)
    assert name == "string_ids"
    assert inputs["history"][2].tolist() == [b"104", b"105", b"106", b"107"]
    expected = scores_of(model, schema, pd.concat(mixed_rows()))
    np.testing.assert_allclose(
        server.loaded[1](name, inputs)["click"], expected, **CLOSE
    )


def test_without_a_schema_lists_of_string_ids_are_only_sent_if_told_so(clicks):
    """Nobody could pad them, and they would fail the requests of others."""
    _, server = clicks
    rows = to_lists(click_frame(1))
    rows |= {"item": ["101"], "history": [["101", "102"]]}
    with GrpcClient("dcn", server.address) as client:
        with pytest.raises(ValueError, match=r"\['history', 'tags'\](.|\n)*ask_by"):
            client.predict(rows, "string_ids")
    with GrpcClient("dcn", server.address, ask_by="tensors") as client:
        assert client.predict(rows, "string_ids").shape == (1,)


def test_a_schema_does_not_hide_what_does_not_fit(clicks):
    _, server = clicks
    frame = click_frame(1)
    text = {**to_lists(frame), "item": ["7"]}
    with GrpcClient("dcn", server.address, schema=click_schema()) as client:
        for history in ([np.array(["1", "2"])], ["1", ["2"]], [7], "7"):
            rows = {**text, "history": [history]}
            with pytest.raises(ValueError, match="Expected 'history' (.|\n)*Fix"):
                client.predict(rows, "string_ids")


def test_candidates_by_tensors_are_padded_and_filled(clicks):
    model, server = clicks
    schema, frame = click_schema(), click_frame(3, seed=7)
    frame["history"] = [[], [101], [101, 102, 103, 104, 105]]
    frame["tags"] = [["a"], [], ["c", "b", "a", "a"]]
    frame["device"] = ["d1", None, "d2"]
    users = ("user", "history")
    options = {"ask_by": "tensors", "schema": schema}
    with GrpcClient("dcn", server.address, **options) as client:
        sent = recording(client)
        for row in range(3):
            one = {n: [frame[n].iloc[row]] for n in users}
            many = {n: [frame[n].tolist()] for n in frame.columns if n not in users}
            client.predict({**one, **many}, "candidates")
    name, inputs = merged(sent)
    assert inputs["history"].shape == (3, 4) and inputs["tags"].shape == (3, 3, 3)
    crossed = pd.concat(
        frame.assign(
            user=frame["user"].iloc[row], history=[frame["history"].iloc[row]] * 3
        )
        for row in range(3)
    )
    found = server.loaded[1](name, inputs)["click"]
    np.testing.assert_allclose(
        found.ravel(), scores_of(model, schema, crossed), **CLOSE
    )


def to_lists(frame):
    return {name: frame[name].tolist() for name in frame.columns}


def test_different_numbers_of_candidates_join_in_a_batch(clicks):
    model, server = clicks
    frame = click_frame(5, seed=7)
    users = ("user", "history")
    with GrpcClient("dcn", server.address) as client:
        sent = recording(client)
        for rows in (frame[:2], frame[2:]):
            one = {n: [rows[n].iloc[0]] for n in users}
            many = {n: [rows[n].tolist()] for n in frame.columns if n not in users}
            crossed = rows.copy()
            for name in users:
                crossed[name] = [rows[name].iloc[0]] * len(rows)
            scores = client.predict({**one, **many}, "candidates")
            expected = scores_of(model, click_schema(), crossed)
            np.testing.assert_allclose(scores, expected[np.newaxis], **CLOSE)
        assert merged(sent)[1]["examples"].shape == (5,)
        client.ask_by = "tensors"
        padded = {n: [v] for n, v in click_schema().raw_columns(frame).items()}
        padded |= {n: padded[n][0][:1] for n in users}
        assert client.predict(padded, "candidates").shape == (1, 5)
        assert sent[-1].model_spec.signature_name == "candidates"


@pytest.mark.parametrize("ask_by", ["auto", "tensors"])
@pytest.mark.parametrize("items", [[[]], [[7, 8], [9]]])
def test_candidates_are_as_many_in_every_field_and_at_least_one(clicks, ask_by, items):
    _, server = clicks
    columns = {n: v[:1] for n, v in click_schema().raw_columns(click_frame()).items()}
    rows = {n: [[v[0]]] for n, v in columns.items() if n not in ("user", "history")}
    rows |= {"user": columns["user"], "history": columns["history"], "item": items}
    with GrpcClient("dcn", server.address, ask_by=ask_by) as client:
        with pytest.raises(ValueError, match=r"Expected (.|\n)*Received(.|\n)*Fix"):
            client.predict(rows, "candidates")


def test_without_lists_rows_go_by_tensors_unless_told_otherwise(rates):
    with GrpcClient("rates", rates.address) as client:
        sent = recording(client)
        client.predict({"user": ["ann"]})
        client.ask_by = "examples"
        client.predict({"user": ["ann", None]})
    names = [request.model_spec.signature_name for request in sent]
    assert names == ["serving_default", "predict_examples"]
    (known, missing) = map(
        tf.train.Example.FromString, tf.make_ndarray(sent[1].inputs["examples"])
    )
    assert known.features.feature["user"].bytes_list.value == [b"ann"]
    assert not missing.features.feature
    with pytest.raises(ValueError, match="`ask_by` to be one of 'auto'"):
        GrpcClient("rates", rates.address, ask_by="rows")


def test_by_rest_examples_travel_as_text_or_base64(clicks):
    model, server = clicks
    frame = click_frame(3)
    with RestClient("dcn", server.url) as client:
        client.signatures()
        sent, send = [], client._session.request

        def record(method, url, **options):
            sent.append(json.loads(options["data"]))
            return send(method, url, **options)

        client._session.request = record
        scores = client.predict(frame)
    np.testing.assert_allclose(scores, scores_of(model, click_schema(), frame), **CLOSE)
    [body] = sent
    assert body["signature_name"] == "predict_examples"
    assert len(body["inputs"]["examples"]) == 3


@pytest.mark.parametrize("rows", [[], {"user": []}, pd.DataFrame({"user": []}), [{}]])
@pytest.mark.parametrize("ask_by", ["examples", "tensors"])
def test_no_row_is_refused_before_anything_is_sent(rates, rows, ask_by):
    """Under batching such a request waits until its deadline (seen on a server)."""
    with GrpcClient("rates", rates.address, ask_by=ask_by) as client:
        client.signatures()
        sent = recording(client)
        for call in (client.predict, client.regress, client.classify):
            with pytest.raises(ValueError, match="at least one row(.|\n)*Fix"):
                call(rows)
        assert not sent


FIELDS = signature_def(
    user=tensor_info(tf.string, None),
    item=tensor_info(tf.int64, None),
    age=tensor_info(tf.float32, None),
    history=tensor_info(tf.int64, None, None),
)
ROW = {"user": "ann", "item": 7, "age": 30.0, "history": [1, 2]}


def as_json(rows, **options):
    return [json_example(e) for e in to_row_examples(rows, FIELDS, **options)]


@pytest.mark.parametrize("item", [7, np.int32(7), np.uint8(7), np.int64(7)])
@pytest.mark.parametrize("age", [30, 30.0, np.float16(30), np.int32(30)])
def test_every_value_takes_the_dtype_of_the_signature(item, age):
    """Else int32 beside int64 fails a whole batch: tensor_util.cc, tensor::Concat."""
    rows = [{**ROW, "item": item, "age": age, "history": np.array([1, 2], "int16")}]
    assert as_json(rows) == [
        {"user": ["ann"], "item": [7], "age": [30.0], "history": [1, 2]}
    ]
    lists = {**{name: [rows[0][name]] for name in ROW}, "history": [[1, 2]]}
    found = {name: array.dtype for name, array in to_inputs(lists, FIELDS).items()}
    assert found == {"user": object, "item": "i8", "age": "f4", "history": "i8"}


def test_missing_values_are_left_out_of_examples():
    empty = {"user": None, "item": pd.NA, "age": float("nan"), "history": None}
    assert as_json([ROW, empty, {**ROW, "history": [None, 3]}])[1:] == [
        {},
        {"user": ["ann"], "item": [7], "age": [30.0], "history": [3]},
    ]


def test_zero_bytes_at_the_end_of_an_id_stay():
    rows = [{**ROW, "user": b"nul\0"}, {**ROW, "user": "\0"}]
    users = [example["user"] for example in as_json(rows)]
    assert users == [["nul\0"], ["\0"]]
    frame = click_frame(2).assign(user=["nul\0", "\0"])
    schema = click_schema()
    signature = signature_def(
        **{
            name: tensor_info(spec.dtype, *spec.shape)
            for name, spec in schema.raw_signature().items()
        }
    )
    examples, context = with_shared_context(frame, None, signature, schema)
    assert [json_example(e)["user"] for e in examples] == users and context is None
    _, context = with_shared_context(
        click_frame(2).drop(columns="user"), {"user": "nul\0"}, signature, schema
    )
    assert json_example(context) == {"user": ["nul\0"]}


def test_a_field_is_in_the_rows_or_in_the_context():
    with pytest.raises(ValueError, match=r"\['user'\] in both(.|\n)*Fix"):
        with_shared_context([ROW], {"user": "bob"}, FIELDS, None)
    with pytest.raises(ValueError, match="at least one row"):
        with_shared_context([{}, {}], ROW, FIELDS, None)


THREE_PARTS = r"Expected (.|\n)*\nReceived: (.|\n)*\nFix: "


@pytest.mark.parametrize(
    "rows, error, words",
    [
        (ROW, ValueError, "wrap one row in a list"),
        ({**ROW, "user": ["ann"]}, ValueError, "wrap one row in a list"),
        (
            {"user": ["a", "b"], "item": [1], "age": [1], "history": [[]]},
            ValueError,
            "as many values",
        ),
        ([{**ROW, "history": {"a": 1}}], (ValueError, TypeError), "history"),
        ([{**ROW, "user": {"ann"}}], (ValueError, TypeError), "user"),
        ([{**ROW, "history": [[1], [2, 3]]}], (ValueError, TypeError), "history"),
        ([{**ROW, "user": "\ud800"}], (ValueError, TypeError), "user"),
        (
            pd.DataFrame([[1, 2]], columns=["item", "item"]),
            ValueError,
            "one column named 'item'",
        ),
        (5, TypeError, "a frame, a list of dicts"),
        ((row for row in [ROW]), TypeError, "a frame, a list of dicts"),
    ],
)
@pytest.mark.parametrize("with_schema", [False, True])
def test_rows_that_no_request_can_hold_are_explained(rows, error, words, with_schema):
    schema = tf_ctr.Schema(
        [
            tf_ctr.Categorical("user", vocabulary=["ann"]),
            tf_ctr.Categorical("item", vocabulary=[7]),
            tf_ctr.Numeric("age", transform="quantile", boundaries=[18, 30]),
            tf_ctr.Sequence("history", of="item", max_length=2),
        ]
    )
    schema = schema if with_schema else None
    for convert in (to_inputs, to_row_examples):
        with pytest.raises(error, match=THREE_PARTS) as caught:
            convert(rows, FIELDS, schema)
        assert words in str(caught.value)
