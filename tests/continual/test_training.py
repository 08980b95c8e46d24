"""How the model of one period is trained."""

import dataclasses

import pytest

from tests.support.continual_world import (
    TRAINING,
    fitted,
    frame,
    left_by,
    network,
    periods,
)
from tf_ctr.continual import Period, Training, run
from tf_ctr.features import Categorical, Schema
from tf_ctr.joint import share_bottom
from tf_ctr.optimizers import SparseAdam


# Both domains have as many rows, so the ratio that takes each row once is 1.
@pytest.mark.parametrize("ratio, target_rows", [(3.0, 2), (None, 4)])
def test_a_joint_model_trains_on_both_domains_and_is_tested_on_the_target(
    tmp_path, ratio, target_rows
):
    def rows(tab, **arguments):
        return frame(8, **arguments).assign(tab=tab)

    fields = [Categorical("user"), Categorical("item"), Categorical("tab", [1, 4])]
    schema = Schema(fields, group="user").fit(rows(4))
    model = share_bottom(schema, "tab", embedding_dim=2, tower_units=(3,))
    days = [
        Period(n, rows(4, seed=n), source=rows(1, seed=9 + n, items=(9, 5)))
        for n in (0, 1)
    ]
    report = run(
        days,
        tmp_path,
        target=model,
        schema=schema,
        method="target_only",
        training=dataclasses.replace(TRAINING, batch_size=8, ratio=ratio),
    )
    finished = left_by(tmp_path, 1)
    assert 9 in finished.schema.field("item").vocabulary
    # A batch has `target_rows` of the 8 target rows of a period.
    assert int(finished.model.optimizer.iterations) == 2 * 8 / target_rows
    assert report.frame["rows"].tolist() == [8]


def test_every_batch_has_a_row_of_the_smaller_domain():
    tab = Categorical("tab", [1, 4])
    few, many = frame(2).assign(tab=4), frame(60).assign(tab=1)
    schema = Schema([Categorical("user"), tab]).fit(many)
    for i, (target, source, steps) in enumerate(((few, many, 2), (many, few, 9))):
        model = share_bottom(schema, "tab", embedding_dim=2, tower_units=(3,))
        TRAINING.compile(model)
        training = dataclasses.replace(TRAINING, batch_size=8, ratio=None)
        training.fit(model, schema, [Period(i, target, source=source)], 0)
        assert int(model.optimizer.iterations) == steps


def test_the_first_step_is_traced_once(monkeypatch):
    traced, apply = [], SparseAdam.apply
    monkeypatch.setattr(
        SparseAdam, "apply", lambda *given: (traced.append(given), apply(*given))
    )
    model, schema = network(fitted()), fitted()
    model.compile(SparseAdam(), "binary_crossentropy")
    Training(batch_size=8, verbose=0).fit(model, schema, periods(0), 0)
    assert int(model.optimizer.iterations) == 3
    assert len(traced) == 1
