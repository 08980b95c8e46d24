"""Historical embeddings of an id: looked up, and joined to one vector."""

import keras
import numpy as np
import pytest

from tf_ctr.layers import SnapshotAggregation, SnapshotTable
from tf_ctr.layers.snapshots.snapshot_aggregation import MODES

RNG = np.random.default_rng(0)
KNOWN = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], "float32")
H = RNG.normal(size=(4, 3, 2)).astype("float32") * KNOWN[..., None]
SNAPSHOTS = np.concatenate([H, KNOWN[..., None]], axis=-1)


def softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def by_hand(mode, layer, row):
    """NumPy on the snapshots that have the id, and on no others."""
    h = H[row][KNOWN[row] == 1]
    if mode == "concatenation":
        return H[row].ravel()
    if not len(h):
        return np.zeros(2)
    if mode == "mean":
        return h.mean(axis=0)
    if mode == "attention_pooling":
        kernel, query = layer.get_weights()
        return softmax((np.tanh(h @ kernel) @ query)[:, 0]) @ h
    query, key, value = layer.get_weights()
    scores = (h @ query) @ (h @ key).T / np.sqrt(2)
    return np.mean([softmax(each) @ (h @ value) for each in scores], axis=0)


@pytest.mark.parametrize("mode", MODES)
def test_aggregation_of_known_snapshots_agrees_with_numpy(mode):
    keras.utils.set_random_seed(0)
    layer = SnapshotAggregation(mode)
    found = np.array(layer(SNAPSHOTS))
    for row in range(4):
        np.testing.assert_allclose(found[row], by_hand(mode, layer, row), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_an_id_without_snapshots_gives_zero_even_with_time_embeddings(mode):
    layer = SnapshotAggregation(mode, time_embedding=True)
    layer(SNAPSHOTS)
    layer.set_weights([np.full(w.shape, 0.7) for w in layer.weights])
    assert not np.any(layer(SNAPSHOTS)[3])
    assert np.any(layer(SNAPSHOTS)[2])


@pytest.mark.parametrize("mode", MODES)
def test_half_precision_only_rounds_the_aggregation(mode):
    layer = SnapshotAggregation(mode)
    exact = np.array(layer(SNAPSHOTS))
    half = SnapshotAggregation(mode, dtype="mixed_float16")
    half.build(SNAPSHOTS.shape)
    half.set_weights(layer.get_weights())
    np.testing.assert_allclose(half(SNAPSHOTS), exact, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("mode", MODES)
def test_a_single_snapshot_is_joined_without_a_warning(mode):
    one = SNAPSHOTS[:, :1]
    layer = SnapshotAggregation(mode)
    found = np.array(layer(one))
    expected = one[:, 0, :-1]
    if mode == "self_attention":
        expected = expected @ layer.get_weights()[2]
    np.testing.assert_allclose(found, expected * one[:, 0, -1:], atol=1e-6)


def test_the_time_embedding_is_added_to_its_own_snapshot():
    layer = SnapshotAggregation("mean", time_embedding=True)
    np.testing.assert_allclose(layer(SNAPSHOTS), SnapshotAggregation("mean")(SNAPSHOTS))
    layer.set_weights([np.array([[1.0, 0.0], [5.0, 0.0], [3.0, 0.0]])])
    moved = np.array(layer(SNAPSHOTS) - SnapshotAggregation("mean")(SNAPSHOTS))
    np.testing.assert_allclose(moved[:, 0], [3, 2, 5, 0], rtol=1e-5)


def test_a_table_gives_each_embedding_and_whether_it_is_known():
    table = SnapshotTable(4, 2, dates=(None, 1, 2))
    assert not np.any(table(np.arange(4)))
    table.fill((0, 1, 2), H + 9, KNOWN == 1)
    found = np.array(table(np.array([1, 3])))
    np.testing.assert_array_equal(found[..., 2], KNOWN[[1, 3]])
    np.testing.assert_allclose(found[0, 0, :2], H[1, 0] + 9)
    assert not found[0, 1].any() and not found[1].any()
    assert table.dates == (0, 1, 2)
    assert not table.trainable_weights
    table.trainable = True
    assert not table.trainable_weights


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: SnapshotTable(0, 2, (None,)), "`input_dim` to be a whole"),
        (lambda: SnapshotTable(3, 2, ()), "a date per snapshot"),
        (lambda: SnapshotTable(3, 2, (1,))(np.ones((2, 2), int)), "one id per example"),
        (lambda: SnapshotAggregation("max"), "one of 'self_attention', 'mean'"),
        (lambda: SnapshotAggregation()(np.ones((2, 3))), "in a tf_ctr.layers.Snapshot"),
    ],
)
def test_wrong_arguments_and_shapes_are_refused_with_a_fix(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_rows_of_another_table_are_refused():
    table = SnapshotTable(5, 2, (1, 2, 3))
    table(np.array([0]))
    with pytest.raises(ValueError, match=r"(?s)embeddings \(5, 3, 2\).*own schema"):
        table.fill((1, 2, 3), H, KNOWN == 1)
