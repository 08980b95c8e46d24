"""The scores of a version beside those of its Keras model, in every way to load it."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.support.click_rates import RATES, rate_frame, rate_model
from tests.support.frames import click_frame, click_schema
from tf_ctr.serving.parity import KERAS, WAYS, Parity, compare_ways
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules.conformance import check
from tf_ctr.serving.wire.signatures import rows_of, signature_inputs

GOOD = list(RATES.values())


@pytest.fixture
def rates(exported_rates, tmp_path):
    return shutil.copytree(exported_rates, tmp_path / "rates")


def odd_frame():
    """Missing, unseen, negative and huge values, and empty lists, below plain rows."""
    odd = pd.DataFrame(
        {
            "user": [None, "nobody", "", "u1"],
            "item": [-1, -(2**63), 2**63 - 1, 5],
            "device": ["", "d" * 1000, None, "\u00e9"],
            "tags": [[], ["zzz"], ["a", "", "b"], []],
            "price": [np.nan, -1e30, np.inf, 0.0],
            "age": [np.nan, -5.0, 1e30, np.nan],
            "history": [[], [-7, 2**62], [-1, 101], [100] * 9],
            "click": 0,
        }
    )
    return pd.concat([click_frame(6, seed=5), odd], ignore_index=True)


def test_every_signature_gives_equal_scores_in_every_way(exported_clicks):
    model, version = exported_clicks
    found = compare_ways(version, odd_frame(), model)
    assert set(found.differences) == {KERAS, *WAYS}
    signatures = {"serving_default", "string_ids", "predict_examples", "regress"}
    signatures |= {"classify", "candidates"}
    assert all(set(each) == signatures for each in found.differences.values())
    assert found.agrees and found.largest <= 1e-6 and found.rows == 10


def test_every_kind_of_field_follows_the_rules(exported_clicks):
    [note] = check(exported_clicks[1])
    assert note.severity == "note" and "['history', 'tags']" in note.message


def test_the_rows_behind_candidates_repeat_the_user():
    schema = click_schema()
    columns = raw_columns(schema, click_frame(6))
    arguments = "candidates", columns
    inputs = signature_inputs(*arguments, schema, ["item"])
    assert inputs["item"].shape == (1, 6) and inputs["user"].shape == (1,)
    rows = rows_of(*arguments, ["item"])
    assert set(rows["user"].tolist()) == {columns["user"][0]}
    np.testing.assert_array_equal(rows["item"], columns["item"])


def test_a_difference_is_found(rates):
    halved = rate_model([rate / 2 for rate in GOOD])
    found = compare_ways(rates / "1", rate_frame(), halved, ["this process"])
    of_way = found.differences["this process"]
    assert of_way["serving_default"] == pytest.approx(0.45)
    assert of_way["classify"] == pytest.approx(0.45)
    assert not found.agrees and "4.50e-01" in str(found)


def test_nan_counts_as_a_difference():
    assert not Parity(1, {"way": {"signature": float("nan")}}, {}).agrees


def test_a_version_that_was_not_run_counts_as_a_difference():
    found = Parity(1, {}, {"C++ loader": "no library"})
    assert not found.agrees and "skipped: no library" in str(found)


def test_without_its_libraries_the_loader_is_skipped(rates, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_lib", lambda: str(tmp_path))
    found = compare_ways(rates / "1", ways=["this process", "C++ loader"])
    assert set(found.differences) == {"this process"}
    assert "skipped: the TensorFlow package" in str(found)
