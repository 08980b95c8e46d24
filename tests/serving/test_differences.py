"""Two versions beside each other: scores, size and latency."""

import shutil

import numpy as np
import pytest

from tests.support.click_rates import RATES, rate_frame
from tf_ctr.serving import differences
from tf_ctr.serving.differences import (
    Differences,
    Latency,
    diff,
    interleaved,
    served_bytes,
)

GOOD = list(RATES.values())


@pytest.fixture
def rates(exported_rates, tmp_path):
    return shutil.copytree(exported_rates, tmp_path / "rates")


def test_diff_agrees_with_hand_computed_numbers(rates):
    found = diff(rates / "1", rates / "2", rate_frame(), batch_sizes=())
    np.testing.assert_allclose(found.scores[0][::10], GOOD, rtol=1e-6)
    np.testing.assert_allclose(found.scores[1][::10], np.divide(GOOD, 2), rtol=1e-6)
    assert found.largest == pytest.approx(0.45)
    text = str(found)
    assert "rank correlation 1.0000" in text and "0.4500 -> 0.2250" in text
    # The server does not read what lies in assets.extra.
    (rates / "1" / "assets.extra" / "notes").write_text("x" * 1000)
    assert served_bytes(rates / "1") == found.bytes[0]


def test_diff_times_the_first_version_twice(rates, monkeypatch):
    timed = []

    def record(calls, rounds):
        timed.append((sorted(calls), rounds))
        return {"first": 1.0, "second": 3.0, "again": 1.1}

    monkeypatch.setattr(differences, "interleaved", record)
    found = diff(rates / "1", rates / "2", None, batch_sizes=(2,), rounds=7)
    assert timed == [(["again", "first", "second"], 7)]
    assert found.latency[2].ratio == 3.0 and found.latency[2].noise == 1.1


def test_rows_that_lack_a_field_are_refused(rates, exported_clicks):
    with pytest.raises(ValueError, match="Expected the name of a column"):
        diff(rates / "1", exported_clicks[1], rate_frame())


def test_scores_without_spread_have_no_rank_correlation():
    flat = np.full(3, 0.5)
    assert "correlation nan" in str(Differences(3, (flat, flat), (1, 1), {}))


def test_rank_correlation_agrees_with_hand_computed_numbers():
    """Ranks 1, 2.5, 2.5, 4 against 4, 3, 2, 1: -4.5 / sqrt(4.5 * 5)."""
    scores = np.array([0.1, 0.2, 0.2, 0.9]), np.array([0.8, 0.7, 0.6, 0.5])
    assert "correlation -0.9487" in str(Differences(4, scores, (1, 1), {}))


def test_timed_calls_take_turns_in_changing_order():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved(calls, rounds=20)
    rounds = ["".join(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert all(sorted(each) == list("abc") for each in rounds)
    assert len(set(rounds)) > 1 and set(seconds) == set("abc")
    assert Latency(2.0, 3.0, 2.0).ratio == 1.5
