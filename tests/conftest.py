"""Exported versions that several test files read, and none changes."""

import keras
import numpy as np
import pytest

from tests.support.click_rates import RATES, export_rates
from tests.support.frames import click_frame, click_schema
from tf_ctr.backbones import dcn
from tf_ctr.export import export


@pytest.fixture(scope="session")
def exported_rates(tmp_path_factory):
    """A directory of versions: 1 with `RATES`, and 2 with half of them."""
    directory = tmp_path_factory.mktemp("exported") / "rates"
    export_rates(directory, RATES.values())
    export_rates(directory, [rate / 2 for rate in RATES.values()])
    return directory


@pytest.fixture(scope="session")
def exported_clicks(tmp_path_factory):
    """A model with every kind of field, and its version with every signature."""
    keras.utils.set_random_seed(0)
    model = dcn(click_schema(), 2, hidden_units=(2,), num_cross_layers=1)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    directory = tmp_path_factory.mktemp("exported") / "dcn"
    options = {"sample": click_frame(), "fresh_process": False, "batch_sizes": (1, 2)}
    version = export(model, click_schema(), directory, verbose=False, **options)
    return model, version
