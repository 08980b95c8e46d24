"""One contract over every layer of `tf_ctr.layers`.

A new layer needs one case in `LAYERS`; its numbers are tested in a file of its own.
"""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import tree

import tf_ctr
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
    GatedCross,
    GLUAdapter,
    GumbelRouter,
    HistoryAttention,
    InformationTransfer,
    InterestEvolution,
    InterestExtractor,
    ItemAttention,
    LateralAdapter,
    MaskBlock,
    MaskedPooling,
    MergeBranches,
    Newest,
    OddsScale,
    OrderPenalty,
    OrthogonalMap,
    PairAttention,
    ParallelDense,
    PersonalGate,
    Route,
    RoutedCross,
    RoutedIds,
    SIMAttention,
    SnapshotAggregation,
    SnapshotTable,
    Sum,
    TargetAttention,
    TransferUnit,
    TransformerEncoder,
    TwinEmbedding,
    WukongLayer,
)

FLOATS = np.linspace(-1.0, 1.0, 12, dtype="float32").reshape(4, 3)
IDS = np.array([[1, 2], [3, 0], [0, 0], [4, 4]])
VALUES = np.linspace(0.0, 1.0, 24, dtype="float32").reshape(4, 2, 3)
DOMAINS = np.array([0, 1, 1, 0])
# Two embeddings of two numbers each, and whether a snapshot has them.
SNAPSHOTS = np.sin(9 * np.linspace(0.0, 1.0, 24, dtype="float32")).reshape(4, 2, 3)
SNAPSHOTS[..., 2] = [[1, 1], [1, 0], [0, 0], [1, 1]]
GATES = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype="float32")

