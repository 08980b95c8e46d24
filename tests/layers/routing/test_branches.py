"""The layers that run each example through one branch, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import (
    BranchRows,
    CrossLayer,
    MergeBranches,
    RoutedCross,
    RoutedIds,
    TwinEmbedding,
)

GATES = np.array([[0, 1], [1, 0], [1, 1], [0, 0]], dtype="float32")


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 3)], ids=str)
def test_rows_of_both_branches_merge_into_the_batch(shape):
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    frozen, tuned = (BranchRows(1, frozen)(x, GATES) for frozen in (True, False))
    np.testing.assert_array_equal(frozen, x[[0, 2]])
    np.testing.assert_array_equal(tuned, x[[1, 3]])
    np.testing.assert_array_equal(MergeBranches(1)(frozen, tuned, GATES), x)
    merged = MergeBranches(1)(frozen + 100, tuned + 200, GATES)
    offsets = np.array([100, 200, 100, 200]).reshape(-1, *[1] * (len(shape) - 1))
    np.testing.assert_array_equal(merged, x + offsets)


def test_a_branch_without_rows_is_empty():
    x = np.ones((4, 3), "float32")
    assert BranchRows(0, frozen=True)(x, np.zeros((4, 1))).shape == (0, 3)
    merged = MergeBranches(0)(x[:0], x, np.zeros((4, 1)))
    np.testing.assert_array_equal(merged, x)


def test_routed_cross_equals_the_cross_layer_of_each_branch():
    rng = np.random.default_rng(0)
    x0, x = rng.normal(size=(2, 4, 3)).astype("float32")
    crosses = [CrossLayer(bias_initializer="normal") for _ in range(2)]
    frozen, tuned = (np.array(cross(x0, x)) for cross in crosses)
    layer = RoutedCross(1)
    layer.build(x0.shape, x.shape, GATES.shape)
    (w, b), (w_tuned, b_tuned) = (cross.get_weights() for cross in crosses)
    layer.set_weights([w, w_tuned, np.stack([b, b_tuned])])
    expected = np.stack([frozen[0], tuned[1], frozen[2], tuned[3]])
    np.testing.assert_array_equal(layer(x0, x, GATES), expected)


def test_routed_ids_reach_the_rows_of_the_chosen_table():
    layer = RoutedIds(decisions=[1, 0], rows=[10, 5])
    single, several = np.arange(4), np.arange(8).reshape(4, 2).astype("int32")
    moved, moved_several = layer([single, several], GATES)
    np.testing.assert_array_equal(moved, single + [0, 10, 0, 10])
    np.testing.assert_array_equal(moved_several, several + [[5], [0], [0], [5]])
    assert moved_several.dtype == tf.int32
    assert RoutedIds.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (BranchRows(2, True), (GATES,)),
        (MergeBranches(2), (GATES, GATES[:0])),
        (RoutedCross(-1), (GATES, GATES)),
        (RoutedIds([0, 2], [5, 5]), ([GATES[:, 0]] * 2,)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_decision_without_a_column_is_refused(layer, arguments):
    with pytest.raises(ValueError, match="a decision in .0, 2."):
        layer(*arguments, GATES)


def test_input_dim_of_a_twin_table_is_the_rows_of_one_table():
    table = TwinEmbedding(3, 2)
    table.build((None,))
    assert table.embeddings.shape == (6, 2)
    assert table.input_dim == 3
