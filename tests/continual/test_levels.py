"""CTNet and its source as two levels of one schedule."""

import functools
import shutil

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
    (root / "source").mkdir(exist_ok=True)  # CTNet's run needs it before it is filled.
    below = Level("source", weeks, root / "source", source)
    return [below, Level("CTNet", days, root / "ctnet", target, (below,))]


def sources(root):
    return [record["source"] for record in Store(root / "ctnet").records()]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("levels")
    run_levels(levels(root), root, strict=True, verbose=0)
    return root


def test_ctnet_takes_the_newest_source_model_of_the_time(root):
    assert sources(root) == [0, 0, 1, 1]
    for number, used in enumerate(sources(root)):
        own = left_by(root / "ctnet", number).model
        source = left_by(root / "source", used).model
        same(weights(own, "deep_0_source"), weights(source, "deep_0"))
    first, last = (left_by(root / "ctnet", number).model for number in (0, 3))
    assert not np.array_equal(*(weights(m, "deep_0")[0] for m in (first, last)))


def test_ctnet_keeps_its_source_if_the_source_is_damaged_later(root, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "ctnet" / "000003")
    (tmp_path / "source" / "000001" / "model.keras").write_bytes(b"half")
    _, ctnet = levels(tmp_path)
    with pytest.warns(UserWarning, match="is skipped"):
        run_levels([ctnet], tmp_path, strict=True, verbose=0)
    assert sources(tmp_path) == [0, 0, 1, 1]
    kept, frozen = (
        weights(left_by(tmp_path / "ctnet", number).model, "deep_0_source")
        for number in (3, 2)
    )
    same(kept, frozen)
