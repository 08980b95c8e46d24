"""One contract over every layer, then each layer by hand."""

import inspect

import keras
import keras_rs
import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.layers import (
    Alignment,
    APGDense,
    Bias,
    BilinearFusion,
    BilinearInteraction,
    BranchRows,
    CompressedInteraction,
    ConditionAttention,
    CrossLayer,
    CrossLayerV2,
    DINAttention,
    DomainDense,
    DomainGate,
    DomainNorm,
    DualAttention,
    DualLogit,
    Embedding,
    ETAAttention,
    FieldAttention,
    GLUAdapter,
    GumbelRouter,
    HistoryAttention,
    ItemAttention,
    LateralAdapter,
    MaskedPooling,
    MergeBranches,
    Newest,
    OrthogonalMap,
    ParallelDense,
    Route,
    RoutedCross,
    SIMAttention,
    SnapshotAggregation,
    SnapshotTable,
    TargetAttention,
    TransferUnit,
    TransformerEncoder,
    TwinEmbedding,
)

FLOATS = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(4, 3)
IDS = np.array([[1, 2], [3, 0], [0, 0], [4, 4]])
VALUES = np.linspace(0.0, 1.0, 24, dtype="float32").reshape(4, 2, 3)
DOMAINS = np.array([0, 1, 1, 0])
# Two embeddings of two numbers each, and whether a snapshot has them.
SNAPSHOTS = np.sin(9 * np.linspace(0.0, 1.0, 24, dtype="float32")).reshape(4, 2, 3)
SNAPSHOTS[..., 2] = [[1, 1], [1, 0], [0, 0], [1, 1]]
GATES = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype="float32")

