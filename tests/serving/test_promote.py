"""Promotion: the gate, how labels move, which files stay as they are, and rollback."""

import math
import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.support.click_rates import RATES, export_rates, rate_frame, rate_schema
from tf_ctr.features import Schema
from tf_ctr.serving.differences import Differences, Latency
from tf_ctr.serving.labels import gate, promotion, removal
from tf_ctr.serving.labels import moves as label_moves
from tf_ctr.serving.labels.gate import Limits, measure
from tf_ctr.serving.labels.history import read_history
from tf_ctr.serving.labels.models_config import read_labels, write_labels
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.promotion import promote, rollback

GOOD = list(RATES.values())
ANY_LATENCY = Limits(latency_ratio=math.inf)


@pytest.fixture(scope="module")
def exports(exported_rates, tmp_path_factory):
    """Versions 1, 2 and 5 are good; 3 ranks the wrong way; 4 has half the rates."""
    directory = tmp_path_factory.mktemp("exports") / "rates"
    for version in ("1", "2", "5"):
        shutil.copytree(exported_rates / "1", directory / version)
    shutil.copytree(exported_rates / "2", directory / "4")
    turned = export_rates(directory.parent / "turned" / "rates", GOOD[::-1])
    shutil.copytree(turned, directory / "3")
    write_labels(directory, {"stable": 1, "canary": 5})
    return directory


@pytest.fixture
def directory(exports, tmp_path):
    return shutil.copytree(exports, tmp_path / "rates")


@pytest.fixture
def open_gate(monkeypatch):
    """Every version passes; other tests are about the rules and the measures."""
    monkeypatch.setattr(promotion, "measure", lambda *_: [])
    monkeypatch.setattr(promotion, "require_conformant", lambda *_, **__: [])


def promoted(directory, version, **options):
    return promote(directory, rate_frame(), version, limits=ANY_LATENCY, **options)


def content(directory):
    """`{path: bytes}` of every file, to see that none changes."""
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_promotion_moves_the_label_and_still_serves_the_previous_version(directory):
    assert read_labels(directory) == {"stable": 1, "canary": 5}
    result = promoted(directory, 2)
    assert result.moved and (result.before, result.after) == (1, 2)
    assert read_labels(directory) == {"stable": 2, "canary": 5}
    text = (directory / "models.config").read_text()
    assert "all {" in text and "specific" not in text
    assert "stable: 1 -> 2" in str(result)


def test_the_newest_version_is_the_default(directory):
    result = promote(directory, rate_frame(), limits=ANY_LATENCY)
    assert result.after == 5


def test_another_label_can_move_without_the_stable_one(directory, open_gate):
    result = promoted(directory, 2, label="canary")
    assert result.moved and result.waits and "--server" in str(result)
    assert read_files(directory).pending == {"canary": 2}
    assert read_labels(directory) == {"stable": 1, "canary": 5}


@pytest.mark.parametrize("version, failed", [(3, "auc"), (4, "calibration error")])
def test_a_worse_version_is_not_promoted(directory, version, failed):
    before = content(directory)
    result = promoted(directory, version)
    assert not result.moved
    assert failed in {each.name for each in result.measures if not each.passed}
    assert f"FAILED {failed}" in str(result) and "stable stays at 1" in str(result)
    assert content(directory) == before


def test_the_gate_agrees_with_hand_computed_numbers(exports):
    reversed_rates = {m.name: m for m in measure(exports / "3", None, rate_frame())}
    # Clicks and other rows at the rates .1 .3 .5 .9, ranked by .9 .5 .3 .1.
    clicks, others = np.array([1, 3, 5, 9]), np.array([9, 7, 5, 1])
    won = sum(
        clicks[i] * others[j] * (0.5 if i == j else i < j)
        for i in range(4)
        for j in range(4)
    )
    assert reversed_rates["auc"].value == pytest.approx(won / (18 * 22))
    assert reversed_rates["auc"].limit == 0.5
    assert not reversed_rates["auc"].passed
    assert set(reversed_rates) == {"auc", "calibration error"}
    halved = {m.name: m for m in measure(exports / "4", None, rate_frame())}
    assert halved["calibration error"].value == pytest.approx(0.5)
    assert halved["auc"].passed


def test_latency_and_size_are_compared_with_the_stable_version(exports, monkeypatch):
    scores = np.array([0.1, 0.3, 0.5, 0.9]).repeat(10)
    slow = {1: Latency(0.001, 0.002, 0.001), 64: Latency(0.002, 0.001, 0.001)}
    found = Differences(40, (scores, scores), (100, 160), slow)
    monkeypatch.setattr(gate, "diff", lambda *_, **__: found)
    measures = measure(exports / "2", exports / "1", rate_frame())
    assert {m.name: (m.value, m.passed) for m in measures} == {
        "auc": (pytest.approx(measures[0].value), True),
        "calibration error": (pytest.approx(0, abs=1e-6), True),
        "size ratio": (1.6, False),
        "latency ratio at batch 1": (2.0, False),
        "latency noise at batch 1": (1.0, True),
        "latency ratio at batch 64": (0.5, True),
        # The first version is twice as fast as itself: too noisy to compare.
        "latency noise at batch 64": (2.0, False),
    }


