"""CTNet and its source as levels of one schedule, the one that E-CDCTR has."""

import functools

import numpy as np
import pytest

from tests.support.continual_world import (
    TRAINING,
    fitted,
    frame,
    left_by,
    network,
    same,
    weights,
)
from tf_ctr.continual import Level, Period, run, run_levels, train_source
from tf_ctr.continual.store import Store


def levels(root):
    """A source with weeks that end at 2 and 4, a target with days from 2 to 5."""
    schema = fitted(items=(5, 6))
    weeks = [Period(i, frame(seed=i), end=end) for i, end in enumerate((2, 4))]
    days = [Period(i, frame(seed=9 + i), end=end) for i, end in enumerate((2, 3, 4, 5))]
    options = {"schema": schema, "training": TRAINING}
    source = functools.partial(
        train_source, directory=root / "source", model=network(schema), **options
    )
    target = functools.partial(
        run,
        directory=root / "ctnet",
        target=network(schema, 1),
        source=root / "source",
        **options,
    )
    below = Level("source", weeks, root / "source", source)
    (root / "source").mkdir()  # A run names it before anything is in it.
    return [below, Level("CTNet", days, root / "ctnet", target, (below,))]


def sources(root):
    return [record["source"] for record in Store(root / "ctnet").records()]


def test_ctnet_takes_the_source_model_that_is_newest_at_the_time(tmp_path):
    run_levels(levels(tmp_path), tmp_path, strict=True, verbose=0)
    assert sources(tmp_path) == [0, 0, 1, 1]
    for number, used in enumerate(sources(tmp_path)):
        own = left_by(tmp_path / "ctnet", number).model
        source = left_by(tmp_path / "source", used).model
        same(weights(own, "deep_0_source"), weights(source, "deep_0"))
    first, last = (left_by(tmp_path / "ctnet", number).model for number in (0, 3))
    assert not np.array_equal(*(weights(m, "deep_0")[0] for m in (first, last)))


def test_a_damaged_source_leaves_ctnet_with_what_it_has(tmp_path):
    below, ctnet = levels(tmp_path)
    days = Level("CTNet", ctnet.periods[:3], ctnet.directory, ctnet.run, (below,))
    run_levels([below, days], tmp_path, strict=True, verbose=0)
    frozen = weights(left_by(tmp_path / "ctnet", 2).model, "deep_0_source")
    (tmp_path / "source" / "000001" / "model.keras").write_bytes(b"half")
    with pytest.warns(UserWarning, match="is skipped"):
        run_levels([ctnet], tmp_path, strict=True, verbose=0)
    assert sources(tmp_path) == [0, 0, 1, 1]
    same(weights(left_by(tmp_path / "ctnet", 3).model, "deep_0_source"), frozen)