# name: (layer, call arguments)
LAYERS = {
    "APGDense": (lambda: APGDense(5, rank=2, activation="tanh"), (FLOATS, FLOATS + 1)),
    "APGDense options": (
        lambda: APGDense(
            5,
            rank=2,
            over_parameter=7,
            bias="generated",
            generator_units=(16,),  # Wide enough that not all ReLUs are off.
            generator_start="glorot",
            aggregation="attention",
            kernel_initializer="glorot_normal",
            bias_initializer="ones",
            kernel_regularizer="l2",
        ),
        (FLOATS, VALUES + 1),
    ),
    "ConditionAttention": (lambda: ConditionAttention(), (VALUES,)),
    "Bias": (lambda: Bias(), (FLOATS,)),
    "BilinearFusion": (lambda: BilinearFusion(), (FLOATS, FLOATS[:, :2])),
    "BilinearFusion heads": (
        lambda: BilinearFusion(3, kernel_regularizer="l2"),
        (FLOATS, FLOATS + 1),
    ),
    "BilinearInteraction all": (lambda: BilinearInteraction("all"), (VALUES,)),
    "BilinearInteraction each": (lambda: BilinearInteraction("each"), (VALUES,)),
    "BilinearInteraction": (lambda: BilinearInteraction(), (VALUES,)),
    "CompressedInteraction": (
        lambda: CompressedInteraction(5, kernel_regularizer="l2"),
        (VALUES, VALUES[:, :1] + 1),
    ),
    "CrossLayer": (lambda: CrossLayer(bias_initializer="normal"), (FLOATS, FLOATS + 1)),
    "CrossLayerV2": (lambda: CrossLayerV2(), (FLOATS, FLOATS + 1)),
    "CrossLayerV2 low rank": (
        lambda: CrossLayerV2(2, kernel_regularizer="l2"),
        (FLOATS, FLOATS + 1),
    ),
    "DINAttention": (lambda: DINAttention((5,)), (FLOATS, VALUES, IDS)),
    "DINAttention options": (
        lambda: DINAttention((5,), "tanh", softmax=True, kernel_regularizer="l2"),
        (FLOATS, VALUES, IDS),
    ),
    "ETAAttention": (
        lambda: ETAAttention(6, 2, bits=5, kernel_regularizer="l2"),
        (FLOATS, VALUES, IDS),
    ),
    "Newest": (lambda: Newest(1), (VALUES, IDS)),
    "SIMAttention": (
        lambda: SIMAttention(6, 2, top_k=3, kernel_regularizer="l2"),
        (FLOATS, VALUES, IDS, IDS[:, 0], np.tile(IDS[:, :1], 2)),
    ),
    **{
        f"SnapshotAggregation {mode}": (
            lambda mode=mode: SnapshotAggregation(mode, time_embedding=True),
            (SNAPSHOTS,),
        )
        for mode in ("self_attention", "mean", "concatenation", "attention_pooling")
    },
    "SnapshotTable": (lambda: SnapshotTable(5, 2, (None, 3, "a")), (IDS[:, 0],)),
    "TargetAttention": (lambda: TargetAttention(6, 2), (FLOATS, VALUES, IDS)),
    # LayerNorm makes one vector of all of VALUES, and attention has no choice.
    "TransformerEncoder": (
        lambda: TransformerEncoder(6, 2),
        (np.sin(9 * VALUES), IDS),
    ),
    "TransformerEncoder options": (
        lambda: TransformerEncoder(6, 2, 5, 1, kernel_regularizer="l2"),
        (np.sin(9 * VALUES), IDS),
    ),
    "Embedding": (lambda: Embedding(5, 2, "normal", l2=0.1), (IDS,)),
    "MaskedPooling mean": (lambda: MaskedPooling(), (VALUES, IDS)),
    "MaskedPooling sum": (lambda: MaskedPooling("sum"), (VALUES, IDS)),
    "Route": (lambda: Route(1), (FLOATS, FLOATS + 1, GATES)),
    "Route rank 3": (lambda: Route(0), (VALUES, VALUES + 1, GATES)),
    "BranchRows": (lambda: BranchRows(1, frozen=True), (VALUES, GATES)),
    "BranchRows tuned": (lambda: BranchRows(0, frozen=False), (FLOATS, GATES)),
    "MergeBranches": (lambda: MergeBranches(1), (FLOATS[:2], FLOATS[2:], GATES)),
    "RoutedCross": (lambda: RoutedCross(0), (FLOATS, FLOATS + 1, GATES)),
    "TwinEmbedding": (lambda: TwinEmbedding(5, 2, "normal", l2=0.1), (IDS,)),
    "FieldAttention": (lambda: FieldAttention(head_dim=8), (VALUES,)),
    "FieldAttention scaled": (
        lambda: FieldAttention(head_dim=8, scaled=True, kernel_regularizer="l2"),
        (VALUES,),
    ),
    "GLUAdapter": (lambda: GLUAdapter(5, start="small"), (FLOATS,)),
    "GLUAdapter low rank": (lambda: GLUAdapter(5, start="small", rank=2), (VALUES,)),
    "GLUAdapter linear": (lambda: GLUAdapter(5, gated=False), (FLOATS,)),
    "LateralAdapter": (
        lambda: LateralAdapter(5, activation="tanh", start="small"),
        (FLOATS,),
    ),
    "LateralAdapter low rank": (
        lambda: LateralAdapter(5, rank=2, scale=0.5, start="small"),
        (VALUES,),
    ),
    "TransferUnit": (
        lambda: TransferUnit(activation="tanh", start="random"),
        (FLOATS, FLOATS + 1),
    ),
    "TransferUnit sum": (lambda: TransferUnit(gated=False), (VALUES, VALUES + 1)),
    "DomainGate": (lambda: DomainGate(), (FLOATS, FLOATS**2)),
    "HistoryAttention": (lambda: HistoryAttention(), (FLOATS, VALUES + 1, IDS)),
    "HistoryAttention units": (
        lambda: HistoryAttention(16),
        (FLOATS, VALUES + 1, IDS),
    ),
    "Alignment": (lambda: Alignment(0.5), (FLOATS, FLOATS, FLOATS + 1)),
    "DomainDense": (
        lambda: DomainDense(5, 2, kernel_regularizer="l2"),
        (FLOATS, DOMAINS),
    ),
    "DomainDense star": (
        lambda: DomainDense(5, 2, "tanh", star=True),
        (FLOATS, DOMAINS),
    ),
    "DomainNorm": (lambda: DomainNorm(2), (FLOATS, DOMAINS)),
    "DualLogit": (lambda: DualLogit(0.2), (FLOATS[:, :1], FLOATS[:, 1:2])),
    "ItemAttention": (
        lambda: ItemAttention(16, transfer_rank=2, kernel_regularizer="l2"),
        (VALUES + 1, FLOATS, FLOATS, IDS),
    ),
    "OrthogonalMap": (lambda: OrthogonalMap(0.1), (FLOATS,)),
    "ParallelDense": (lambda: ParallelDense(5, 3, "tanh"), (FLOATS,)),
    "ParallelDense own inputs": (
        lambda: ParallelDense(5, 2, kernel_regularizer="l2"),
        (VALUES + 1,),
    ),
    "GumbelRouter penalised": (
        lambda: GumbelRouter(
            2, seed=1, entropy_weight=0.1, budget=0.2, budget_weight=3.0
        ),
        (FLOATS,),
    ),
    "GumbelRouter": (lambda: GumbelRouter(2, seed=1), (FLOATS,)),
    "GumbelRouter options": (
        lambda: GumbelRouter(
            2,
            hidden_units=(),
            temperature=1.0,
            literal_relu=True,
            stop_gradient=True,
            learning_rate_multiplier=0.5,
            seed=2,
        ),
        (FLOATS,),
    ),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS.keys())
