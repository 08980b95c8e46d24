"""L2-SP: the penalty by hand, its gradient, and what it must not disturb."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.frames import click_schema
from tests.support.models import batch, small_dcn
from tf_ctr.backbones import dcn
from tf_ctr.export.servable import Servable
from tf_ctr.layers import Embedding
from tf_ctr.optimizers import SparseAdam
from tf_ctr.transfer import autoft, fine_tune, l2_sp

IDS = {"id": np.array([2, 2, 0, 1])}


def tiny():
    """One table of ones, `[3, 2]`, and one layer of twos."""
    inputs = {"id": keras.Input((), dtype="int64", name="id")}
    x = Embedding(3, 2, "ones", name="id_embedding")(inputs["id"])
    twos = keras.initializers.Constant(2.0)
    click = keras.layers.Dense(
        1, "sigmoid", kernel_initializer=twos, bias_initializer=twos, name="click"
    )
    return keras.Model(inputs, click(x))


def move(model, amount):
    for layer in model.layers:
        layer.set_weights([w + amount for w in layer.get_weights()])


def step(model, features, labels, optimizer="sgd", steps=1, eager=True):
    model.compile(optimizer, "binary_crossentropy", run_eagerly=eager)
    return [model.train_on_batch(features, labels) for _ in range(steps)]


def test_penalty_agrees_with_hand_computed_numbers():
    model = l2_sp(tiny(), alpha=0.5, beta=100.0)
    assert float(model.penalty(IDS)) == 0.0
    move(model, 3.0)
    # 2 kernel weights and a bias, and 4 lookups of 2 numbers over a batch of 4.
    assert float(model.penalty(IDS)) == pytest.approx(0.25 * 9 * (3 + 4 * 2 / 4))


def test_new_layers_are_pulled_to_zero():
    model = l2_sp(tiny(), alpha=0.5, beta=4.0, new=("click",))
    assert float(model.penalty(IDS)) == 2.0 * 4 * 3
    move(model, 3.0)
    assert float(model.penalty(IDS)) == pytest.approx(2.0 * 25 * 3 + 0.25 * 9 * 2)
    table = l2_sp(tiny(), alpha=0.5, beta=4.0, new=("id_embedding",))
    assert float(table.penalty(IDS)) == 2.0 * 4 * 2 / 4


def test_step_differs_from_fine_tuning_by_the_gradient_of_the_penalty():
    features, labels = batch()
    source, alpha, rate = small_dcn(), 0.2, 0.5
    plain, pulled = fine_tune(source), l2_sp(source, alpha=alpha)
    for model in (plain, pulled):
        move(model, 0.1)
        step(model, features, labels, keras.optimizers.SGD(rate), eager=False)
    ids = {
        "user_embedding": features["user"],
        "item_embedding": np.append(features["item"], features["history"]),
    }
    for layer in plain.layers:
        for i, weight in enumerate(layer.get_weights()):
            pull = np.full(weight.shape, rate * alpha * 0.1)
            if layer.name in ids:
                counts = np.bincount(ids[layer.name], minlength=len(weight))
                pull *= counts[:, None] / len(labels)
            actual = weight - pulled.get_layer(layer.name).get_weights()[i]
            np.testing.assert_allclose(actual, pull, atol=1e-6, err_msg=layer.name)


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def test_gradient_of_a_table_stays_sparse_and_the_penalty_float32(policy):
    features, labels = batch()
    model = l2_sp(small_dcn(), alpha=0.1)
    move(model, 2.0**-12)  # Of the weights of the layers bfloat16 would keep nothing.
    model.compile("sgd", "binary_crossentropy")
    with tf.GradientTape() as tape:
        scores = model(features, training=True)
        loss = model.compute_loss(features, labels[:, None], scores)
        penalty = model.penalty(features)
    table = model.get_layer("item_embedding").embeddings.value
    assert isinstance(tape.gradient(loss, table), tf.IndexedSlices)
    dense = sum(
        w.size
        for layer in model.layers
        for w in layer.get_weights()
        if "embedding" not in layer.name
    )
    expected = 0.05 * 2.0**-24 * (dense + 4 * (1 + 1 + 3))
    assert float(penalty) == pytest.approx(expected, rel=1e-2)


def test_with_zero_strengths_l2_sp_trains_exactly_like_fine_tuning():
    features, labels = batch()
    source = small_dcn(batch_norm=True)
    plain, pulled = fine_tune(source), l2_sp(source, alpha=0.0, beta=0.0)
    for model in (plain, pulled):
        step(model, features, labels, SparseAdam(0.1), steps=3)
    for layer in plain.layers:
        twin = pulled.get_layer(layer.name)
        for a, b in zip(layer.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=layer.name)


def test_penalty_is_in_the_training_loss_only():
    features, labels = batch()
    model = l2_sp(small_dcn(), alpha=1.0)
    move(model, 0.5)
    (loss,) = step(model, features, labels, keras.optimizers.SGD(0.0))
    plain = model.evaluate(features, labels, verbose=0)
    assert loss - plain == pytest.approx(float(model.penalty(features)), rel=1e-5)
    assert loss - plain > 1.0


@pytest.mark.parametrize("whole", [True, False], ids=["model", "weights"])
def test_the_starting_point_survives_saving_and_resuming(whole, tmp_path):
    features, labels = batch()
    source = small_dcn(batch_norm=True)
    model = l2_sp(source, alpha=0.3, beta=0.2, new=("logit",))
    step(model, features, labels, SparseAdam(0.1), steps=2)
    path = tmp_path / ("model.keras" if whole else "model.weights.h5")
    if whole:
        model.save(path)
        reloaded = keras.saving.load_model(path)
    else:
        model.save_weights(path)
        reloaded = l2_sp(fine_tune(source), alpha=0.3, beta=0.2, new=("logit",))
        move(reloaded, 1.0)
        reloaded.remember_start()
        reloaded.load_weights(path)
    penalty = float(model.penalty(features))
    assert penalty > 0
    assert float(reloaded.penalty(features)) == pytest.approx(penalty, rel=1e-6)
    assert len(reloaded.trainable_variables) == len(fine_tune(source).trainable_weights)
    if whole:
        losses = [m.train_on_batch(features, labels) for m in (model, reloaded)]
        assert losses[0] == losses[1]


def test_the_starting_point_is_neither_in_the_graph_nor_served(tmp_path):
    schema = click_schema()
    source = dcn(schema, embedding_dim=4, hidden_units=(8,), batch_norm=True)
    plain, pulled = fine_tune(source), l2_sp(source)
    assert [layer.name for layer in pulled.layers] == [
        layer.name for layer in plain.layers
    ]
    served = [
        Servable(model, schema, tmp_path).module.weights for model in (plain, pulled)
    ]
    assert len(served[0]) == len(served[1])


def test_batch_norm_statistics_and_frozen_layers_are_left_out():
    features, _ = batch()
    model = l2_sp(small_dcn(batch_norm=True))
    norm = model.get_layer("deep_0").get_layer("norm")
    norm.moving_mean.assign(norm.moving_mean + 1.0)
    assert float(model.penalty(features)) == 0.0
    norm.gamma.assign(norm.gamma + 1.0)
    assert float(model.penalty(features)) == pytest.approx(0.005 * 5)
    model.get_layer("deep_0").trainable = False
    assert float(model.penalty(features)) == 0.0


def test_on_autoft_l2_sp_pulls_the_tuned_copies_and_decays_the_policies():
    features, labels = batch()
    source = small_dcn()
    model = l2_sp(source, alpha=2.0, beta=2.0, target=autoft(source, which="deep"))
    kernels = model.get_layer("deep_router").trainable_weights
    decay = sum(float(keras.ops.sum(w**2)) for w in kernels)
    assert float(model.penalty(features)) == pytest.approx(decay, rel=1e-5)
    frozen = model.get_layer("deep_0_frozen")
    frozen.set_weights([w + 1.0 for w in frozen.get_weights()])
    assert float(model.penalty(features)) == pytest.approx(decay, rel=1e-5)
    deep = model.get_layer("deep_0")
    deep.set_weights([w + 1.0 for w in deep.get_weights()])
    assert float(model.penalty(features)) == pytest.approx(
        decay + sum(w.size for w in deep.get_weights()), rel=1e-5
    )
    step(model, features, labels)


def test_l2_sp_works_on_a_target_with_new_layers():
    features, _ = batch()
    source = small_dcn()
    target = fine_tune(source, which="embeddings")
    model = l2_sp(
        source, alpha=1.0, beta=2.0, target=target, new=target.weight_report.skipped
    )
    new = [each for each in target.layers if each.weights and "emb" not in each.name]
    size = sum(float(np.sum(w**2)) for each in new for w in each.get_weights())
    assert float(model.penalty(features)) == pytest.approx(size, rel=1e-5)


def test_features_can_be_a_list():
    model = l2_sp(small_dcn(), alpha=1.0)
    move(model, 1.0)
    features, _ = batch()
    as_list = [features[name] for name in sorted(features)]
    assert float(model.penalty(as_list)) == float(model.penalty(features))


def test_other_methods_accept_it_as_a_plain_model():
    features, labels = batch()
    model = l2_sp(small_dcn(), alpha=1.0)
    step(model, features, labels)
    for method in (fine_tune, autoft, l2_sp):
        np.testing.assert_allclose(method(model)(features), model(features), atol=1e-6)
    assert type(fine_tune(model)) is type(fine_tune(small_dcn()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -1.0}, "alpha >= 0"),
        ({"new": ("clik",)}, "'clik'.\nFix: use one of: click, id_embedding"),
        ({"new": ("click", "id_embedding")}, "the name of one of the source"),
    ],
    ids=["negative", "unknown layer", "nothing shared"],
)
def test_wrong_arguments_raise_errors_with_a_fix(arguments, message):
    with pytest.raises(ValueError, match=message):
        l2_sp(tiny(), **arguments)