def test_rows_with_one_class_are_refused(directory):
    before = content(directory)
    clicks = rate_frame().query("click == 1")
    with pytest.raises(ValueError, match="rows with clicks and without"):
        promote(directory, clicks, 2)
    assert content(directory) == before


def test_each_rollback_moves_one_version_further_back(directory, open_gate):
    promoted(directory, 2)
    promoted(directory, 5)
    assert rollback(directory).after == 2
    # The canary was at 5 too, and leaves with the stable label.
    assert read_labels(directory) == {"stable": 2, "canary": 2}
    assert rollback(directory).after == 1
    assert read_labels(directory) == {"stable": 1, "canary": 1}
    before = content(directory)
    with pytest.raises(ValueError, match="a version that was stable before"):
        rollback(directory)
    assert content(directory) == before


def test_promotions_are_recorded_with_their_measures(directory):
    promoted(directory, 2)
    rollback(directory)
    first, second = read_history(directory)
    assert (first["label"], first["from"], first["to"]) == ("stable", 1, 2)
    assert first["measures"]["calibration error"] == pytest.approx(0, abs=1e-6)
    assert (second["from"], second["to"], second["measures"]) == (2, 1, None)


def test_rollback_to_a_damaged_version_is_refused(directory, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(promotion, "measure", lambda *_: [])
        promoted(directory, 2)
    (directory / "1" / "variables" / "variables.index").unlink()
    before = content(directory)
    with pytest.raises(ValueError, match="variables.index, which cannot be read"):
        rollback(directory)
    assert content(directory) == before


def test_old_versions_are_only_removed_with_keep(directory, open_gate, monkeypatch):
    monkeypatch.setattr(removal, "GRACE", 0)
    assert promoted(directory, 2).removed == []
    result = promoted(directory, 5, keep=2)
    # 3 and 4 were never stable; 1 was, before the last two.
    assert result.removed == [1, 3, 4]
    names = {path.name for path in directory.iterdir() if path.is_dir()}
    assert names == {"2", "5"}
    assert rollback(directory).after == 2
    with pytest.raises(ValueError, match="`keep` to be a whole number of at least 1"):
        promoted(directory, 5, keep=0)


def test_a_version_is_not_promoted_to_a_label_that_it_already_has(directory, open_gate):
    with pytest.raises(ValueError, match="not stable already"):
        promoted(directory, 1)


def test_the_gate_weighs_rows_as_the_schema_of_the_candidate_says(directory):
    """The weights make the rows of each user as many as version 4 expects."""
    schema = rate_schema()
    weighted = Schema(schema.fields, schema.label, weight="w")
    [file] = (directory / "4").rglob("schema.json")
    weighted.save(file)
    rows = rate_frame()
    # Half the rates: p / 2 of a row that is clicked at rate p.
    odds = rows["user"].map({user: (r / 2) / (1 - r / 2) for user, r in RATES.items()})
    own = rows["user"].map(RATES)
    rows["w"] = np.where(rows["click"] == 1, odds * (1 - own) / own, 1.0)
    auc, error = measure(directory / "4", None, rows)
    scores = own / 2
    expected = roc_auc_score(rows["click"], scores, sample_weight=rows["w"])
    assert auc.value == pytest.approx(expected, abs=1e-6)
    assert error.value == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="above 0 in at least one row"):
        measure(directory / "4", None, rows.assign(w=0))


def cut_short(version):
    file = version / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-100])


def other_weights(version):
    source = version.parent / "3" / "variables"
    shutil.copytree(source, version / "variables", dirs_exist_ok=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda version: (version / "saved_model.pb").unlink(),
        lambda version: shutil.rmtree(version / "variables"),
        cut_short,
        other_weights,
    ],
)
def test_a_half_written_or_damaged_version_is_never_promoted(directory, damage):
    damage(directory / "5")
    before = content(directory)
    with pytest.raises(ValueError, match="Expected"):
        promote(directory, rate_frame(), limits=ANY_LATENCY)
    assert content(directory) == before


def test_a_failing_write_changes_neither_labels_nor_history(
    directory, open_gate, monkeypatch
):
    promoted(directory, 2)
    before = content(directory)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(label_moves, "write_labels", fail)
    with pytest.raises(OSError, match="disk full"):
        promoted(directory, 5)
    assert content(directory) == before


def test_a_kill_between_the_two_files_loses_nothing(directory, open_gate, monkeypatch):
    promoted(directory, 2)
    with monkeypatch.context() as killed:
        killed.setattr(label_moves, "write_labels", lambda *_: None)
        promoted(directory, 5)  # Recorded, but the label did not move.
    assert read_labels(directory)["stable"] == 2
    assert rollback(directory).after == 1


def test_a_damaged_history_or_configuration_is_refused(directory, open_gate):
    (directory / "promotions.json").write_text("[{}]")
    with pytest.raises(ValueError, match="promotions.json"):
        rollback(directory)
    (directory / "models.config").write_text("model_config_list {")
    with pytest.raises(ValueError, match="models.config"):
        promoted(directory, 2)


def test_a_directory_without_versions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="with versions of a model"):
        promote(tmp_path / "none", rate_frame())
    with pytest.raises(ValueError, match="with versions of a model"):
        rollback(tmp_path)