# `{"Name" or "Name what differs": (builds the layer, its call arguments)}`. Where a
# layer has ReLUs, the inputs are chosen so that none is off for every example.
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
    "GatedCross": (
        lambda: GatedCross(kernel_regularizer="l2"),
        (FLOATS, FLOATS + 1),
    ),
    "MaskBlock": (
        lambda: MaskBlock(5, kernel_regularizer="l2"),
        (FLOATS, FLOATS[:, :2] + 1),
    ),
    "PersonalGate": (
        lambda: PersonalGate(5, kernel_regularizer="l2"),
        (FLOATS, FLOATS[:, :2] + 1),
    ),
    "WukongLayer": (
        lambda: WukongLayer(2, 3, 2, 5, kernel_regularizer="l2"),
        (SNAPSHOTS,),
    ),
    "WukongLayer as many": (lambda: WukongLayer(1, 1, 2, 5), (SNAPSHOTS,)),
    "InterestExtractor": (
        lambda: InterestExtractor(5, kernel_regularizer="l2"),
        (VALUES + 1, IDS),
    ),
    "InterestEvolution": (
        lambda: InterestEvolution(5, kernel_regularizer="l2"),
        (FLOATS + 1, VALUES - 1, IDS),
    ),
    "PairAttention": (
        lambda: PairAttention(5, kernel_regularizer="l2"),
        (VALUES.reshape(4, 3, 2) + 1,),
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
    "OddsScale": (lambda: OddsScale(0.1), ((FLOATS + 1) / 2,)),
    "Sum": (lambda: Sum(), (FLOATS, FLOATS + 1)),
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
    "RoutedIds": (lambda: RoutedIds([0, 1], [5, 4]), ([IDS[:, 0], IDS], GATES)),
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
    "DualAttention": (
        lambda: DualAttention(5, kernel_regularizer="l2"),
        (VALUES, VALUES[:, ::-1] + 1, FLOATS, IDS, IDS),
    ),
    "DualLogit": (lambda: DualLogit(0.2), (FLOATS[:, :1], FLOATS[:, 1:2])),
    "ItemAttention": (
        lambda: ItemAttention(16, transfer_rank=2, kernel_regularizer="l2"),
        (VALUES + 1, FLOATS, FLOATS, IDS),
    ),
    "InformationTransfer": (
        lambda: InformationTransfer(5, kernel_regularizer="l2"),
        (FLOATS, FLOATS[::-1]),
    ),
    "OrderPenalty": (lambda: OrderPenalty(0.1), (FLOATS + 1, FLOATS)),
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


def test_every_layer_has_a_case():
    """The contract below covers every public layer."""
    missing = set(tf_ctr.layers.__all__) - {name.split()[0] for name in LAYERS}
    assert not missing, (
        f"Add a case to LAYERS in {__file__} for {sorted(missing)}: how to build the "
        "layer, and arguments to call it with."
    )


@pytest.fixture(params=LAYERS.items(), ids=LAYERS)
def case(request):
    keras.utils.set_random_seed(0)
    name, (build, arguments) = request.param
    layer = build()
    assert type(layer).__name__ == name.split()[0]
    return layer, arguments


def model_of(layer, arguments):
    inputs = tree.map_structure(
        lambda a: keras.Input(a.shape[1:], dtype=a.dtype.name), arguments
    )
    return keras.Model(tree.flatten(inputs), tree.flatten(layer(*inputs)))


def outputs_of(model, arguments):
    """The outputs of a model made by `model_of`, as a list of arrays."""
    return [np.array(y) for y in tree.flatten(model(tree.flatten(arguments)))]


def test_config_survives_a_round_trip(case):
    layer, _ = case
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
    arguments = set(inspect.signature(type(layer).__init__).parameters)
    arguments -= {"self", "kwargs"}
    assert arguments <= config.keys()
    assert all(hasattr(layer, name) for name in arguments)


def test_registered_names_match_saved_models(case):
    layer, _ = case
    name = keras.saving.get_registered_name(type(layer))
    assert name == f"tf_ctr>{type(layer).__name__}"


def test_symbolic_and_eager_shapes_agree(case):
    layer, arguments = case
    symbolic = [y.shape[1:] for y in model_of(layer, arguments).outputs]
    eager = [tuple(y.shape)[1:] for y in tree.flatten(layer(*arguments))]
    assert symbolic == eager


def test_save_and_load_give_equal_outputs(case, tmp_path):
    layer, arguments = case
    model = model_of(layer, arguments)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    for old, new in zip(
        outputs_of(model, arguments), outputs_of(reloaded, arguments), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_frozen_flag_survives_saving(case, tmp_path):
    layer, arguments = case
    model = model_of(layer, arguments)
    if not model.trainable_variables:
        return
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
    # Not constant: a LayerNorm is equally far from a constant for any input.
    targets = [
        5.0 + np.arange(y.size).reshape(y.shape) for y in outputs_of(model, arguments)
    ]
    model.train_on_batch(tree.flatten(arguments), targets)
    for variable, old in zip(layer.trainable_variables, before, strict=True):
        moved = not np.array_equal(variable, old)
        # The second ReLU of the literal form may be off for every example.
        assert moved or getattr(layer, "literal_relu", False), variable.path


def test_mixed_precision_keeps_float32_weights(case):
    layer, arguments = case
    config = {**layer.get_config(), "dtype": "mixed_bfloat16"}
    mixed = type(layer).from_config(config)
    for output in tree.flatten(mixed(*arguments)):
        assert output.dtype == tf.bfloat16 or output.dtype.is_integer
    assert all(v.dtype == "float32" for v in mixed.weights)


def test_half_precision_only_rounds_the_output(case):
    layer, arguments = case
    exact = [np.array(y) for y in tree.flatten(layer(*arguments))]
    half = type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"})
    half(*arguments)  # Builds it.
    half.set_weights(layer.get_weights())
    for rounded, y in zip(tree.flatten(half(*arguments)), exact, strict=True):
        np.testing.assert_allclose(rounded, y, rtol=2e-2, atol=2e-2)


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
def test_wrong_shapes_are_refused_with_a_fix(layer, arguments, message):
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
def test_wrong_arguments_are_refused_with_a_fix(build, message):
    with pytest.raises(ValueError, match=message):
        build()