def case(request):
    keras.utils.set_random_seed(0)
    build, arguments = request.param
    return build(), arguments


def model_of(layer, arguments):
    inputs = [keras.Input(a.shape[1:], dtype=a.dtype.name) for a in arguments]
    return keras.Model(inputs, layer(*inputs))


def test_config_round_trip(case):
    layer, _ = case
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
    arguments = set(inspect.signature(type(layer).__init__).parameters)
    arguments -= {"self", "kwargs"}
    assert arguments <= config.keys()
    assert all(hasattr(layer, name) for name in arguments)


def test_symbolic_shape_is_eager_shape(case):
    layer, arguments = case
    symbolic = model_of(layer, arguments).output_shape
    assert symbolic[1:] == tuple(layer(*arguments).shape)[1:]


def test_save_and_load_give_equal_outputs(case, tmp_path):
    layer, arguments = case
    model = model_of(layer, arguments)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(list(arguments)), reloaded(list(arguments)))


def test_frozen_flag_survives_saving(case, tmp_path):
    layer, arguments = case
    model = model_of(layer, arguments)
    layer.trainable = False
    model.save(tmp_path / "model.keras")
    assert not keras.saving.load_model(tmp_path / "model.keras").trainable_variables


def test_a_training_step_moves_every_trainable_weight(case):
    layer, arguments = case
    model = model_of(layer, arguments)
    if not model.trainable_variables:
        return
    before = [v.numpy().copy() for v in layer.trainable_variables]
    model.compile(keras.optimizers.SGD(1.0), "mse")
    shape = model(list(arguments)).shape
    # No constant: a LayerNorm is as far from one with any input.
    targets = 5.0 + np.arange(np.prod(shape)).reshape(shape)
    model.train_on_batch(list(arguments), targets)
    for variable, old in zip(layer.trainable_variables, before, strict=True):
        moved = not np.array_equal(variable, old)
        # The second ReLU of the literal form may be off for every example.
        assert moved or getattr(layer, "literal_relu", False), variable.path


def test_mixed_precision_keeps_float32_weights(case):
    layer, arguments = case
    config = {**layer.get_config(), "dtype": "mixed_bfloat16"}
    mixed = type(layer).from_config(config)
    output = mixed(*arguments)
    assert output.dtype == tf.bfloat16
    assert all(v.dtype == "float32" for v in mixed.weights)


