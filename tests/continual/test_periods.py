"""The order of periods, their folder on disk, and the growth of schemas."""

import logging

import pandas as pd
import pytest
import tensorflow as tf

from tests.support.continual_world import fitted, frame, network, open_schema
from tf_ctr.continual import Period
from tf_ctr.continual.loop import expected_tracing
from tf_ctr.continual.methods import grown_model, grown_schema, with_ids
from tf_ctr.continual.origins import PeriodModels, origin
from tf_ctr.continual.periods import left, ordered
from tf_ctr.continual.steps import period_seed
from tf_ctr.continual.store import Finished, Store
from tf_ctr.evaluation import predict
from tf_ctr.features import Categorical, Schema

NO_ROWS = pd.DataFrame()


def numbered(*numbers):
    return [Period(n, NO_ROWS) for n in numbers]


@pytest.mark.parametrize(
    "numbers, received, fix",
    [
        ((0, 2), "2 after 0, so that 1 is missing", r"add Period\(1, data\)"),
        ((3, 7), "7 after 3, so that 4 to 6 is missing", r"add Period\(4, data\)"),
        ((0, 1, 1), "1 after 1", "pass period 1 once"),
        ((1, 2, 0), "0 after 2, out of order", "sort the periods"),
    ],
)
def test_a_wrong_order_raises_before_any_work(numbers, received, fix):
    expected = f"(?s)Expected periods in order.*Received: {received}.*Fix: {fix}"
    with pytest.raises(ValueError, match=expected):
        ordered(numbered(*numbers))


def test_periods_may_start_late():
    assert [p.number for p in ordered(iter(numbered(4, 5)))] == [4, 5]


def test_what_is_no_period_raises():
    with pytest.raises(TypeError, match="Received: DataFrame"):
        ordered([NO_ROWS])
    with pytest.raises(ValueError, match="at least one period"):
        ordered([])
    with pytest.raises(ValueError, match="at least 0"):
        Period(-1, NO_ROWS)
    with pytest.raises(TypeError, match="(?s)ISO date.*Received: Timestamp 2022"):
        Period(0, NO_ROWS, end=pd.Timestamp("2022-04-25"))
    with pytest.raises(TypeError, match="DataFrame"):
        Period(0, lambda: [1]).read()


def test_a_model_cannot_be_ready_before_its_end():
    with pytest.raises(ValueError, match="(?s)ready no earlier than its end, 5.*: 2"):
        Period(0, NO_ROWS, end=5, ready=2)
    with pytest.raises(TypeError, match="(?s)same kind as the end 5.*'2022-04-25'"):
        Period(0, NO_ROWS, end=5, ready="2022-04-25")


def test_ends_are_in_order_too():
    with pytest.raises(ValueError, match="end one after another"):
        ordered([Period(0, NO_ROWS, end=7), Period(1, NO_ROWS, end=7)])
    with pytest.raises(TypeError, match="(?s)ends of one kind.*'2022-04-25' after 7"):
        ordered([Period(0, NO_ROWS, end=7), Period(1, NO_ROWS, end="2022-04-25")])


def test_a_run_resumes_right_after_its_last_period():
    assert [p.number for p in left(numbered(0, 1, 2), 0)] == [1, 2]
    assert left(numbered(0, 1), 5) == []
    assert len(left(numbered(3), None)) == 1
    with pytest.raises(ValueError, match="4 after 1, so that 2 to 3 is missing"):
        left(numbered(4), 1)


def test_data_is_read_only_when_needed():
    calls = []
    period = Period(0, lambda: calls.append(1) or frame(3), name="monday")
    assert (calls, period.label) == ([], "monday")
    assert len(period.read()) == 3 and calls == [1]
    assert period.read_source() is None
    assert Period(0, NO_ROWS, source=NO_ROWS).read_source() is None


def test_a_seed_depends_on_the_run_and_the_period():
    assert period_seed(0, 1) == period_seed(0, 1)
    assert len({period_seed(s, n) for s in range(3) for n in range(3)}) == 9


# The folder


def record(number, end=None, trained=True, **settings):
    end = number if end is None else end
    return {"number": number, "end": end, "trained": trained, "settings": settings}


def test_the_newest_model_that_is_ready(tmp_path):
    store = Store(tmp_path / "run")
    assert store.records() == [] and store.latest() is None
    for each in (record(0, 6), record(1, 13), record(2, 20, trained=False)):
        store.add(each)
    assert store.latest()["number"] == 1
    assert store.latest(end=13)["number"] == 1
    assert store.latest(end=13, before=True)["number"] == 0
    assert store.latest(end=12)["number"] == 0
    assert store.latest(end=5) is None
    with pytest.raises(TypeError, match="(?s)e.g. 13.*Received: '2026-01-01'"):
        store.latest(end="2026-01-01")


def test_what_a_killed_process_left_is_not_a_period(tmp_path):
    store = Store(tmp_path)
    partial = tmp_path / ".000000.partial"
    partial.mkdir()
    (partial / "model.keras").write_text("half")
    assert store.records() == []
    store.add(record(0))
    assert [path.name for path in tmp_path.iterdir()] == ["000000"]
    assert [path.name for path in (tmp_path / "000000").iterdir()] == ["record.json"]


def test_a_model_is_used_only_when_it_is_ready(tmp_path):
    store = Store(tmp_path)
    store.add({**record(0, 4), "ready": 5.5})
    assert store.latest(5) is None
    assert store.latest(5.5)["number"] == 0
    assert store.latest(5.5, before=True)["number"] == 0
    assert Period(0, pd.DataFrame(), end=4).ready == 4


