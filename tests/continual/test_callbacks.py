"""When a run calls its callbacks, and what they may change."""

import numpy as np

from tests.support.continual_world import TRAINING, frame, left_by, network, open_schema
from tf_ctr.continual import Period, PeriodCallback, run


class Noting(PeriodCallback):
    """Notes every call, adds an id, and changes a weight."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def ids(self, period, model):
        self._note("ids", period)
        return {"item": [f"{self.name}{period.number}"]}

    def on_period_begin(self, period, model, schema, record):
        self._note("begin", period)
        assert f"{self.name}{period.number}" in schema.field("item").vocabulary
        assert "loss" not in record
        model.get_layer("logit").weights[1].assign([7.0])
        record[f"begin_{self.name}"] = model.get_layer("item_embedding").input_dim

    def on_period_end(self, period, model, schema, record):
        self._note("end", period)
        record[f"end_{self.name}"] = record["loss"]

    def _note(self, method, period):
        self.calls.append((period.number, method, self.name))


def test_callbacks_are_called_in_order_and_add_to_the_record(tmp_path):
    rows = frame().assign(item="i")
    schema, calls = open_schema().fit(rows), []
    report = run(
        [Period(0, rows), Period(1, rows.iloc[:0]), Period(2, rows)],
        tmp_path,
        target=network(schema),
        schema=schema,
        method="target_only",
        training=TRAINING,
        callbacks=[Noting("a", calls), Noting("b", calls)],
    )
    # The period without rows calls none.
    assert calls == [
        (number, method, name)
        for number in (0, 2)
        for method in ("ids", "begin", "end")
        for name in ("a", "b")
    ]
    assert [r.get("begin_a") for r in report.records] == [2 + 3, None, 2 + 5]
    assert report.records[2]["end_b"] == report.records[2]["loss"]
    bias = left_by(tmp_path, 2).model.get_layer("logit").weights[1]
    # One step of AdaGrad from the value that was set.
    np.testing.assert_allclose(bias, [7.0], atol=0.011)
    assert bias != 7.0
