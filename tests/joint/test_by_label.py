"""Joint models by label: one contract, and each against its equations in NumPy."""

import keras
import numpy as np
import pytest

from tests.joint.test_oracles import (
    dense,
    mixed,
    output_of,
    sigmoid,
    softmax,
    weights_of,
)
from tests.support import two_labels
from tests.support.joint_models import two_domain_schema
from tests.support.two_labels import LABELS, build
from tf_ctr import Categorical, Schema, backbones, evaluation, joint, training
from tf_ctr.continual import Period, Training, run
from tf_ctr.data import from_frame
from tf_ctr.joint import BY_LABEL


@pytest.fixture(scope="module")
def schema():
    return two_labels.schema()


@pytest.fixture(scope="module")
def batch(schema):
    return next(iter(from_frame(two_labels.rows(), schema, batch_size=two_labels.ROWS)))


@pytest.fixture(params=BY_LABEL)
def name(request):
    return request.param


def test_every_label_has_an_output_that_survives_saving(name, schema, batch, tmp_path):
    model = build(name, schema)
    x, y = batch
    scores = model(x)
    assert sorted(scores) == sorted(LABELS)
    for label in LABELS:
        assert scores[label].shape == (two_labels.ROWS, 1)
        assert scores[label].dtype == "float32"
        assert model.get_layer(label).output is model.output[label]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for label in LABELS:
        np.testing.assert_array_equal(loaded(x)[label], scores[label])


def test_a_step_moves_every_weight(name, schema, batch):
    """Rows whose buy is not known do not train what only the buy needs."""
    model = build(name, schema)
    training.compile(model)
    model.run_eagerly = True
    x, y = batch
    unknown = {"click": y["click"], "buy": y["buy"] * float("nan")}

    def moved(labels):
        before = {w.path: w.numpy() for w in model.trainable_weights}
        model.train_on_batch(x, labels)
        after = {w.path: w.numpy() for w in model.trainable_weights}
        return {path for path in after if (after[path] != before[path]).any()}

    rate = {w.path for w in model.get_layer("buy_logit").weights}
    assert rate <= {w.path for w in model.trainable_weights}
    if name != "aitm":  # Its penalty orders the labels of all rows.
        assert not rate & moved(unknown)
    assert moved(y) == {w.path for w in model.trainable_weights}


def check(model, features, twin):
    """Compares scores with those of `twin(x, weights)`, row by row."""
    weights = weights_of(model)
    for row, *found in zip(
        output_of(model, "embeddings", features),
        *(model(features)[label] for label in LABELS),
        strict=True,
    ):
        np.testing.assert_allclose(np.ravel(found), np.ravel(twin(row, weights)), 1e-4)


@pytest.fixture(scope="module")
def features(batch):
    return {name: values[:6].numpy() for name, values in batch[0].items()}


def logit(x, w, label, depths=1):
    for i in range(depths):
        x = np.tanh(dense(x, w[f"{label}_tower_{i}"]))
    return dense(x, w[f"{label}_logit"])


def test_share_bottom_agrees_with_its_equations(schema, features):
    def twin(x, w):
        h = np.tanh(dense(x, w["bottom_0"]))
        return [sigmoid(logit(h, w, label)) for label in LABELS]

    check(build("share_bottom", schema), features, twin)


def test_esmm_agrees_with_its_equations(schema, features):
    def twin(x, w):
        click, given = (sigmoid(logit(x, w, label)) for label in LABELS)
        return [click, click * given]

    check(build("esmm", schema), features, twin)


def test_mmoe_agrees_with_its_equations(schema, features):
    def twin(x, w):
        experts = [
            np.tanh(dense(np.tanh(dense(x, w[f"expert_{e}_0"])), w[f"expert_{e}_1"]))
            for e in range(3)
        ]
        return [
            sigmoid(logit(mixed(softmax(dense(x, w[f"{n}_gate"])), *experts), w, n))
            for n in LABELS
        ]

    check(build("mmoe", schema), features, twin)


