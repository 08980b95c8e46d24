"""The wire formats: gRPC messages and the JSON of REST, written and read."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2

from tests.support.meta_graphs import signature_def, tensor_info
from tf_ctr.data.examples import to_examples
from tf_ctr.serving.wire.json import (
    json_example,
    json_values,
    read_examples,
    read_predict,
)
from tf_ctr.serving.wire.protos import examples_request, read_request, request

TWO = {
    "serving_default": signature_def(
        item=tensor_info(tf.int64, None), tags=tensor_info(tf.string, None, None)
    )
}


def test_json_holds_tensors_and_examples():
    values = np.array([[b"a", b"\xff"]], object)
    assert json_values(values) == [["a", {"b64": "/w=="}]]
    assert json_values(np.zeros((2, 0), object)) == [[], []]
    assert json_values(np.array([0.1], "float32")) == [0.1]
    inputs = {"item": np.array([7]), "tags": values, "age": np.array([3.0], "float32")}
    [example] = to_examples(inputs)
    expected = {"item": [7], "tags": ["a", {"b64": "/w=="}], "age": [3.0]}
    assert json_example(example) == expected
    # The decimal point tells the server which feature holds floats.
    assert json.dumps(json_example(example)["age"]) == "[3.0]"


def test_json_rows_and_columns_are_the_same_inputs():
    rows = {"instances": [{"item": 7, "tags": ["a"]}, {"item": 8, "tags": ["b"]}]}
    columns = {"inputs": {"item": [7, 8], "tags": [["a"], [{"b64": "Yg=="}]]}}
    for body in (rows, columns):
        name, inputs = read_predict(body, TWO)
        assert name == "serving_default"
        assert inputs["item"].dtype == np.int64 and inputs["item"].tolist() == [7, 8]
        assert inputs["tags"].tolist() == [[b"a"], [b"b"]]


@pytest.mark.parametrize(
    "body, words",
    [
        ([], "a JSON object"),
        ({}, "either 'instances' or 'inputs'"),
        ({"instances": [], "inputs": {}}, "either 'instances' or 'inputs'"),
        ({"instances": []}, "a list of rows"),
        ({"instances": [{"item": 7}]}, "the inputs \\['item', 'tags'\\]"),
        ({"instances": [{"item": 7.0, "tags": ["a"]}]}, "'item' as int64"),
        ({"instances": [{"item": "7", "tags": ["a"]}]}, "'item' as int64"),
        ({"instances": [{"item": True, "tags": ["a"]}]}, "'item' as int64"),
        ({"instances": [{"item": 2**63, "tags": ["a"]}]}, "'item' as int64"),
        ({"instances": [{"item": 7, "tags": [1]}]}, "'tags' as string"),
        ({"inputs": {"item": [7], "tags": [["a"], ["b", "c"]]}}, "lists of one length"),
        ({"inputs": {"item": [7], "tags": [[{"b64": "%"}]]}}, "'tags' in base64"),
        ({"instances": [], "signature_name": "no"}, "serving_default"),
        ({"instances": [], "signature_name": ["no"]}, "serving_default"),
        ({"instances": [{"item": 7, "tags": ["a"], "age": 1}]}, "the inputs"),
        ({"inputs": {"item": [7], "age": [1]}}, "the inputs"),
        ({"instances": [{"item": None, "tags": ["a"]}]}, "'item' as int64"),
    ],
)
def test_json_is_refused_when_the_server_refuses_it(body, words):
    """Source: json_tensor.cc, FillPredictRequestFromJson and AddValueToTensor."""
    with pytest.raises(ValueError, match=words):
        read_predict(body, TWO)


def test_json_that_the_server_ignores():
    """Source: json_tensor.cc, FillTensorMapFromInputsMap."""
    columns = {"item": [7], "tags": [["a"]], "age": [1]}
    name, inputs = read_predict({"inputs": columns, "signature": "no"}, TWO)
    assert name == "serving_default" and set(inputs) == {"item", "tags"}
    assert read_examples({"examples": [{}], "rows": 1})[0] == "serving_default"


def test_json_floats_may_be_written_as_integers_that_they_hold_exactly():
    """Source: json_tensor.cc, IsLosslessDecimal."""
    age = {"serving_default": signature_def(age=tensor_info(tf.float32, None))}
    _, inputs = read_predict({"instances": [7, 2**24 - 1]}, age)
    assert inputs["age"].tolist() == [7, 2**24 - 1]
    with pytest.raises(ValueError, match="loss of precision"):
        read_predict({"instances": [2**24]}, age)


def test_json_examples_share_the_context_and_keep_integers_apart_from_floats():
    body = {
        "examples": [{"item": [7, 8]}, {"item": 9, "age": 1}],
        "context": {"age": 2.5, "user": "ann"},
    }
    name, inputs = read_examples(body)
    # Source: classifier.cc, GetClassificationSignatureDef.
    assert name == "serving_default"
    first, second = map(tf.train.Example.FromString, inputs["inputs"])
    assert first.features.feature["item"].int64_list.value == [7, 8]
    assert first.features.feature["age"].float_list.value == [2.5]
    assert first.features.feature["user"].bytes_list.value == [b"ann"]
    assert second.features.feature["age"].int64_list.value == [1]
    named = {"examples": [{}], "signature_name": "scorer"}
    assert read_examples(named)[0] == "scorer"
    # Source: json_tensor.cc, AddValueToFeature.
    for wrong in ({}, {"examples": []}, {"examples": [{"age": [1, 2.5]}]}):
        with pytest.raises(ValueError, match="Expected"):
            read_examples(wrong)


def test_a_predict_request_is_read_as_it_was_written():
    inputs = {
        "item": np.array([7, 2**62]),
        "tags": np.array([[b"a", b"\xff"], [b"", b"b"]], object),
        "age": np.array([0.1, np.nan], "float32"),
    }
    message = request("string_ids", inputs, "dcn")
    assert message.model_spec.name == "dcn"
    name, found = read_request(message)
    assert name == "string_ids" and set(found) == set(inputs)
    for key, values in inputs.items():
        np.testing.assert_array_equal(found[key], values)
        assert found[key].dtype == values.dtype


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_a_request_of_examples_is_read_as_it_was_written(method):
    examples = to_examples({"item": np.array([7, 8])})
    serialized = np.array([each.SerializeToString() for each in examples], object)
    name, found = read_request(request(method, {"inputs": serialized}, "dcn"))
    assert name == method and list(found) == ["inputs"]
    assert found["inputs"].tolist() == serialized.tolist()


def test_examples_get_missing_features_from_the_context():
    [own] = to_examples({"item": np.array([7])})
    [context] = to_examples({"item": np.array([1]), "user": np.array([b"ann"])})
    message = examples_request("classify", [own], context)
    assert isinstance(message, classification_pb2.ClassificationRequest)
    assert len(message.input.example_list_with_context.examples) == 1
    name, inputs = read_request(message)
    assert name == "serving_default"  # The message names no signature.
    [example] = map(tf.train.Example.FromString, inputs["inputs"])
    features = example.features.feature
    assert features["user"].bytes_list.value == [b"ann"]
    assert features["item"].int64_list.value == [7]
