"""The runs that several files of tests read."""

import pytest

from tests.support.continual_world import (
    SLICES,
    TRAINING,
    fitted,
    network,
    periods,
)
from tf_ctr.continual import MatrixCallback, run, train_source


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Source models of periods 0 to 2, base models of 0 and 1, CTNet from 1 on."""
    root, schema = tmp_path_factory.mktemp("continual"), fitted()
    source = periods(0, 1, 2, seed=50, items=(9, 5, 6))
    train_source(source, root / "source", network(schema, 1), schema, training=TRAINING)
    run(
        periods(0, 1),
        root / "base",
        target=network(schema, 2),
        schema=schema,
        method="target_only",
        slices=SLICES,
        training=TRAINING,
    )
    report = run(
        periods(1, 2),
        root / "ctnet",
        target=root / "base",
        source=root / "source",
        slices=SLICES,
        callbacks=[MatrixCallback(periods(1, 2))],
        training=TRAINING,
    )
    return root, report
