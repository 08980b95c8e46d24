"""Sparse optimizers against NumPy, and against stock Keras on the dense gradient."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.click_model import DIM, ROWS, click_model, fit
from tf_ctr.layers import Embedding
from tf_ctr.optimizers import SparseAdagrad, SparseAdam

STEPS = 5
SHAPE = tf.constant([ROWS, DIM], tf.int64)
PAIRS = [(SparseAdam, keras.optimizers.Adam), (SparseAdagrad, keras.optimizers.Adagrad)]
WHOLE_TABLE = [
    {"weight_decay": 0.01},
    {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2},
]
CLIPS = [{"clipnorm": 0.3}, {"clipvalue": 0.1}, {"global_clipnorm": 0.3}]


def variable(*shape, name="table", seed=0, **kwargs):
    values = np.random.default_rng(seed).normal(size=shape or (ROWS, DIM))
    return keras.Variable(values.astype("float32"), name=name, **kwargs)


def slices(step, high=ROWS, dtype="float32"):
    """Seven slices over at most four rows below `high`: ids repeat in every step."""
    rng = np.random.default_rng(step)
    ids = rng.choice(rng.choice(high, size=4, replace=False), size=7)
    values = rng.normal(size=(7, DIM)).astype("float32")
    return tf.IndexedSlices(tf.cast(values, dtype), tf.constant(ids), SHAPE)


def dense(gradient):
    total = np.zeros((ROWS, DIM), "float32")
    np.add.at(total, gradient.indices.numpy(), gradient.values.numpy())
    return total


def numpy_adam(table, gradients, lazy, lr=0.01, b1=0.9, b2=0.999, amsgrad=False):
    table, m = table.astype("float64"), np.zeros((ROWS, DIM))
    v, v_hat = np.zeros((ROWS, DIM)), np.zeros((ROWS, DIM))
    for step, gradient in enumerate(gradients, start=1):
        at = np.unique(gradient.indices) if lazy else slice(None)
        g = dense(gradient)[at].astype("float64")
        m[at] = b1 * m[at] + (1 - b1) * g
        v[at] = b2 * v[at] + (1 - b2) * g**2
        v_hat[at] = np.maximum(v_hat[at], v[at]) if amsgrad else v[at]
        alpha = lr * np.sqrt(1 - b2**step) / (1 - b1**step)
        table[at] -= alpha * m[at] / (np.sqrt(v_hat[at]) + 1e-7)
    return table


def numpy_adagrad(table, gradients, lr=0.01):
    table, accumulator = table.astype("float64"), np.full((ROWS, DIM), 0.1)
    for gradient in gradients:
        g = dense(gradient).astype("float64")
        accumulator += g**2
        table -= lr * g / np.sqrt(accumulator + 1e-7)
    return table


def train(optimizer, gradients, table=None):
    """Runs the steps in a graph, as `fit` does, and returns the table."""
    table = variable() if table is None else table
    optimizer.build([table])
    step = tf.function(lambda g: optimizer.apply([g], [table]))
    for gradient in gradients:
        step(gradient)
    return table.numpy()


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("update", ["lazy", "dense"])
def test_adam_agrees_with_numpy_on_repeated_ids(update, amsgrad):
    gradients = [slices(step) for step in range(STEPS)]
    moved = train(SparseAdam(0.01, update=update, amsgrad=amsgrad), gradients)
    lazy = update == "lazy"
    expected = numpy_adam(variable().numpy(), gradients, lazy, amsgrad=amsgrad)
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize("update", ["lazy", "dense"])
def test_adagrad_agrees_with_numpy_on_repeated_ids(update):
    gradients = [slices(step) for step in range(STEPS)]
    moved = train(SparseAdagrad(0.01, update=update), gradients)
    expected = numpy_adagrad(variable().numpy(), gradients)
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize(("sparse", "stock"), PAIRS)
def test_stock_keras_is_wrong_for_repeated_ids(sparse, stock):
    """Why this package exists; if this fails, Keras has been fixed."""
    gradients = [slices(0)]
    right = train(stock(0.1), [tf.constant(dense(gradients[0]))])
    assert np.abs(train(stock(0.1), gradients) - right).max() > 0.01
    np.testing.assert_allclose(train(sparse(0.1), gradients), right, atol=1e-6)


@pytest.mark.parametrize(("sparse", "stock"), PAIRS)
def test_a_dense_gradient_is_applied_as_by_keras(sparse, stock):
    gradients = [tf.constant(dense(slices(step))) for step in range(STEPS)]
    np.testing.assert_array_equal(train(sparse(), gradients), train(stock(), gradients))


@pytest.mark.parametrize("options", [{}, *WHOLE_TABLE, *CLIPS, {"constraint": True}])
@pytest.mark.parametrize(("sparse", "stock"), PAIRS)
def test_dense_update_equals_keras_on_the_dense_gradient(sparse, stock, options):
    options = dict(options)
    constraint = (
        keras.constraints.MaxNorm(1.0) if options.pop("constraint", 0) else None
    )
    gradients = [slices(step) for step in range(STEPS)]
    moved, expected = variable(), variable()
    moved.constraint = expected.constraint = constraint
    train(sparse(0.05, update="dense", **options), gradients, moved)
    totals = [tf.constant(dense(g)) for g in gradients]
    train(stock(0.05, **options), totals, expected)
    np.testing.assert_allclose(moved.numpy(), expected.numpy(), atol=1e-6)


def test_lazy_equals_dense_where_every_step_touches_every_row():
    everything = [
        tf.IndexedSlices(tf.constant(dense(slices(i))), tf.range(ROWS), SHAPE)
        for i in range(STEPS)
    ]
    lazy = train(SparseAdam(0.01), everything)
    exact = train(SparseAdam(0.01, update="dense"), everything)
    np.testing.assert_allclose(lazy, exact, atol=1e-7)


def test_only_a_dense_update_moves_rows_outside_the_batch():
    gradients = [slices(0), slices(1, high=5)]
    assert gradients[0].indices.numpy().max() >= 5
    first = {u: train(SparseAdam(update=u), gradients[:1]) for u in ("lazy", "dense")}
    then = {u: train(SparseAdam(update=u), gradients) for u in ("lazy", "dense")}
    np.testing.assert_array_equal(first["lazy"][5:], then["lazy"][5:])
    assert (first["dense"][5:] != then["dense"][5:]).any()


@pytest.mark.parametrize("options", CLIPS)
def test_clipping_equals_clipping_the_dense_gradient(options):
    """A table and a kernel, so that the global norm spans both kinds."""
    results = []
    for optimizer, prepare in [
        (SparseAdagrad(0.1, **options), lambda g: g),
        (keras.optimizers.Adagrad(0.1, **options), lambda g: tf.constant(dense(g))),
    ]:
        table, kernel = variable(), variable(2, 2, name="kernel", seed=1)
        for step in range(STEPS):
            grads = [prepare(slices(step)), tf.fill((2, 2), 0.2)]
            optimizer.apply(grads, [table, kernel])
        results.append((table.numpy(), kernel.numpy()))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-6)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-6)


@pytest.mark.parametrize("options", [*CLIPS, {"loss_scale_factor": 8.0}, {}])
@pytest.mark.parametrize("sparse", [SparseAdam, SparseAdagrad])
def test_a_lazy_step_creates_no_tensor_as_large_as_the_table(sparse, options):
    rows = 7919
    layer, optimizer = Embedding(rows, DIM), sparse(**options)

    def step(ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(ids)))
        optimizer.apply([tape.gradient(loss, layer.embeddings)], [layer.embeddings])

    spec = tf.TensorSpec([None], tf.int64)
    graph = tf.function(step).get_concrete_function(spec).graph
    shapes = [t.shape for op in graph.get_operations() for t in op.outputs]
    assert not [s for s in shapes if s.rank and rows in s.as_list()]


def test_a_loss_scale_that_is_a_power_of_two_changes_no_bit():
    gradients = [slices(step) for step in range(STEPS)]
    scaled = [
        tf.IndexedSlices(g.values * 8, g.indices, g.dense_shape) for g in gradients
    ]
    moved = train(SparseAdam(loss_scale_factor=8.0), scaled)
    np.testing.assert_array_equal(moved, train(SparseAdam(), gradients))


@pytest.mark.parametrize("options", WHOLE_TABLE)
def test_lazy_refuses_options_that_work_on_the_whole_table(options):
    before = variable().numpy()
    table = variable(name="item")
    with pytest.raises(ValueError, match="update='dense'") as error:
        SparseAdam(**options).apply([slices(0)], [table])
    assert next(iter(options)) in str(error.value)
    assert "'item'" in str(error.value)
    np.testing.assert_array_equal(table.numpy(), before)


def test_lazy_refuses_a_constraint_on_a_table():
    table = variable()
    table.constraint = keras.constraints.NonNeg()
    with pytest.raises(ValueError, match="a constraint for the variable 'table'"):
        SparseAdagrad().apply([slices(0)], [table])


def test_weight_decay_skips_an_excluded_table():
    table, kernel = variable(), variable(2, 2, name="kernel")
    optimizer = SparseAdam(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[table])
    before = kernel.numpy()
    optimizer.apply([slices(0), tf.zeros((2, 2))], [table, kernel])
    expected = train(SparseAdam(0.01), [slices(0)])
    np.testing.assert_array_equal(table.numpy(), expected)
    np.testing.assert_allclose(kernel.numpy(), before * (1 - 0.005), rtol=1e-6)


@pytest.mark.parametrize("sparse", [SparseAdam, SparseAdagrad])
@pytest.mark.parametrize("prepare", [slices, lambda i: tf.constant(dense(slices(i)))])
def test_a_variable_can_have_its_own_learning_rate(sparse, prepare):
    gradients = [prepare(step) for step in range(STEPS)]
    table = variable()
    table.learning_rate_multiplier = 0.5
    moved, expected = (
        train(sparse(0.1), gradients, table),
        train(sparse(0.05), gradients),
    )
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_multipliers_are_saved_with_the_optimizer():
    table, bias = keras.Variable([[1.0]]), keras.Variable([1.0])
    optimizer = SparseAdam()
    assert optimizer.get_config()["learning_rate_multipliers"] is None
    table.learning_rate_multiplier = 0.5
    optimizer.build([table, bias])
    assert optimizer.get_config()["learning_rate_multipliers"] == [0.5, 1.0]


def test_a_schedule_sets_the_learning_rate_of_each_step():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    moved = train(SparseAdam(schedule), [slices(0), slices(1)])
    np.testing.assert_array_equal(moved, train(SparseAdam(0.5), [slices(0)]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gradients_are_cast_to_the_table(dtype):
    gradient = tf.IndexedSlices(tf.ones((1, DIM), dtype), tf.constant([3]), SHAPE)
    single = tf.IndexedSlices(tf.ones((1, DIM)), tf.constant([3]), SHAPE)
    moved = train(SparseAdam(), [gradient])
    assert moved.dtype == "float32"
    np.testing.assert_array_equal(moved, train(SparseAdam(), [single]))


def test_config_survives_a_round_trip_and_wrong_arguments_are_refused():
    optimizer = SparseAdagrad(0.5, update="dense", epsilon=1e-3, clipnorm=2.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, SparseAdagrad)
    assert again.get_config() == optimizer.get_config()
    assert again.get_config()["update"] == "dense"
    with pytest.raises(ValueError, match="to be one of 'lazy', 'dense'"):
        SparseAdam(update="sparse")
    with pytest.raises(ValueError, match="beta_3"):
        SparseAdam(beta_3=0.9)


def assert_equal(weights, expected):
    for value, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize("sparse", [SparseAdam, SparseAdagrad])
def test_training_resumes_to_the_bit_from_a_keras_file(sparse, tmp_path):
    model = click_model(sparse(0.1))
    fit(model)
    model.save(tmp_path / "model.keras")
    reloaded = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(fit(reloaded), fit(model))
    assert int(reloaded.optimizer.iterations) == 6


def test_training_resumes_to_the_bit_from_a_checkpoint(tmp_path):
    model = click_model(SparseAdam(0.1))
    fit(model)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    fresh = click_model(SparseAdam(0.1))
    fresh.optimizer.build(fresh.trainable_variables)
    target = tf.train.Checkpoint(model=fresh, optimizer=fresh.optimizer)
    target.restore(path).assert_consumed()
    assert_equal(fit(fresh), fit(model))


def test_training_resumes_to_the_bit_after_a_kill(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))

    with pytest.raises(KeyboardInterrupt):
        fit(click_model(SparseAdam(0.1)), 2, callbacks=[backup(), Kill()])
    resumed = fit(click_model(SparseAdam(0.1)), 2, callbacks=[backup()])
    assert_equal(resumed, fit(click_model(SparseAdam(0.1)), 2))


def test_the_gradient_of_a_stock_embedding_works_too():
    stock = fit(click_model(SparseAdam(0.1), keras.layers.Embedding))
    assert_equal(fit(click_model(SparseAdam(0.1))), stock)


@pytest.fixture
def mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_dynamic_loss_scale_is_refused(mixed_float16):
    """It would put NaN into a table: see the infinity before the last of an id."""
    with pytest.raises(ValueError, match="use 'mixed_bfloat16', or pass"):
        fit(click_model(SparseAdam(0.1)))


def test_fixed_loss_scale_trains_in_mixed_float16(mixed_float16):
    model = click_model(SparseAdam(0.1, loss_scale_factor=8.0), auto_scale_loss=False)
    assert isinstance(model.optimizer, SparseAdam)
    halves = fit(model)
    keras.config.set_dtype_policy("float32")
    for half, single in zip(halves, fit(click_model(SparseAdam(0.1))), strict=True):
        assert half.dtype == "float32"
        np.testing.assert_allclose(half, single, atol=0.02)


MIRRORED = """
import json, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.support.click_model import click_model, fit
from tf_ctr.optimizers import SparseAdam
optimizers = [
    lambda: SparseAdam(0.1, loss_scale_factor=8.0),
    lambda: SparseAdam(0.1, update="dense", weight_decay=0.1),
]
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for make in optimizers:
    with strategy.scope():
        model = click_model(make())
    single = click_model(make())
    single.run_eagerly = True
    pairs = zip(fit(model), fit(single))
    print(json.dumps([float(abs(a - b).max()) for a, b in pairs]))
"""


def test_two_replicas_train_like_one():
    """Both replicas have the same ids. Two devices need another process."""
    run = subprocess.run(
        [sys.executable, "-c", MIRRORED],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    differences = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(differences) == 2
    assert np.max(differences) < 1e-5
