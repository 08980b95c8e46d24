"""Warm start: weights by name, rows by id, and a report of both."""

import json

import keras
import numpy as np
import pytest

from tests.support.models import small_dcn
from tests.support.table_models import (
    NEW,
    OLD,
    data,
    model_of,
    schema,
    table,
    trained,
    weights,
)
from tf_ctr.features import Numeric, Schema
from tf_ctr.optimizers import SparseAdam
from tf_ctr.surgery import summary, warm_start
from tf_ctr.transfer import WeightReport, autoft


@pytest.fixture(scope="module")
def source():
    return trained(schema())


@pytest.mark.parametrize("name", ["item_embedding", "item_linear"])
def test_rows_follow_their_ids(source, name):
    """Behind the rows of missing and unseen ids: a, b, c, and d, c, a, e."""
    target = model_of(schema(NEW))
    old, fresh = table(source, name), table(target, name)
    report = warm_start(source, target, schema(), schema(NEW))
    expected = [old[0], old[1], fresh[2], old[4], old[2], fresh[5]]
    np.testing.assert_array_equal(table(target, name), expected)
    entry = {each.layer: each for each in report.layers}[name]
    assert (entry.action, entry.reason) == ("resized", "grown, shrunk, reordered")
    counts = entry.rows_copied, entry.rows_new, entry.rows_dropped
    assert counts == (4, 2, 1)


def test_new_rows_can_start_as_copies_of_the_unseen_row(source):
    target = model_of(schema(NEW))
    warm_start(source, target, schema(), schema(NEW), new_rows="unseen")
    np.testing.assert_array_equal(table(target)[[2, 5]], table(source)[[1, 1]])


def test_known_ids_keep_the_scores_of_the_source_when_the_vocabulary_changes(source):
    new = schema(("c", "z", "b", "a"))
    target = model_of(new)
    warm_start(source, target, schema(), new)
    np.testing.assert_array_equal(target(data(new)[0]), source(data(schema())[0]))


def test_all_reordered_rows_are_copied(source):
    report = warm_start(
        source, target := model_of(schema("cba")), schema(), schema("cba"), strict=True
    )
    np.testing.assert_array_equal(table(target), table(source)[[0, 1, 4, 3, 2]])
    assert "item_embedding" in report.copied


def test_tables_of_one_size_are_copied_by_number_without_schemas(source):
    report = warm_start(source, target := model_of(schema("xyz")))
    np.testing.assert_array_equal(table(target), table(source))
    assert "by row number" in str(report)


def test_routed_and_frozen_tables_get_the_rows_too(source):
    old, new = schema(), schema(NEW)
    target = autoft(model_of(new))
    report = warm_start(autoft(source), target, old, new)
    assert "item_embedding_frozen" in report.resized
    np.testing.assert_array_equal(
        table(target, "item_embedding_frozen")[[3, 4]], table(source)[[4, 2]]
    )


def test_batch_norm_can_be_left_out_of_the_copy(source):
    """The start of A-CTR from CPM; also everything but the moving statistics."""
    target = model_of(schema())
    before = dict(enumerate(weights(target, "deep_0")))
    report = warm_start(source, target, skip=["*/norm"])
    assert report.skipped == ("deep_0/norm",)
    assert "deep_0" in report.copied
    after, theirs = weights(target, "deep_0"), weights(source, "deep_0")
    for i in range(2):  # Kernel and bias of the product.
        np.testing.assert_array_equal(after[i], theirs[i])
    for i in range(2, 6):
        np.testing.assert_array_equal(after[i], before[i])
    warm_start(source, target, skip=["*/norm/moving_*"])
    after = weights(target, "deep_0")
    np.testing.assert_array_equal(after[2:4], theirs[2:4])
    np.testing.assert_array_equal(after[4:], [before[4], before[5]])


def test_report_lists_new_unused_skipped_and_resized_weights(source):
    target = model_of(schema(), hidden=4, logit="prediction")
    before = weights(target, "deep_0")
    report = warm_start(source, target, skip=["item_linear"])
    assert report.copied == ("item_embedding",)
    assert report.new == ("deep_0", "prediction")
    assert report.unused == ("logit",)
    assert report.skipped == ("item_linear",)
    assert "(4, 3)" in str(report)
    assert "(4, 4)" in str(report)
    np.testing.assert_array_equal(weights(target, "deep_0")[0], before[0])