def test_a_damaged_model_is_skipped(tmp_path):
    store = Store(tmp_path)
    for number in (0, 1):
        finished = Finished(network(fitted()), fitted(), number=number)
        store.add({**record(number), "name": f"day {number}"}, finished)
    models = PeriodModels(tmp_path, "source")
    assert models.number(9) == models.load(9).number == 1
    (tmp_path / "000001" / "model.keras").write_bytes(b"half")
    assert models.number(9) == 1  # Checked once per run: it reads the whole model.
    models = PeriodModels(tmp_path, "source")
    with pytest.warns(UserWarning, match="source model of period day 1 .* is skipped"):
        assert models.number(9) == 0
    (tmp_path / "000000" / "schema.json").unlink()
    with (
        pytest.warns(UserWarning),
        pytest.raises(ValueError, match="a finished source"),
    ):
        PeriodModels(tmp_path, "source").load(9)


def test_an_unreadable_record_raises_or_is_skipped(tmp_path):
    store = Store(tmp_path)
    for number in (0, 1):
        store.add(record(number))
    (tmp_path / "000001" / "record.json").write_text("")
    (tmp_path / "000001.old").mkdir()
    assert store.numbers() == [0, 1]
    with pytest.raises(ValueError, match="(?s)000001/record.json: JSONDecodeError"):
        store.records()
    with pytest.warns(UserWarning, match="000001/record.json"):
        assert store.latest()["number"] == 0


def test_further_ids_follow_the_known_ones():
    schema = fitted(items=(7, 5, 6))
    known = schema.field("item").vocabulary
    grown = with_ids(schema, {"item": [9, 5], "user": [], "other": ["x"]})
    assert grown.field("item").vocabulary == (*known, 9)
    assert grown.field("user") == schema.field("user")
    assert with_ids(schema, {}) is schema


def test_other_settings_raise_with_what_differs(tmp_path):
    store = Store(tmp_path)
    store.check_settings({"seed": 1})
    store.add(record(0, seed=1, window=2))
    store.check_settings({"seed": 1, "window": 2})
    with pytest.raises(ValueError, match=r"(?s)run with.*'seed': 1.*: \{'seed': 3\}"):
        store.check_settings({"seed": 3, "window": 2})


def test_without_a_source_model_in_time_the_error_lists_the_others(tmp_path):
    Store(tmp_path).add(record(0, end=9))
    with pytest.raises(ValueError, match=r"(?s)ends by 8.*end at \[9\]"):
        PeriodModels(tmp_path, "source").load(8)
    with pytest.raises(ValueError, match="does not exist"):
        origin(tmp_path / "none", None, "source")
    with pytest.raises(ValueError, match="schema of the target"):
        origin(network(fitted()), None, "target")
    with pytest.raises(TypeError, match="Received: int"):
        origin(3, None, "source")


# Schemas


def test_the_ids_of_another_schema_follow_its_own():
    one, two = fitted((5, 6)), fitted((9, 6, 8))
    union = one.union(two)
    assert union.field("item").vocabulary[:2] == one.field("item").vocabulary
    assert set(union.field("item").vocabulary) == {5, 6, 8, 9}
    assert one.field("item").table_size == 4
    assert union.union(two).fields == union.fields
    later = union.extend(frame(items=(1, 5)))
    assert later.field("item").vocabulary[:4] == union.field("item").vocabulary


def test_given_and_hashed_vocabularies_do_not_grow():
    fields = [
        Categorical("tab", vocabulary=[1]),
        Categorical("item", num_buckets=3, dtype="int64"),
    ]
    other = Schema([Categorical("tab"), Categorical("item")])
    other.fit(pd.DataFrame({"tab": [4], "item": [5]}))
    schema = Schema(fields)
    assert schema.union(other).fields == schema.fields


def test_ids_of_another_type_raise():
    one, two = (
        Schema([Categorical("item")]).fit(pd.DataFrame({"item": items}))
        for items in ([7], ["seven"])
    )
    with pytest.raises(TypeError):
        one.union(two)
    with pytest.raises(ValueError, match="a fitted schema"):
        one.union(Schema([Categorical("item")]))


def test_a_model_keeps_its_scores_under_another_order_of_ids():
    own, others = fitted((8, 7, 9)), fitted((5, 6))
    model = network(own)
    schema = grown_schema(others, [own], [frame(items=(4, 9))])
    rows = frame(seed=3, items=(7, 8, 9, 4, 5))
    grown = grown_model(Finished(model, own), schema)
    assert grown.get_layer("item_embedding").input_dim == 2 + 6
    assert predict(grown, rows, schema) == pytest.approx(
        predict(model, rows, own), abs=0
    )
    assert grown_model(Finished(model, own), own) is model


def test_the_larger_schema_may_have_further_fields():
    own = Schema([Categorical("user")]).fit(frame())
    schema = grown_schema(fitted(), [own], [frame()])
    model = network(own)
    finished = Finished(model, open_schema().fit(frame(items=(5,))))
    assert grown_model(Finished(model, own), schema) is model
    with pytest.raises(ValueError, match=r"fields \[.item.\] of the other model"):
        grown_model(finished, own)


def test_expected_tracing_silences_only_that_warning(caplog):
    caplog.set_level(logging.WARNING, "tensorflow")  # Other tests may change it.
    heard = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())

    logger = tf.get_logger()
    logger.addHandler(handler)
    try:
        with expected_tracing():
            for _ in range(9):
                tf.function(lambda x: x + 1)(tf.constant(1))
            logger.warning("something else")
        assert heard == ["something else"]
        for _ in range(9):  # TensorFlow warns of a function twice.
            tf.function(lambda x: x + 1)(tf.constant(1))
        assert len(heard) == 3
        assert "triggered tf.function retracing" in heard[1]
    finally:
        logger.removeHandler(handler)