def test_half_precision_rounds_the_output_and_no_more(case):
    layer, arguments = case
    exact = np.array(layer(*arguments))
    half = type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"})
    half(*arguments)  # Builds it.
    half.set_weights(layer.get_weights())
    np.testing.assert_allclose(half(*arguments), exact, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        (CrossLayer(), (FLOATS, FLOATS[:, :2]), "the same shape .B, N."),
        (CrossLayer(), (VALUES, VALUES), "concatenate the field embeddings"),
        (MaskedPooling(), (VALUES, IDS[:, :1]), "ids that the embeddings"),
        (Route(2), (FLOATS, FLOATS, GATES), "a decision in .0, 2."),
        (Route(0), (FLOATS, FLOATS[:, :2], GATES), "two branches of the same shape"),
        (GumbelRouter(2), (VALUES,), "flatten or pool"),
        (
            DualAttention(),
            (VALUES, VALUES[:, :, :2], FLOATS, IDS, IDS),
            "states of the same width in both histories",
        ),
        (
            DualAttention(),
            (VALUES, VALUES, VALUES, IDS, IDS),
            "one vector per candidate",
        ),
    ],
    ids=str,
)
def test_bad_shapes_guide(layer, arguments, message):
    with pytest.raises(ValueError, match=message):
        layer(*arguments)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Embedding(0, 4), "`input_dim` to be a whole"),
        (lambda: Embedding(4, 4, l2=-1), "l2 of at least 0"),
        (lambda: MaskedPooling("max"), "`mode` to be one of 'mean', 'sum'"),
        (lambda: GumbelRouter(0), "`num_decisions` to be a whole"),
        (lambda: GumbelRouter(1, temperature=0), "positive temperature"),
    ],
    ids=["rows", "l2", "mode", "decisions", "temperature"],
)
def test_bad_arguments_guide(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# CrossLayer


def test_cross_layer_agrees_with_the_matrix_form_of_keras_rs():
    """Its `x0 * (x W)` with every column of W equal to w is the vector form."""
    layer = CrossLayer()
    layer.build((None, 3), (None, 3))
    oracle = keras_rs.layers.FeatureCross(use_bias=False)
    oracle(FLOATS, FLOATS)
    oracle.weights[0].assign(np.tile(layer.kernel.numpy(), (1, 3)))
    np.testing.assert_allclose(
        layer(FLOATS, FLOATS + 1), oracle(FLOATS, FLOATS + 1), rtol=1e-6
    )


# Embedding


def test_embedding_gradient_is_sparse_and_sums_to_the_dense_one():
    layer = Embedding(5, 2, "normal")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS) * np.arange(16.0).reshape(4, 2, 2))
    gradient = tape.gradient(loss, layer.embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    expected = np.zeros((5, 2))
    for row, value in zip(IDS.ravel(), np.arange(16.0).reshape(8, 2), strict=True):
        expected[row] += value
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), expected)


def test_embedding_l2_is_over_the_rows_in_the_batch_and_stays_sparse():
    layer = Embedding(5, 2, "ones", l2=0.5)
    with tf.GradientTape() as tape:
        layer(np.array([1, 1, 4, 2]))
        (penalty,) = layer.losses
    assert float(penalty) == 0.5 * 8 / 4
    assert isinstance(tape.gradient(penalty, layer.embeddings.value), tf.IndexedSlices)


def test_frozen_embedding_has_no_penalty():
    layer = Embedding(5, 2, "ones", l2=0.5, trainable=False)
    layer(np.array([1]))
    assert layer.losses == []


def test_embedding_keeps_xla_off_where_it_cannot_compile():
    model = model_of(Embedding(5, 2), (IDS,))
    model.compile("sgd", "mse")
    assert model.jit_compile is False


# MaskedPooling


def test_pooling_leaves_padding_out():
    expected = [VALUES[0].mean(0), VALUES[1][0], np.zeros(3), VALUES[3].mean(0)]
    np.testing.assert_allclose(MaskedPooling()(VALUES, IDS), expected, rtol=1e-6)
    expected = [VALUES[0].sum(0), VALUES[1][0], np.zeros(3), VALUES[3].sum(0)]
    np.testing.assert_allclose(MaskedPooling("sum")(VALUES, IDS), expected, rtol=1e-6)


# GumbelRouter and Route


def router_with_logits(logits, **arguments):
    """A router whose logits are `logits [N, 2]` for every input."""
    router = GumbelRouter(len(logits), hidden_units=(), **arguments)
    router.build((None, 3))
    router.set_weights(
        [np.zeros((3, 2 * len(logits))), np.ravel(logits), np.array(5.0)]
    )
    return router


