"""`tf_ctr verify` finds a flipped bit, and sets aside only what can be recomputed."""

import fcntl
import json
import os
import pathlib

import pytest

from tests.test_sealed import flipped
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.export.server_files import publish_configured
from tf_ctr.features import Categorical, Schema
from tf_ctr.files import LockedError, locked, whole_folder
from tf_ctr.files.locks import FILE
from tf_ctr.serving.labels import models_config
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.labels.versions import next_version
from tf_ctr.serving.sealing import seal_version
from tf_ctr.verification import verify
from tf_ctr_command import main


def add_version(directory):
    """Adds a version with a manifest, as small as it can be."""
    staged = directory.parent / "staged"
    (staged / "assets.extra").mkdir(parents=True)
    (staged / "saved_model.pb").write_bytes(b"graph")
    (staged / "batching_params.pbtxt").write_text("max_batch_size { value: 8 }")
    facts = json.dumps({"manifest": "manifest.json"})
    (staged / "assets.extra" / "export.json").write_text(facts)
    (staged / "assets.extra" / "model.keras").write_bytes(b"model")
    seal_version(staged)
    publish_configured(staged, directory)


@pytest.fixture
def root(tmp_path):
    """A folder with a run, snapshots, versions, a schema and the state of a run."""
    for number in (0, 1):
        record = {"number": number, "end": number, "trained": False, "settings": {}}
        Store(tmp_path / "run").add(record)
    for date in (3, 4):
        SnapshotStore(tmp_path / "tpm").add(date, {"item": (["a"], [[1.0]])})
    for _ in range(3):
        add_version(tmp_path / "dcn")
    Schema([Categorical("item", ["a"])]).save(tmp_path / "schema.json")
    with whole_folder(tmp_path / "logs" / "backup") as partial:
        (partial / "training_metadata.json").write_text('{"epoch": 1, "format": 2}')
    return tmp_path


def ours(root):
    """The files that are checked: all but those that are there for people to read."""
    names = ("README.md", "docker-compose.yml", "monitoring.config")
    others = (*names, "session.config", "batching_pool.config")
    return [p for p in root.rglob("*") if p.is_file() and p.name not in others]


def states(found):
    return {str(each.path.name): each.state for each in found.findings}


def test_all_kinds_of_things_are_found_whole(root):
    found = verify(root)
    assert found.well and {each.state for each in found.findings} == {"whole"}
    names = ["000000", "000001", "1", "2", "3", "4", "backup", "schema.json"]
    assert set(states(found)) == {*names, "models.config", "pending.json"}
    kinds = sorted(each.kind for each in found.findings)
    assert kinds.count("version") == 3 and kinds.count("snapshot") == 2
    assert str(found) == f"{len(kinds)} checked: {len(kinds)} whole"


