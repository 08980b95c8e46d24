"""Warm start: weights by name, rows by id, slots along with them."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support.models import small_dcn
from tf_ctr.features import Categorical, Numeric, Schema, Sequence
from tf_ctr.layers import Embedding, MaskedPooling
from tf_ctr.optimizers import SparseAdagrad, SparseAdam
from tf_ctr.surgery import grow, summary, warm_start
from tf_ctr.surgery.rows import match_rows
from tf_ctr.transfer import WeightReport, autoft

OLD, NEW = ("a", "b", "c"), ("d", "c", "a", "e")


def schema(vocabulary=OLD, num_oov=1):
    item = Categorical("item", vocabulary=list(vocabulary), num_oov=num_oov)
    return Schema([item, Sequence("history", of="item", max_length=2)])


def model_of(schema, dim=2, hidden=3, dropout=0.0, **layers):
    """A model of one shared table, a first-order table and BatchNorm."""
    inputs, rows = schema.inputs(), schema.field("item").table_size
    table = Embedding(rows, dim, "normal", name="item_embedding")
    history = table(inputs["history"])
    pooled = MaskedPooling(name="history_pooling")(history, inputs["history"])
    x = keras.layers.Concatenate(name="embeddings")([table(inputs["item"]), pooled])
    x = keras.Sequential(
        [
            keras.layers.Dense(hidden, name="dense"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dropout(dropout, seed=5, name="dropout"),
        ],
        name="deep_0",
    )(x)
    logit = keras.layers.Dense(1, name=layers.get("logit", "logit"))(x)
    linear = Embedding(rows, 1, "normal", name="item_linear")(inputs["item"])
    click = keras.layers.Activation("sigmoid", name="click")(logit + linear)
    return keras.Model(inputs, click)


def data(schema, items="abcab", seed=0):
    """Encoded features of some items, each with the two before it as history."""
    frame = pd.DataFrame({"item": list(items)})
    frame["history"] = [list(items[max(0, i - 2) : i]) for i in range(len(items))]
    labels = np.random.default_rng(seed).integers(0, 2, len(items))
    features = schema.encode(schema.raw_columns(frame))
    return features, labels.astype("float32")


def trained(schema, optimizer=None, **options):
    model = model_of(schema, **options)
    optimizer = SparseAdam(0.1) if optimizer is None else optimizer
    model.compile(optimizer, "binary_crossentropy", run_eagerly=True)
    for _ in range(2):
        model.train_on_batch(*data(schema))
    return model


def weights(model, name):
    return [np.array(w) for w in model.get_layer(name).get_weights()]


def table(model, name="item_embedding"):
    return weights(model, name)[0]


@pytest.fixture(scope="module")
def source():
    return trained(schema())


# Rows by id


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


def test_new_rows_may_start_as_the_unseen_one(source):
    target = model_of(schema(NEW))
    warm_start(source, target, schema(), schema(NEW), new_rows="unseen")
    np.testing.assert_array_equal(table(target)[[2, 5]], table(source)[[1, 1]])


def test_new_rows_start_in_the_bucket_that_their_id_was_in():
    old, new = schema(num_oov=3), schema(NEW, num_oov=3)
    rows = match_rows(old.field("item"), new.field("history"), "unseen")
    was = old.encode({"item": ["d", "e"], "history": [["d"], ["e"]]})["item"]
    np.testing.assert_array_equal(rows.started_from, was)
    np.testing.assert_array_equal(rows.started, [4, 7])


def match(source, target):
    rows = match_rows(source, target)
    pairs = dict(zip(rows.target.tolist(), rows.source.tolist(), strict=True))
    return pairs, rows.num_new, rows.num_dropped


def test_unseen_rows_are_known_only_among_as_many():
    one = Categorical("item", vocabulary=["a"])
    two = Categorical("item", vocabulary=["a"], num_oov=2)
    assert match(one, two) == ({0: 0, 3: 2}, 2, 1)


def test_hashed_rows_are_known_only_among_as_many():
    three, four = (Categorical("item", num_buckets=n) for n in (3, 4))
    assert match(three, three) == ({0: 0, 1: 1, 2: 2, 3: 3}, 0, 0)
    assert match(three, four) == ({0: 0}, 4, 3)


def test_bins_are_known_by_their_boundaries():
    """Of 10, 20, 30 and 20, 30: the bins above 20 are alike, those below are not."""
    three = Numeric("age", "quantile", boundaries=[10, 20, 30])
    two = Numeric("age", "quantile", boundaries=[20, 30])
    assert match(three, two) == ({0: 0, 2: 3, 3: 4}, 1, 2)


def test_ids_of_another_dtype_are_other_ids():
    strings = Categorical("item", vocabulary=["5"])
    integers = Categorical("item", vocabulary=[5])
    assert match(strings, integers) == ({0: 0, 1: 1}, 1, 1)


def test_scores_of_known_ids_are_the_sources_when_the_vocabulary_changes(source):
    new = schema(("c", "z", "b", "a"))
    target = model_of(new)
    warm_start(source, target, schema(), new)
    np.testing.assert_array_equal(target(data(new)[0]), source(data(schema())[0]))


def test_reordered_rows_are_copied_all(source):
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


# By layer name


def test_all_but_batch_norm(source):
    """The start of A-CTR from CPM; also without the moving statistics alone."""
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


def test_report_tells_new_unused_skipped_and_other_shapes(source):
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


def test_report_is_text_frame_and_json(source):
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


def test_strict_refuses_new_unused_and_resized_and_copies_nothing(source):
    other = model_of(schema(), logit="prediction")
    refuse(source, other, "'prediction' new .*'logit' unused", strict=True)
    grown = schema((*OLD, "d"))
    both = schema(), grown
    refuse(source, model_of(grown), "'item_embedding' resized", *both, strict=True)
    other = model_of(schema(), hidden=4)
    refuse(source, other, "'deep_0' new .shapes", strict=True)


def test_strict_lets_pass_what_is_expected_or_skipped(source):
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


def test_numbers_on_another_scale_are_told_and_refused_by_strict():
    old = numbers(age=(30.0, 2.0), price=(0.0, 1.0))
    new = numbers(age=(30.0 + 1e-9, 2.0), price=(0.0, 4.0))
    report = warm_start(linear(old), linear(new), old, new)
    (told,) = report.scales
    assert told == "'price': mean 0, std 1 in the source, mean 0, std 4 in the target"
    assert str(report).endswith(f"other scale: {told}")
    assert json.loads(json.dumps(report.to_dict()))["scales"] == [told]
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


# Optimizer slots


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


def test_training_goes_on_as_if_nothing_had_happened():
    source, twin = trained(schema()), model_of(schema())
    twin.compile(SparseAdam(0.1), "binary_crossentropy", run_eagerly=True)
    warm_start(source, twin)
    for model in (source, twin):
        model.train_on_batch(*data(schema(), "bbca", seed=1))
    for old, new in zip(source.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_targets_learning_rate_stays(source):
    target = model_of(schema())
    target.compile(SparseAdam(0.5), "binary_crossentropy")
    warm_start(source, target)
    assert float(target.optimizer.learning_rate) == 0.5


def test_slots_of_skipped_and_of_frozen_layers_stay(source):
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


def test_it_works_on_reloaded_models(source, tmp_path):
    source.save(tmp_path / "source.keras")
    reloaded = keras.saving.load_model(tmp_path / "source.keras")
    target = trained(schema(NEW))
    warm_start(reloaded, target, schema(), schema(NEW))
    np.testing.assert_array_equal(table(target)[3], table(source)[4])
    np.testing.assert_array_equal(
        slots(target, "item_embedding")[0][3], slots(source, "item_embedding")[0][4]
    )


# Growing


@pytest.fixture
def grown_schema():
    frame = pd.DataFrame({"item": list("abd"), "history": [[], ["a"], ["b"]]})
    learned = Schema(
        [Categorical("item"), Sequence("history", of="item", max_length=2)]
    )
    old = learned.fit(pd.DataFrame({"item": list("aab"), "history": [[], [], []]}))
    return old, old.extend(frame)


def test_growing_changes_no_score_and_no_known_row(grown_schema):
    old, new = grown_schema
    model = trained(old)
    grown = grow(model, old, new)
    report = grown.weight_report
    assert report.resized == ("item_embedding", "item_linear")
    np.testing.assert_array_equal(table(grown)[:4], table(model))
    np.testing.assert_array_equal(table(grown)[4], table(model)[1])
    # "d" was unseen, and is known now.
    before = model(data(old, "abdza")[0])
    np.testing.assert_array_equal(grown(data(new, "abdza")[0]), before)


def test_growing_by_nothing_disturbs_no_training(grown_schema):
    """Slots, step count, dropout noise: all goes on to the bit."""
    old, _ = grown_schema
    model = trained(old, dropout=0.5)
    twin = grow(model, old, old.extend(pd.DataFrame({"item": ["a"], "history": [[]]})))
    for each in (model, twin):
        each.train_on_batch(*data(old, "abab", seed=1))
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_new_ids_are_trained_and_absent_ones_rest(grown_schema):
    old, new = grown_schema
    model = trained(old)
    before, was = table(model), table(model)[1]
    grown = grow(model, old, new)
    grown.train_on_batch(*data(new, "dd"))
    assert (table(grown)[4] != was).any()
    np.testing.assert_array_equal(table(grown)[1:4], before[1:])
    np.testing.assert_array_equal(table(model), before)


def test_growing_keeps_what_is_frozen_and_the_multipliers(grown_schema, tmp_path):
    old, new = grown_schema
    model = autoft(trained(old))
    model.compile(SparseAdam(0.1), "bce", metrics=["auc"], run_eagerly=True)
    model.train_on_batch(*data(old))
    model.save(tmp_path / "model.keras")
    grown = grow(keras.saving.load_model(tmp_path / "model.keras"), old, new)
    frozen = [la.name for la in grown.layers if la.weights and not la.trainable_weights]
    assert frozen == [
        la.name for la in model.layers if la.name.endswith("_frozen") and la.weights
    ]
    router = grown.get_layer("embedding_router")
    assert router.trainable_weights[0].learning_rate_multiplier == 10
    np.testing.assert_array_equal(grown(data(new)[0]), model(data(old)[0]))
    assert float(grown.optimizer.learning_rate) == pytest.approx(0.1)
    grown.train_on_batch(*data(new, "dab"))


def test_an_uncompiled_model_grows_by_the_initializer(grown_schema):
    old, new = grown_schema
    grown = grow(model_of(old), old, new, new_rows="initial")
    assert not grown.compiled
    assert (table(grown)[4] != table(grown)[1]).all()


def test_growing_refuses_schemas_of_other_fields(grown_schema):
    old, new = grown_schema
    model = model_of(old)
    longer = Schema([old.field("item"), Sequence("history", of="item", max_length=9)])
    with pytest.raises(ValueError, match=r"in the fields \['history'\]"):
        grow(model, old, longer)
    with pytest.raises(ValueError, match="each model's own schema"):
        grow(model, new, old)


def test_a_table_of_any_name_grows(grown_schema):
    old, new = grown_schema
    inputs = old.inputs()
    table = Embedding(old.field("item").table_size, 2, "normal", name="rows[0]")
    inputs = {"item": inputs["item"]}
    model = keras.Model(inputs, table(inputs["item"]))
    grown = grow(model, old, new)
    assert grown.get_layer("rows[0]").input_dim == new.field("item").table_size


def test_a_table_that_two_vocabularies_might_be_looked_up_in_needs_a_name():
    two = Schema([Categorical("a", vocabulary=[1]), Categorical("b", vocabulary=[2])])
    inputs = two.inputs()
    ids = keras.ops.maximum(inputs["a"], inputs["b"])

    def model(name):
        return keras.Model(inputs, Embedding(3, 2, "normal", name=name)(ids))

    assert warm_start(model("b_rows"), model("b_rows"), two, two).copied
    with pytest.raises(ValueError, match="call the table '{field}_...'"):
        warm_start(model("rows"), model("rows"), two, two)


def test_growing_refuses_weights_of_no_layer(grown_schema):
    from tf_ctr.transfer import l2_sp

    old, new = grown_schema
    with pytest.raises(ValueError, match="weights that belong to no layer"):
        grow(l2_sp(model_of(old)), old, new)


def test_summary_without_a_report_knows_frozen_from_tuned():
    model = autoft(small_dcn(), which="deep")
    lines = summary(model)
    assert lines.loc["deep_0_frozen", "state"] == "frozen"
    assert lines.loc["deep_0", "state"] == "tuned"
    assert lines.loc["deep_router", "learning_rate_multiplier"] == 10
    assert lines["parameters"].sum() == model.count_params()
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert lines["trained"].sum() == trained
