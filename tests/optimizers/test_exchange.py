"""The gradients of several replicas are summed, rows of all tables in one message."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import Embedding
from tf_ctr.optimizers import SparseAdam, exchange
from tf_ctr.optimizers.slices import sum_duplicates

ROWS = {"user": (6, 2), "item": (9, 3)}


class Replica(types.SimpleNamespace):
    """The context of one of two replicas; `other` is the message of the other one."""

    num_replicas_in_sync = 2
    gathered = 0
    other = None

    def all_gather(self, message, axis):
        assert axis == 0
        self.gathered += 1
        self.message = message
        return message if self.other is None else tf.concat([message, self.other], 0)

    def all_reduce(self, how, values):
        assert how == tf.distribute.ReduceOp.SUM
        return [2 * value for value in values]


def slices(seed, dtype="float32"):
    """Gradients of two tables and of a dense weight, and the dense sums of tables."""
    rng = np.random.default_rng(seed)
    found, dense = [], []
    for rows, width in ROWS.values():
        ids = rng.integers(0, rows, 5)
        values = rng.normal(size=(5, width)).astype(dtype)
        table = np.zeros((rows, width), dtype)
        np.add.at(table, ids, values)
        dense.append(table)
        shape = tf.constant([rows, width])
        found.append(sum_duplicates(tf.IndexedSlices(values, ids, shape)))
    return [*found, tf.constant([1.0, 2.0])], dense


def sent(gradients):
    """The message of a replica."""
    sender = Replica(num_replicas_in_sync=1)
    shapes = [tf.TensorShape(shape[1:]) for shape in ROWS.values()]

    @tf.function
    def message():
        exchange._joined_sums(sender, gradients[:2], shapes)
        return sender.message

    return message()


def exchanged(monkeypatch, context, gradients):
    variables = [keras.Variable(np.zeros(shape)) for shape in [*ROWS.values(), (2,)]]
    monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: context)
    return tf.function(lambda: exchange.sum_of_workers(gradients, variables))()


def test_rows_of_all_tables_are_summed_with_one_message(monkeypatch):
    (mine, my_tables), (others, other_tables) = slices(0), slices(1)
    receiver = Replica(other=sent(others))
    *tables, dense = exchanged(monkeypatch, receiver, mine)
    assert receiver.gathered == 1
    for found, one, two in zip(tables, my_tables, other_tables, strict=True):
        rows = found.indices.numpy()
        assert len(set(rows)) == len(rows)
        total = np.zeros_like(one)
        total[rows] = found.values.numpy()
        np.testing.assert_allclose(total, one + two, rtol=1e-6)
    assert dense.numpy().tolist() == [2.0, 4.0]


def test_the_message_grows_with_the_rows_and_not_with_the_tables():
    gradients, _ = slices(0)
    rows = [len(g.indices) for g in gradients[:2]]
    # Two numbers of rows; an index of 64 bits and D values for each row.
    widths = [width for _, width in ROWS.values()]
    words = 2 + sum(n * (2 + width) for n, width in zip(rows, widths, strict=True))
    assert sent(gradients).shape == (words,)


def test_one_process_sends_nothing():
    gradients, _ = slices(0)
    assert exchange.sum_of_workers(gradients, [None] * 3) == gradients


def test_a_table_of_another_type_goes_by_itself(monkeypatch):
    half = tf.IndexedSlices(tf.constant([[1.0]], tf.bfloat16), tf.constant([1]))
    context = Replica(all_reduce=lambda how, values: list(values))
    variables = [keras.Variable(np.zeros((2, 1)))]
    monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: context)
    (found,) = exchange.sum_of_workers([half], variables)
    assert found.values.dtype == tf.bfloat16 and context.gathered == 0


def test_a_step_under_a_strategy_reads_no_table_whole():
    """A variable of a strategy is read whole, unless its own copy is gathered from."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        ids = keras.Input((), dtype="int64")
        table = Embedding(1000, 2)
        model = keras.Model(ids, keras.layers.Dense(1, "sigmoid")(table(ids)))
        model.compile(SparseAdam(0.1), "binary_crossentropy")
        model.optimizer.build(model.trainable_variables)
    batch = tf.constant([3, 5, 3]), tf.constant([1.0, 0.0, 1.0])
    step = tf.function(lambda one: strategy.run(model.train_step, args=(one,)))
    operations = step.get_concrete_function(batch).graph.get_operations()
    assert {"ResourceGather", "ReadVariableOp"} <= {each.type for each in operations}
    assert not [
        each.name
        for each in operations
        for output in each.outputs
        if output.dtype == tf.float32 and output.shape[:1] == [1000]
    ]


@pytest.mark.parametrize("update", ["lazy", "dense"])
def test_clipping_sees_the_sum_of_all_workers(monkeypatch, update):
    def doubled(gradients, variables):
        return [tf.IndexedSlices(2 * g.values, g.indices) for g in gradients]

    monkeypatch.setattr("tf_ctr.optimizers.sparse.sum_of_workers", doubled)
    table = keras.Variable(np.zeros((3, 1), "float32"))
    optimizer = SparseAdam(0.1, update=update, global_clipnorm=1.0)
    gradient = tf.IndexedSlices(tf.constant([[3.0], [4.0]]), tf.constant([0, 2]))
    optimizer.apply([gradient], [table])
    # The gradient (6, 8) of norm 10 is clipped to (0.6, 0.8); Adam's first momentum is
    # a tenth of that.
    found = optimizer._momentums[0].numpy().ravel()
    np.testing.assert_allclose(found, [0.06, 0.0, 0.08], rtol=1e-5)
