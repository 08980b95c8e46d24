"""Vectors: how they are read, what is refused, and the layer of weights on them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.features.test_errors import fails
from tf_ctr import Categorical, Numeric, Schema, Vector
from tf_ctr.backbones import deepfm, dlrm, dnn
from tf_ctr.data import from_csv

ROWS = [[0.5, 1.0], [2.0, -1.0], None]
ENCODED = [[0.5, 1.0], [2.0, -1.0], [0.0, 0.0]]


def arrow(kind):
    return pd.Series(ROWS, dtype=pd.ArrowDtype(kind))


@pytest.mark.parametrize(
    "cells",
    [
        ROWS,
        [np.array(row, "float32") if row else None for row in ROWS],
        [tuple(row) if row else np.nan for row in ROWS],
        arrow(pa.list_(pa.float32())),
        arrow(pa.large_list(pa.float64())),
        arrow(pa.list_(pa.float32(), 2)),
    ],
    ids=["lists", "arrays", "tuples", "arrow", "large_list", "fixed_size"],
)
def test_every_kind_of_list_is_a_vector(cells):
    frame = pd.DataFrame({"v": cells})
    schema = Schema([Vector("v", 2)]).fit(frame)
    raw = schema.raw_columns(frame)["v"]
    assert raw.dtype == np.float32 and np.isnan(raw[2]).all()
    assert schema.encode({"v": raw})["v"].numpy().tolist() == ENCODED
    assert schema.summary().loc["v", "coverage"] == 2 / 3
    # A frame that starts within its column.
    assert schema.raw_columns(frame[1:])["v"][0].tolist() == [2.0, -1.0]


def test_whole_numbers_and_columns_without_a_vector_are_read():
    schema = Schema([Vector("v", 2)])
    raw = schema.raw_columns(pd.DataFrame({"v": [[1, 2]]}))["v"]
    assert raw.tolist() == [[1.0, 2.0]]
    for missing in (None, np.nan):
        frame = pd.DataFrame({"v": pd.Series([missing] * 2)})
        assert np.isnan(schema.raw_columns(frame)["v"]).all()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            [[1.0, 2.0], [1.0]],
            ["2 numbers", "1 in row 1, and 1 such", "dim=1"],
        ),
        ([[1.0, 2.0], []], ["0 in row 1", "None"]),
        ([[1.0, np.nan], [1.0, 2.0]], ["finite", "nan in row 0"]),
        ([[1.0, 2.0], [np.inf, 0.0]], ["inf in row 1"]),
        ([[1.0, 2.0], [1e39, 0.0]], ["inf in row 1"]),
    ],
)
def test_a_wrong_vector_is_refused_by_its_row(cells, words):
    frame = pd.DataFrame({"v": cells})
    fails(lambda: Schema([Vector("v", 2)]).fit(frame), "'v'", *words)


@pytest.mark.parametrize("cells", [[1.0, 2.0], [["a", "b"]], [[[1.0], [2.0]]]])
def test_columns_without_vectors_are_refused(cells):
    frame = pd.DataFrame({"v": cells})
    fails(lambda: Schema([Vector("v", 2)]).fit(frame), "'v'", kind=TypeError)


def test_wrong_arguments_and_tensors_are_refused():
    fails(lambda: Vector("v", 0), "dim")
    schema = Schema([Vector("v", 2)])
    for bad in ([1.0, 2.0], [[1.0]], [[[1.0, 2.0]]], [["a", "b"]]):
        fails(lambda bad=bad: schema.encode({"v": bad}), "'v'", "[B, 2]")


def test_a_bad_vector_of_a_request_counts_as_missing():
    rows = Vector("v", 2).encode(np.array([[np.inf, 1], [3, 4]], "float32"))
    assert rows.numpy().tolist() == [[0, 0], [3, 4]]


def test_cells_of_csv_files_are_joined_numbers(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("v,click\n0.5|1e0,1\n,0\n")
    schema = Schema([Vector("v", 2)])
    [(features, _)] = from_csv(str(path), schema, batch_size=2)
    assert features["v"].numpy().tolist() == [[0.5, 1.0], [0.0, 0.0]]
    path.write_text("v,click\n0.5|x,1\n")
    with pytest.raises(ValueError, match="numbers in column 'v'(.|\n)*x"):
        schema.fit(str(path))


def test_models_multiply_vectors_by_a_matrix():
    fields = [Categorical("c", [1]), Numeric("n", mean=0, std=1), Vector("v", 2)]
    schema = Schema(fields)
    batch = schema.encode({"c": [1], "n": [3.0], "v": [[0.5, 2.0]]})
    for build in (dnn, deepfm, dlrm):
        model = build(schema, embedding_dim=4, hidden_units=(3,))
        layer = model.get_layer("v_embedding")
        (kernel,) = layer.get_weights()
        assert kernel.shape == (2, 4)
        np.testing.assert_allclose(
            layer(batch["v"]), np.array([[0.5, 2.0]]) @ kernel, rtol=1e-6
        )
        assert model(batch).shape == (1, 1)
    # To DLRM a vector is a factor, not a number.
    assert dlrm(schema, 4).get_layer("bottom_0").input.shape == (None, 1)
