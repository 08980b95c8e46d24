"""The optimizer's slots go where the weights go."""

import keras
import numpy as np
import pytest

from tests.support.table_models import (
    NEW,
    data,
    model_of,
    schema,
    table,
    trained,
)
from tf_ctr.optimizers import SparseAdagrad, SparseAdam
from tf_ctr.surgery import warm_start


@pytest.fixture(scope="module")
def source():
    return trained(schema())


def slots(model, name):
    """The slots of a table, in the order of the optimizer."""
    variable = model.get_layer(name).embeddings
    path = variable.path.replace("/", "_")
    found = [v for v in model.optimizer.variables if v.name.startswith(path)]
    return [np.array(v) for v in found]


OPTIMIZERS = {
    "lazy adam": lambda: SparseAdam(0.1),
    "amsgrad": lambda: SparseAdam(0.1, amsgrad=True),
    "adagrad": lambda: SparseAdagrad(0.1),
    "keras adam": lambda: keras.optimizers.Adam(0.1),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_slots_follow_their_rows(make):
    source, target = trained(schema(), make()), model_of(schema(NEW))
    target.compile(make(), "binary_crossentropy")
    report = warm_start(source, target, schema(), schema(NEW), new_rows="unseen")
    old, new = slots(source, "item_embedding"), slots(target, "item_embedding")
    assert len(old) == len(new) > 0
    initial = 0.1 if isinstance(target.optimizer, SparseAdagrad) else 0.0
    for before, after in zip(old, new, strict=True):
        np.testing.assert_array_equal(after[[0, 1, 3, 4]], before[[0, 1, 4, 2]])
        np.testing.assert_array_equal(after[[2, 5]], np.full((2, 2), initial, "f"))
        assert (before[2] != initial).all()
    assert int(target.optimizer.iterations) == 2
    assert report.optimizer == "slots of 8 variables copied, 2 steps"


def test_training_resumes_exactly_after_a_warm_start():
    source, twin = trained(schema()), model_of(schema())
    twin.compile(SparseAdam(0.1), "binary_crossentropy", run_eagerly=True)
    warm_start(source, twin)
    for model in (source, twin):
        model.train_on_batch(*data(schema(), "bbca", seed=1))
    for old, new in zip(source.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_learning_rate_of_the_target_stays(source):
    target = model_of(schema())
    target.compile(SparseAdam(0.5), "binary_crossentropy")
    warm_start(source, target)
    assert float(target.optimizer.learning_rate) == 0.5


def test_slots_of_skipped_and_frozen_layers_stay(source):
    target = model_of(schema())
    target.get_layer("item_linear").trainable = False
    target.compile(SparseAdam(0.1), "binary_crossentropy")
    report = warm_start(source, target, skip=["item_embedding"])
    assert not np.any(slots(target, "item_embedding"))
    assert "6 variables" in report.optimizer


def test_report_says_why_slots_were_not_copied():
    source, target = trained(schema()), model_of(schema())
    reports = [warm_start(source, target, optimizer=False), warm_start(source, target)]
    target.compile(SparseAdagrad(), "binary_crossentropy")
    reports.append(warm_start(source, target))
    target.compile(SparseAdam(amsgrad=True), "binary_crossentropy")
    reports.append(warm_start(source, target))
    source.compile(SparseAdam(), "binary_crossentropy")
    reports.append(warm_start(source, target))
    assert [report.optimizer for report in reports] == [
        "not asked for",
        "not copied: the target is not compiled",
        "not copied: SparseAdam in the source, SparseAdagrad in the target",
        "not copied: the slots of the two SparseAdam are not alike by variable",
        "not copied: the optimizer of the source has made no step",
    ]


def test_slots_follow_their_rows_from_a_reloaded_model(source, tmp_path):
    source.save(tmp_path / "source.keras")
    reloaded = keras.saving.load_model(tmp_path / "source.keras")
    target = trained(schema(NEW))
    warm_start(reloaded, target, schema(), schema(NEW))
    np.testing.assert_array_equal(table(target)[3], table(source)[4])
    np.testing.assert_array_equal(
        slots(target, "item_embedding")[0][3], slots(source, "item_embedding")[0][4]
    )
