"""Exported versions that several test files read, and none changes."""

import pytest

from tests.support.click_rates import RATES, export_rates
from tests.support.exported import trained_dcn
from tests.support.frames import click_frame, click_schema
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
    """A trained DCN with every kind of field, and its version with every signature."""
    schema = click_schema()
    model = trained_dcn(schema)
    directory = tmp_path_factory.mktemp("exported") / "dcn"
    options = {"fresh_process": False, "verbose": False, "batch_sizes": (1, 2)}
    return model, export(model, schema, directory, click_frame(), **options)