def test_report_can_be_text_a_frame_or_json(source):
    report = warm_start(source, model_of(schema(NEW)), schema(), schema(NEW))
    lines = str(report).splitlines()
    assert lines[0].split()[:3] == ["layer", "action", "rows_copied"]
    assert lines[-2] == "2 copied, 2 resized, 0 new, 0 skipped, 0 unused"
    frame = report.to_frame().set_index("layer")
    assert frame.loc["item_linear", "rows_new"] == 2
    assert frame["rows_copied"].isna().sum() == 2
    record = json.loads(json.dumps(report.to_dict()))
    assert record["layers"][0]["layer"] == report.layers[0].layer
    assert isinstance(report, WeightReport)


def snapshot(model):
    return [np.array(w) for w in (*model.weights, *model.optimizer.variables)]


def refuse(source, target, message, *args, **kwargs):
    """Expects an error, and a target that is as it was."""
    target.compile(SparseAdam(), "binary_crossentropy")
    target.optimizer.build(target.trainable_variables)
    before = snapshot(target)
    with pytest.raises(ValueError, match=message):
        warm_start(source, target, *args, **kwargs)
    for old, new in zip(before, snapshot(target), strict=True):
        np.testing.assert_array_equal(old, new)


def test_strict_refuses_new_unused_and_resized_weights_and_copies_nothing(source):
    other = model_of(schema(), logit="prediction")
    refuse(source, other, "'prediction' new .*'logit' unused", strict=True)
    grown = schema((*OLD, "d"))
    both = schema(), grown
    refuse(source, model_of(grown), "'item_embedding' resized", *both, strict=True)
    other = model_of(schema(), hidden=4)
    refuse(source, other, "'deep_0' new .shapes", strict=True)


def test_strict_allows_expected_and_skipped_layers(source):
    grown = schema((*OLD, "d"))
    target = model_of(grown, logit="prediction")
    report = warm_start(
        source,
        target,
        schema(),
        grown,
        skip=["logit", "prediction"],
        strict=True,
        expected=["item_*"],
    )
    assert report.resized == ("item_embedding", "item_linear")
    assert set(report.skipped) == {"logit", "prediction"}


def numbers(**fields):
    return Schema([Numeric(name, mean=m, std=s) for name, (m, s) in fields.items()])


def linear(schema):
    inputs = schema.inputs()
    joined = keras.layers.Concatenate(name="numbers")(list(inputs.values()))
    return keras.Model(inputs, keras.layers.Dense(1, name="logit")(joined))


def test_numbers_on_another_scale_are_reported_and_refused_by_strict():
    old = numbers(age=(30.0, 2.0), price=(0.0, 1.0))
    new = numbers(age=(30.0 + 1e-9, 2.0), price=(0.0, 4.0))
    report = warm_start(linear(old), linear(new), old, new)
    (sentence,) = report.scales
    assert (
        sentence == "'price': mean 0, std 1 in the source, mean 0, std 4 in the target"
    )
    assert str(report).endswith(f"other scale: {sentence}")
    assert json.loads(json.dumps(report.to_dict()))["scales"] == [sentence]
    refuse(
        linear(old), linear(new), "on one scale.*\\n.*'price'", old, new, strict=True
    )
    same = warm_start(linear(old), linear(old), old, old, strict=True)
    assert same.scales == () and "scale" not in str(same)


def test_wrong_arguments_copy_nothing(source):
    other = model_of(schema(NEW))
    refuse(source, other, "pass source_schema= and target_schema=, or skip")
    refuse(source, other, "both schemas or none", schema())
    refuse(source, other, "each model's own schema", schema(NEW), schema())
    refuse(
        source, model_of(schema()), "'norm'.\nFix: use one of: deep_0", skip=["norm"]
    )
    refuse(source, model_of(schema()), "one of 'initial', 'unseen'", new_rows="zeros")
    with pytest.raises(ValueError, match="source layers .*target layers"):
        warm_start(source, small_dcn(), skip=["item_embedding", "deep_0", "logit"])


def test_another_embedding_dim_makes_a_table_new(source):
    report = warm_start(source, model_of(schema(), dim=4))
    assert {"item_embedding", "deep_0"} == set(report.new)


def test_summary_without_a_report_tells_frozen_from_tuned_layers():
    model = autoft(small_dcn(), which="deep")
    lines = summary(model)
    assert lines.loc["deep_0_frozen", "state"] == "frozen"
    assert lines.loc["deep_0", "state"] == "tuned"
    assert lines.loc["deep_router", "learning_rate_multiplier"] == 10
    assert lines["parameters"].sum() == model.count_params()
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert lines["trained"].sum() == trained