def test_ple_agrees_with_its_equations(schema, features):
    def level(own, shared, w, name, label):
        mine = np.split(np.tanh(dense(own, w[f"{name}_domain_experts"], label)), 2)
        kernels = w[f"{name}_shared_experts"]
        common = [np.tanh(dense(shared, kernels, e)) for e in range(2)]
        gate = softmax(dense(own, w[f"{name}_domain_gates"], label))
        return mixed(gate, *mine, *common), mine, common

    def twin(x, w):
        first = [level(x, x, w, "level_0", label) for label in range(2)]
        experts = [expert for _, mine, _ in first for expert in mine]
        gate = softmax(dense(x, w["level_0_shared_gate"]))
        shared = mixed(gate, *experts, *first[0][2])
        return [
            sigmoid(logit(level(own, shared, w, "level_1", i)[0], w, LABELS[i]))
            for i, (own, _, _) in enumerate(first)
        ]

    check(build("ple", schema), features, twin)


def test_aitm_agrees_with_its_equations(schema, features):
    def twin(x, w):
        tower = [
            np.tanh(dense(np.tanh(dense(x, w[f"{n}_tower_0"])), w[f"{n}_tower_1"]))
            for n in LABELS
        ]
        both = [np.tanh(dense(tower[0], w["buy_information"])), tower[1]]
        value, query, key = w["buy_ait"]
        weights = softmax(np.array([(u @ query) @ (u @ key) / 2 for u in both]))
        z = mixed(weights, *(u @ value for u in both))
        return [
            sigmoid(dense(tower[0], w["click_logit"])),
            sigmoid(dense(z, w["buy_logit"])),
        ]

    model = build("aitm", schema, order_weight=2.0)
    check(model, features, twin)
    scores = model(features)
    over = np.maximum(scores["buy"] - scores["click"], 0)
    assert float(model.losses[0]) == pytest.approx(2 * over.mean(), rel=1e-5)
    assert over.any()


def test_a_domain_or_several_labels_but_not_both(schema):
    one = two_domain_schema()
    for build_it, words in (
        (lambda: joint.mmoe(one), "a domain field, or a schema with several labels"),
        (lambda: joint.ple(schema, domain="item"), "per label or per domain"),
        (lambda: joint.star(schema, domain="item"), "one label, for a model with one"),
        (lambda: backbones.dcn(schema), "one label, for a model with one output"),
        (lambda: backbones.deepfm(schema), "one label, for a model with one output"),
        (lambda: joint.esmm(one), "two labels for esmm"),
        (lambda: joint.aitm(one), "two labels or more for aitm"),
        (
            lambda: joint.minet(schema, "item", "a", ["item"], "item", "item"),
            "one label, for a model|sequence field",
        ),
        (
            lambda: joint.esmm(Schema([Categorical("item", ["a"])], labels="abc")),
            "two labels for esmm",
        ),
        (
            lambda: joint.mmoe(
                Schema([Categorical("item", ["a"])], labels=("click", "logit"))
            ),
            "labels that no layer is named as",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            build_it()
    assert backbones.dnn(schema.for_label("buy"), 2, (3,)).output.shape == (None, 1)


def test_a_continual_run_trains_and_tests_all_labels(schema, tmp_path):
    days = [Period(i, two_labels.rows(seed=i)) for i in range(2)]
    target = build("esmm", schema)
    settings = Training(batch_size=64, verbose=0)
    report = run(
        days,
        tmp_path,
        target=target,
        schema=schema,
        method="target_only",
        training=settings,
    )
    [line] = report.frame.to_dict("records")
    model = keras.saving.load_model(tmp_path / "000000" / "model.keras")
    found = evaluation.evaluate(model, days[1].read(), schema)
    for metric in ("click_auc", "buy_auc", "buy_log_loss"):
        assert line[metric] == pytest.approx(found[metric]), metric
    assert list(report.matrix("buy_auc").columns) == [1]
    assert "| buy_auc |" in report.to_markdown()
