"""Labels on a server that follows the files, by the model of the server.

The rules of the server are in `tests/support/server_model.py`, each with its source.
Here random commands, polls and crashes are tried on them.
"""

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.bare_versions import REASON, Asked, export_bare, load
from tests.support.server_model import ServerModel
from tf_ctr.files import writing
from tf_ctr.serving.labels import history, promotion, waiting
from tf_ctr.serving.labels.history import read_history, version_before
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.promotion import promote, rollback
from tf_ctr.serving.labels.removal import drop
from tf_ctr.serving.labels.versions import version_numbers

POLLS = 3
SECONDS = 60.0  # Between two polls of models.config, as the README of an export has it.


class World:
    """A directory of versions, a server that polls it, and a clock.

    Args:
        path: An empty folder.
        patch: A `pytest.MonkeyPatch`.
    """

    def __init__(self, path, patch):
        self.directory = path / "dcn"
        self.clock = 1_800_000_000.0
        patch.setattr(history, "now", lambda: self.clock)
        patch.setattr(waiting.time, "monotonic", lambda: self.clock)
        patch.setattr(waiting.time, "sleep", lambda _: self.poll())
        patch.setattr(promotion, "require_conformant", lambda *_, **__: [])
        patch.setattr(promotion, "measure", lambda *_: [])
        self.export()
        self.server = ServerModel(self.directory, load=load)
        self.server.start()
        self.asked = Asked(self.server)

    def export(self, refused=False):
        return export_bare(self.directory, refused)

    def poll(self, times=1):
        for _ in range(times):
            self.clock += SECONDS
            self.server.poll()

    def stable(self):
        return read_files(self.directory).labels["stable"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_an_export_is_loaded_and_changes_no_label(world):
    assert world.export() == 2
    world.poll()
    assert world.server.available() == {1, 2} and world.server.error is None
    assert world.server.labels == {"stable": 1, "canary": 1}


def test_the_canary_waits_for_a_command_with_the_server(world):
    world.export()
    assert read_files(world.directory).pending == {"canary": 2}
    with pytest.raises(
        TimeoutError, match="version 2 of dcn to be loaded(.|\n)*not se"
    ):
        promote(world.directory, label="canary", server=world.asked)
    assert world.server.labels["canary"] == 1
    promote(world.directory, label="canary", server=world.asked, wait=300)
    assert world.server.labels == {"stable": 1, "canary": 2}
    assert read_files(world.directory).pending == {}


def test_promote_and_rollback_arrive_without_a_server(world):
    world.export()
    world.poll()
    promote(world.directory, [], 2)
    world.poll()
    assert world.server.ask("stable") == 2
    rollback(world.directory)
    world.poll()
    assert world.server.ask("stable") == 1


def test_a_version_that_the_server_refuses_blocks_no_rollback(world):
    world.export()
    world.poll()
    promote(world.directory, [], 2)
    world.poll()
    world.export(refused=True)
    world.poll()
    rollback(world.directory)
    world.poll()
    assert world.server.ask("stable") == 1


def test_a_refused_version_is_not_promoted_and_the_reason_is_the_servers(world):
    world.export(refused=True)
    world.poll()
    before = read_files(world.directory)
    with pytest.raises(RuntimeError, match=REASON):
        promote(world.directory, [], 2, server=world.asked, wait=300)
    assert read_files(world.directory) == before


def test_a_move_that_the_server_does_not_follow_is_undone(world, monkeypatch, capsys):
    world.export()
    world.poll()
    before = read_files(world.directory)
    monkeypatch.setattr(world.server, "poll_config", lambda: None)
    with pytest.raises(
        TimeoutError, match="stable is at 1 after 300 s; version 2 is A"
    ):
        promote(world.directory, [], 2, server=world.asked, wait=300)
    assert read_files(world.directory) == before
    assert "Waiting for stable to be version 2: 60 of 300 s" in capsys.readouterr().err


def test_an_undone_move_keeps_what_others_wrote_meanwhile(world, monkeypatch):
    world.export()
    world.poll()
    monkeypatch.setattr(world.server, "poll_config", lambda: None)
    exports = iter([world.export])
    poll = world.poll

    def sleep(_):
        for export in exports:
            export()
        poll()

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    with pytest.raises(TimeoutError):
        promote(world.directory, [], 2, server=world.asked, wait=300)
    found = read_files(world.directory)
    assert found.labels == {"stable": 1, "canary": 1} and found.history == []
    assert found.pending == {"canary": 3}


def test_a_label_that_waits_for_a_refused_version_holds_up_no_other(world):
    world.export(refused=True)
    world.export()
    world.poll()
    promote(world.directory, [], 2, label="a", server=None)
    promote(world.directory, [], 3, server=world.asked, wait=300)
    assert world.server.ask("stable") == 3
    found = read_files(world.directory)
    assert found.pending == {"a": 2} and "a" not in found.labels


def test_a_restarting_server_is_waited_for(world, monkeypatch):
    world.export()
    world.server.crash()
    polls = itertools.count()
    monkeypatch.setattr(
        waiting.time,
        "sleep",
        lambda _: world.server.start() if next(polls) == 2 else world.poll(),
    )
    promote(world.directory, [], 2, server=world.asked, wait=900)
    assert world.server.ask("stable") == 2


def test_drop_moves_the_labels_first_and_then_removes(world):
    world.export()
    promote(world.directory, label="canary", server=world.asked, wait=300)
    dropped = drop(world.directory, 2)
    assert not dropped.removed and dropped.labels == ["canary"]
    assert "--server" in str(dropped) and (world.directory / "2").exists()
    world.poll()
    assert world.server.ask("canary") == 1
    assert drop(world.directory, 2, world.asked).removed
    world.poll()
    assert world.server.available() == {1}
    assert world.export() == 3  # The server would not load another version 2.


def test_drop_without_a_server_removes_once_the_server_must_have_read_the_file(world):
    world.export()
    promote(world.directory, label="canary", server=world.asked, wait=300)
    assert not drop(world.directory, 2).removed
    world.poll(10)
    assert drop(world.directory, 2).removed


@pytest.mark.parametrize("version", [1, 7])
def test_the_stable_version_and_unknown_ones_are_not_dropped(world, version):
    world.export()
    with pytest.raises(ValueError, match=r"versions \[2\](.|\n)*stable is 1"):
        drop(world.directory, version)


def test_a_configuration_of_0_2_becomes_one_that_the_server_takes(
    tmp_path, monkeypatch
):
    world = World(tmp_path, monkeypatch)
    world.export()
    (world.directory / "models.config").write_text(
        'model_config_list { config { name: "dcn" base_path: "/models/dcn"\n'
        'model_platform: "tensorflow" model_version_policy { specific {\n'
        "versions: 1 versions: 2 } }\n"
        'version_labels { key: "stable" value: 1 }\n'
        'version_labels { key: "previous" value: 1 }\n'
        'version_labels { key: "canary" value: 2 } } }'
    )
    world.server.poll()
    assert "which is not currently available" in world.server.error
    world.export()
    world.poll(POLLS)
    assert world.server.available() == {1, 2, 3}
    assert world.server.labels == {"stable": 1, "canary": 1}


class Commands(RuleBasedStateMachine):
    """Random commands, without and with the server's address, and random polls."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(writing, "flush", lambda _: None)  # No power cut here.
        self.folder = next(folders)
        self.world = World(self.folder, self.patch)
        self.refused = set()

    def teardown(self):
        self.patch.undo()

    @property
    def server(self):
        return self.world.server

    @property
    def directory(self):
        return self.world.directory

    def good(self):
        """Versions that a server can load."""
        return sorted(set(version_numbers(self.directory)) - self.refused)

    def asked(self, with_server):
        return self.world.asked if with_server and self.server.running else None

    def arrives(self, label, version):
        """The effect is there within three polls, if a server runs."""
        if not self.server.running:
            return
        for _ in range(POLLS):
            self.world.poll()
            self.traffic_on_stable_is_answered()
            if self.server.labels.get(label) == version:
                return
        raise AssertionError(f"{label} is at {self.server.labels}, not {version}")

    @rule(refused=st.booleans())
    def export(self, refused):
        version = self.world.export(refused)
        if refused:
            self.refused.add(version)

    @rule(data=st.data(), with_server=st.booleans(), keep=st.sampled_from([None, 1, 2]))
    def promote_stable(self, data, with_server, keep):
        choice = [n for n in self.good() if n != self.world.stable()]
        if choice:
            version = data.draw(st.sampled_from(choice))
            server = self.asked(with_server)
            wait = 600 if server else 0
            promote(self.directory, [], version, keep=keep, server=server, wait=wait)
            self.arrives("stable", version)

    @rule(data=st.data(), with_server=st.booleans())
    def promote_another_label(self, data, with_server):
        server = self.asked(with_server)
        label = data.draw(st.sampled_from(["canary", "group-1"]))
        version = data.draw(st.sampled_from(version_numbers(self.directory)))
        if read_files(self.directory).version_of(label) == version:
            return
        if server is not None and version in self.refused:
            with pytest.raises((RuntimeError, TimeoutError)):
                promote(self.directory, [], version, label, server=server, wait=120)
        elif server is not None:
            promote(self.directory, [], version, label, server=server, wait=600)
            assert self.server.labels[label] == version
        else:
            there = read_files(self.directory).labels.get(label) == version
            assert promote(self.directory, [], version, label).waits == (not there)

    @rule(with_server=st.booleans())
    def roll_back(self, with_server):
        before = version_before(
            read_history(self.directory), "stable", self.world.stable()
        )
        if before in self.good():
            server = self.asked(with_server)
            rollback(self.directory, server=server, wait=600 if server else 0)
            self.arrives("stable", before)

    @rule(data=st.data(), with_server=st.booleans())
    def drop_a_version(self, data, with_server):
        stable = self.world.stable()
        choice = [n for n in version_numbers(self.directory) if n != stable]
        if choice:
            server = self.asked(with_server)
            version = data.draw(st.sampled_from(choice))
            drop(self.directory, version, server, 600 if server else 0)
            if self.server.running:
                self.world.poll(POLLS)
                assert version not in self.server.labels.values()

    @rule()
    def poll(self):
        self.world.poll()

    @rule()
    def read_the_configuration(self):
        self.world.clock += SECONDS
        self.server.poll_config()

    @rule()
    def look_for_versions(self):
        self.server.poll_files()

    @rule()
    def take_one_step(self):
        self.server.manage()

    @rule()
    def crash(self):
        self.server.crash()

    @precondition(lambda self: not self.server.running)
    @rule()
    def restart(self):
        self.server.start()

    @invariant()
    def traffic_on_stable_is_answered(self):
        if self.server.running:
            self.server.ask("stable")

    @invariant()
    def every_label_on_the_server_is_answered(self):
        if self.server.running:
            for label in self.server.labels:
                self.server.ask(label)


folders = None


def test_random_commands_polls_and_crashes(tmp_path_factory):
    global folders
    folders = (tmp_path_factory.mktemp("world") for _ in itertools.count())
    Commands.TestCase.settings = settings(
        max_examples=60,
        stateful_step_count=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    Commands.TestCase().runTest()