def test_router_takes_the_likelier_branch_at_inference():
    router = router_with_logits([[2.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(router(FLOATS), [[1.0, 0.0, 1.0]] * 4)


def test_router_samples_in_proportion_to_the_softmax():
    router = router_with_logits([[np.log(3.0), 0.0]], seed=7)
    gates = np.array(router(np.zeros((20000, 3)), training=True))
    # P(frozen) = 3 / 4 whatever the temperature; 5 standard deviations.
    assert abs(gates.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20000)
    np.testing.assert_allclose(gates, np.round(gates), atol=1e-6)


def test_router_samples_at_inference_only_when_asked():
    arguments = {"logits": [[0.1, 0.0]], "seed": 7}
    x = np.zeros((200, 3))
    assert np.all(np.array(router_with_logits(**arguments)(x)) == 1.0)
    sampled = np.array(router_with_logits(sample_at_eval=True, **arguments)(x))
    assert 0.0 < sampled.mean() < 1.0


def test_a_frozen_router_takes_the_likelier_branch_and_has_no_penalty():
    router = router_with_logits([[0.1, 0.0]], seed=7, entropy_weight=1.0)
    router.trainable = False
    gates = router(np.zeros((200, 3)), training=True)
    np.testing.assert_array_equal(gates, np.ones((200, 1)))
    assert not router.losses


def test_router_gradient_is_that_of_the_relaxed_sample():
    """Two logits differ by g: d soft / d g = soft (1 - soft) / temperature."""
    router = router_with_logits([[0.0, 0.0]], seed=3)
    noise = np.array([[[0.7, -0.2]]], dtype="float32")
    router._gumbel_noise = lambda shape: noise
    bias = router._biases[-1].value
    with tf.GradientTape() as tape:
        gate = router(np.zeros((1, 3)), training=True)
    soft = 1 / (1 + np.exp(-(0.7 + 0.2) / 5.0))
    assert float(gate[0, 0]) == pytest.approx(1.0, abs=1e-6)
    slope = soft * (1 - soft) / 5.0
    np.testing.assert_allclose(tape.gradient(gate, bias), [slope, -slope], rtol=1e-5)


def test_router_literal_reading_takes_the_logarithm_of_a_relu():
    router = router_with_logits([[4.0, -3.0]], literal_relu=True)
    np.testing.assert_allclose(
        router.logits(FLOATS)[0, 0], [np.log(4.0), np.log(1e-8)], rtol=1e-5
    )


@pytest.mark.parametrize("stop", [True, False])
def test_router_cuts_the_gradient_into_its_input_only_when_asked(stop):
    router = GumbelRouter(1, stop_gradient=stop, seed=1)
    x = tf.constant(FLOATS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        gates = router(x, training=True)
    assert (tape.gradient(gates, x) is None) == stop


def test_router_weights_ask_for_their_own_learning_rate():
    router = GumbelRouter(1, learning_rate_multiplier=0.25)
    router(FLOATS)
    assert {w.learning_rate_multiplier for w in router.trainable_weights} == {0.25}


def test_route_mixes_with_a_gradient_to_the_gate_in_training():
    frozen, tuned = tf.constant([[1.0, 2.0]]), tf.constant([[5.0, 7.0]])
    gates = tf.constant([[0.25]])
    with tf.GradientTape() as tape:
        tape.watch(gates)
        output = Route(0)(frozen, tuned, gates, training=True)
    np.testing.assert_allclose(output, [[4.0, 5.75]])
    np.testing.assert_allclose(tape.gradient(output, gates), [[-4.0 - 5.0]])


def test_route_ignores_a_nan_of_the_branch_not_taken_at_inference():
    frozen, tuned = np.array([[1.0]]), np.array([[np.nan]])
    assert float(Route(0)(frozen, tuned, np.array([[1.0]]))[0, 0]) == 1.0


# Alignment


def test_alignment_of_small_vectors_is_right_in_half_precision():
    """Rows of a table start at 1e-4, whose squares are zero in float16."""
    layer = Alignment(2.0, dtype="mixed_float16")
    rows = np.array([[1e-4, 0.0], [0.0, 1e-4]], "float32")
    layer(rows, rows, np.array([[1e-4, 0.0], [1e-4, 0.0]], "float32"))
    # One pair of one direction, and one at a right angle.
    assert float(layer.losses[0]) == pytest.approx(1.0, abs=1e-3)
