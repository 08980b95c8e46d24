"""Exported versions that several test files read, and none changes."""

import gc

import pytest

from tests.support.click_rates import RATES, export_rates
from tests.support.exported import trained_dcn
from tests.support.frames import click_frame, click_schema
from tf_ctr.continual import report
from tf_ctr.export import export
from tf_ctr.serving import differences, parity
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.rules import conformance
from tf_ctr.serving.untrusted.graph import require_harmless

# TensorFlow and Keras hold a million objects, and each graph adds some ten thousand: at
# Python's own thresholds the collector takes an eighth of the suite's time.
gc.set_threshold(100_000, 20, 50)


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


@pytest.fixture(autouse=True)
def no_pictures_of_periods(monkeypatch):
    """Continual runs draw nothing, which is most of the time of a small one.

    `tests/continual/test_report.py` has one that does.
    """
    monkeypatch.setattr(report, "_has_matplotlib", lambda: False)


@pytest.fixture(autouse=True)
def no_process_with_limits(monkeypatch):
    """Versions of the tests are read as a stranger's, but run in this process.

    A process of their own takes seconds; `tests/serving/test_untrusted.py` has some.
    """

    def read_only(version, requests):
        require_harmless(version)
        return {}

    monkeypatch.setattr(conformance, "load_limited", SessionLoader)
    monkeypatch.setattr(parity, "try_version", read_only)
    monkeypatch.setattr(differences, "try_in_cpp", read_only)