def test_a_flipped_bit_of_any_file_is_told_and_only_that_thing(root):
    for path in ours(root):
        content = path.read_bytes()
        for changed in flipped(content, every=8 * max(1, len(content) // 5) + 3):
            path.write_bytes(changed)
            told = [each for each in verify(root).findings if each.state != "whole"]
            [one] = told
            assert one.path == path or one.path in path.parents
            assert one.problem
        path.write_bytes(content)


def test_one_thing_and_one_file_may_be_verified(root):
    assert str(verify(root / "run" / "000000")) == "1 checked: 1 whole"
    assert str(verify(root / "schema.json")) == "1 checked: 1 whole"
    extra = root / "dcn" / "2" / "assets.extra"  # It has the version's manifest.
    assert str(verify(extra)) == "1 checked: 1 whole"
    with pytest.raises(FileNotFoundError, match="which does not exist"):
        verify(root / "none")


def spoil(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def repaired(path):
    """`{name: (what was done, fix)}` of the damaged things."""
    found = verify(path, repair=True)
    return {each.path.name: (each.done, each.fix) for each in found.damaged}


def test_the_newest_periods_are_set_aside_and_recomputed(root):
    spoil(root / "run" / "000000" / "record.json")
    assert "of the later periods [1]" in repaired(root)["000000"][1]
    spoil(root / "run" / "000001" / "record.json")
    done = repaired(root)
    assert done["000001"][0].endswith("the same call recomputes period 1")
    assert ".damaged/000000" in done["000000"][0]  # No later one is left.
    assert Store(root / "run").numbers() == []
    assert (root / "run" / ".damaged" / "000001" / "record.json").exists()
    assert verify(root).well


def test_a_version_goes_only_if_no_label_needs_it_and_another_is_whole(root):
    graph = {n: root / "dcn" / str(n) / "saved_model.pb" for n in (1, 2, 3)}
    assert read_labels(root / "dcn") == {"stable": 1, "canary": 1}
    for each in graph.values():
        spoil(each)
    done = repaired(root)
    assert "because of its labels ['canary', 'stable']" in done["1"][1]
    assert "because of its labels ['canary']" in done["3"][1]  # It waits to be.
    assert "no other version is whole" in done["2"][1]
    spoil(graph[1])  # Whole again.
    done = repaired(root)
    assert "export the model again" in done["2"][0] and not done["3"][0]
    assert next_version(root / "dcn") == 4
    assert not verify(root).well


def test_labels_that_cannot_be_read_keep_every_version(root):
    spoil(root / "dcn" / "2" / "saved_model.pb")
    (root / "dcn" / "models.config").write_text("model_config_list {")
    done = repaired(root)
    assert "the labels in" in done["2"][1] and not done["2"][0]
    assert done["models.config"][1].startswith("it stays, because it cannot")
    assert "correct the file, or remove it" in done["models.config"][1]


def test_what_can_not_be_recomputed_stays_and_the_rest_goes(root):
    spoil(root / "schema.json")
    spoil(root / "tpm" / "3" / "item.parquet")
    spoil(root / "logs" / "backup" / "training_metadata.json")
    spoil(root / "dcn" / "pending.json")
    done = repaired(root)
    assert done["schema.json"][1].startswith("it stays, because it cannot")
    assert "the same call starts the run over" in done["backup"][0]
    assert done["pending.json"][0] and done["3"][0]
    assert SnapshotStore(root / "tpm").dates() == [4]
    assert {each.state for each in verify(root).damaged} == {"damaged"}


def test_what_a_killed_process_left_is_removed_after_an_hour(root):
    half = root / "run" / ".000002.partial"
    half.mkdir()
    (root / "tpm" / "4").rename(root / "tpm" / ".4.replaced")
    found = verify(root)
    assert found.well and states(found)[".000002.partial"] == "left over"
    found = verify(root, repair=True)
    assert half.exists() and (root / "tpm" / "4").exists()  # It has its name again.
    assert any("changed 0 minutes ago" in each.fix for each in found.findings)
    os.utime(half, (0, 0))
    verify(root, repair=True)
    assert not half.exists() and {*states(verify(root)).values()} == {"whole"}


def test_a_repair_waits_for_the_lock(root, monkeypatch):
    monkeypatch.setattr("tf_ctr.serving.labels.versions.PATIENCE", 0.0)
    spoil(root / "run" / "000001" / "record.json")
    with open(root / "run" / FILE, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockedError):
            verify(root, repair=True)
    assert (root / "run" / "000001").exists()


def test_what_0_2_wrote_is_not_damaged(root):
    written = pathlib.Path(__file__).parent / "support" / "written_by_0_1"
    assert set(states(verify(written)).values()) == {"whole", "unchecked"}
    (root / "dcn" / "1" / "assets.extra" / "manifest.json").unlink()
    assert "no assets.extra/manifest.json" in verify(root / "dcn").damaged[0].problem
    (root / "dcn" / "1" / "assets.extra" / "export.json").write_text("{}")
    found = verify(root / "dcn")
    assert found.well and "tf_ctr check" in str(found)


def test_edited_files_of_a_version_are_told_but_not_damage(root):
    file = root / "dcn" / "1" / "batching_params.pbtxt"
    file.write_text("max_batch_size { value: 9 }")
    (root / "dcn" / "1" / "assets.extra" / "model.keras").unlink()
    found = verify(root / "dcn")
    assert found.well and "batching_params.pbtxt, whose content" in str(found)
    assert "model.keras, which was left out" in str(found)


def test_the_command_prints_and_says_by_its_status_whether_all_is_well(root, capsys):
    assert main(["verify", str(root)]) == 0
    spoil(root / "run" / "000001" / "record.json")
    assert main(["verify", str(root)]) == 1
    printed = capsys.readouterr().out
    assert "damaged: " in printed and "Fix: restore" in printed
    assert main(["verify", "--repair", str(root)]) == 0
    assert "Done: moved to" in capsys.readouterr().out
    assert main(["verify", str(root / "none")]) == 2


def test_a_version_without_its_graph_is_still_a_version(root):
    for version in (2, 3):
        (root / "dcn" / str(version) / "saved_model.pb").unlink()
    (root / "dcn" / "3" / "assets.extra" / "manifest.json").unlink()
    (root / "dcn" / "3" / "assets.extra" / "export.json").write_text("{}")
    found = {each.path.name: each for each in verify(root).damaged}
    assert {each.kind for each in found.values()} == {"version"}
    assert found["2"].problem.startswith("saved_model.pb, which cannot be read")
    assert found["3"].problem == "no saved_model.pb"  # As of 0.2, without a manifest.


def test_files_that_were_added_to_a_version_are_told(root):
    (root / "dcn" / "2" / "assets.extra" / "saved_model_config.pb").touch()
    [told] = [each for each in verify(root).findings if each.state != "whole"]
    assert told.state == "unchecked"
    assert told.problem == "assets.extra/saved_model_config.pb, which was added"


def test_what_cannot_be_read_is_told_and_the_rest_is_checked(root, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(models_config, "read_labels", refuse)
    os.mkfifo(root / "dcn" / "pipe.json")
    found = verify(root)
    [told] = found.damaged
    assert told.path.name == "models.config"
    assert told.problem == "it cannot be read (Permission denied)"
    assert len(found.findings) > 5


def test_a_file_without_a_checksum_of_its_own_is_refused(root):
    with pytest.raises(ValueError, match="pass the folder that it is in"):
        verify(root / "dcn" / "2" / "saved_model.pb")
    assert verify(root / "dcn" / "models.config").well


def test_a_folder_that_cannot_be_changed_stays_as_it_is(root, monkeypatch):
    spoil(root / "dcn" / "2" / "saved_model.pb")
    opened = os.open

    def refuse(path, *rest, **known):
        if pathlib.Path(path).name == FILE:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **known)

    monkeypatch.setattr(os, "open", refuse)
    [[done, fix]] = repaired(root).values()
    assert not done and "its folder cannot be changed (Permission denied)" in fix
    with pytest.raises(PermissionError, match="(?s)Expected a folder.*Fix: run this"):
        with locked(root):
            pass
