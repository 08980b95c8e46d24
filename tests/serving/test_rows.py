"""Clients and gates take rows of files; a field may be named by its column."""

import numpy as np
import pandas as pd
import polars
import pytest
import tensorflow as tf

import tf_ctr
from tests.support.click_rates import rate_frame
from tests.support.meta_graphs import signature_def, tensor_info
from tf_ctr.data import rows
from tf_ctr.serving.client.inputs import to_inputs, with_context
from tf_ctr.serving.differences import diff
from tf_ctr.serving.labels.gate import measure

SCHEMA = tf_ctr.Schema(
    [
        tf_ctr.Categorical("user", vocabulary=["ann"], column="user-id"),
        tf_ctr.Numeric("age", mean=0.0, std=1.0),
        tf_ctr.Categorical("bin", vocabulary=[20], column="age"),
    ]
)
SIGNATURE = signature_def(
    user=tensor_info(tf.string, None),
    age=tensor_info(tf.float32, None),
    bin=tensor_info(tf.int64, None),
)
FRAME = pd.DataFrame({"user-id": ["ann", None], "age": [20, 30]})
EXPECTED = {"user": [b"ann", b""], "age": [20.0, 30.0], "bin": [20, 30]}


def listed(inputs):
    return {name: values.tolist() for name, values in inputs.items()}


def test_rows_of_any_kind_are_sent_under_the_names_of_fields(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    sources = [
        FRAME,
        tmp_path,
        rows(tmp_path),
        polars.from_pandas(FRAME),
        FRAME.to_dict("records"),
        FRAME.rename(columns={"user-id": "user"}).assign(bin=[20, 30]),
        {"user": ["ann", None], "age": [20, 30]},
    ]
    for source in sources:
        assert listed(to_inputs(source, SIGNATURE, SCHEMA)) == EXPECTED


def test_without_a_schema_rows_name_the_inputs(tmp_path):
    own = pd.DataFrame({"user": ["ann"], "age": [2.0], "bin": [3]})
    own.to_parquet(tmp_path / "a.parquet")
    expected = {"user": [b"ann"], "age": [2.0], "bin": [3]}
    assert listed(to_inputs(tmp_path, SIGNATURE)) == expected
    with pytest.raises(ValueError, match="'bin'(?s:.)*'user'"):
        to_inputs(FRAME, SIGNATURE)


def test_a_context_may_stand_for_a_field_of_any_column():
    columns = with_context([{"age": 20}, {"age": 30}], {"user": "ann"}, SCHEMA)
    got = to_inputs(columns, SIGNATURE, SCHEMA)
    assert listed(got) == {**EXPECTED, "user": [b"ann", b"ann"]}


def test_columns_of_different_lengths_and_no_row_are_refused():
    with pytest.raises(ValueError, match="as many values"):
        to_inputs({"user": ["ann"], "age": [1, 2]}, SIGNATURE, SCHEMA)
    with pytest.raises(ValueError, match="at least one row"):
        to_inputs(FRAME[:0], SIGNATURE, SCHEMA)
    with pytest.raises(TypeError, match="list of dicts"):
        to_inputs(iter([FRAME]), SIGNATURE, SCHEMA)


def test_gates_and_differences_measure_the_rows_of_files(exported_rates, tmp_path):
    versions = exported_rates / "1", exported_rates / "2"
    frame = rate_frame()
    frame.to_parquet(tmp_path / "a.parquet")
    expected = diff(*versions, frame, batch_sizes=())
    got = diff(*versions, tmp_path, batch_sizes=())
    np.testing.assert_array_equal(got.scores[1], expected.scores[1])
    measures = [measure(versions[1], None, each) for each in (frame, tmp_path)]
    assert measures[0] == measures[1]
