"""The commands of labels with `--server`: what they ask, print and undo.

The server is the model of `tests/support/server_model.py`, behind gRPC; it polls when
a command waits.
"""

import re
import shutil

import pytest

from tests.support.bare_versions import REASON, load, mark_refused
from tests.support.click_rates import rate_frame
from tests.support.server_model import ServerModel
from tests.support.server_over_grpc import ServerOverGrpc
from tf_ctr.export.server_files import publish_configured
from tf_ctr.serving.labels import promotion, waiting
from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.server import Loaded, Server
from tf_ctr_command import main


class Deployment:
    """Versions on a disk, a server that has loaded the first, and a clock."""

    def __init__(self, source, folder):
        self.source, self.folder = source, folder
        self.directory = folder / "rates"
        self.seconds = 0.0
        self.export(1)
        self.model = ServerModel(self.directory, load=load)
        self.model.start()

    def export(self, number, refused=False):
        staged = shutil.copytree(self.source / str(number), self.folder / "staged")
        if refused:
            mark_refused(staged)
        return publish_configured(staged, self.directory)

    def sleep(self, seconds):
        self.seconds += seconds
        self.model.poll()


@pytest.fixture
def deployed(exported_rates, tmp_path, monkeypatch):
    found = Deployment(exported_rates, tmp_path)
    monkeypatch.setattr(waiting.time, "sleep", found.sleep)
    monkeypatch.setattr(waiting.time, "monotonic", lambda: found.seconds)
    monkeypatch.setattr(promotion, "require_conformant", lambda *_, **__: [])
    with ServerOverGrpc(found.model) as server:
        found.address = server.address
        yield found


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    rate_frame().to_csv(path, index=False)
    return path


@pytest.fixture
def run(deployed, capsys):
    """A function that runs a command with the server: exit status, output, errors."""

    def command(name, *arguments, server=True):
        given = ["--server", deployed.address] if server else []
        words = [name, deployed.directory, *arguments, *given]
        status = main([str(word) for word in words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


def table(text):
    """`{version: cells}` of the printed table; notes are below it."""
    rows = [re.split(" {2,}", line) for line in text.splitlines()]
    return {int(first): cells for first, *cells in rows[1:] if first.isdigit()}


LOOSE = ("--max-calibration-error", "inf", "--max-latency-ratio", "inf")


def test_status_shows_disk_labels_and_the_server(deployed, run):
    status, printed, _ = run("status", server=False)
    assert status == 0
    assert table(printed) == {1: ["yes", "yes", "canary, stable", "?", "?"]}
    deployed.export(2)
    status, printed, _ = run("status")
    assert status == 0
    assert table(printed) == {
        1: ["yes", "yes", "canary, stable", "AVAILABLE", "no"],
        2: ["yes", "yes", "(canary)", "no", "no"],
    }
    assert "waits until a server has loaded the version" in printed
    deployed.model.poll()
    assert table(run("status")[1])[2] == ["yes", "yes", "(canary)", "AVAILABLE", "no"]


def test_status_shows_a_refused_version_with_the_servers_words(deployed, run):
    deployed.export(2, refused=True)
    deployed.model.poll()
    status, printed, _ = run("status")
    assert status == 0  # No label needs the version.
    assert table(printed)[2] == ["yes", "yes", "(canary)", "END", "yes"]
    assert f"2, by the server: {REASON}" in printed


def test_status_fails_for_a_label_whose_version_is_damaged_or_gone(deployed, run):
    (deployed.directory / "1" / "saved_model.pb").write_bytes(b"x")
    status, printed, _ = run("status")
    assert status == 1 and "1 is not whole" in printed
    shutil.rmtree(deployed.directory / "1")
    deployed.model.poll()
    status, printed, _ = run("status")
    assert status == 1
    assert table(printed)[1] == ["no", "-", "canary, stable", "END", "yes"]
    assert "1 has no label on the server" in printed


def test_promote_waits_until_the_server_has_moved_the_label(deployed, run, rows):
    deployed.export(2)
    status, printed, progress = run("promote", "--rows", rows, "--wait", *LOOSE)
    assert status == 0 and "stable: 1 -> 2" in printed
    assert "Waiting for version 2 to be loaded: 0 of 300 s, not seen yet" in progress
    assert deployed.model.ask("stable") == 2
    assert deployed.model.labels == {"stable": 2, "canary": 2}
    status, printed, _ = run("rollback", "--wait", "60")
    assert status == 0 and "stable: 2 -> 1" in printed
    assert deployed.model.ask("stable") == 1


def test_a_canary_needs_no_rows_but_a_server_that_has_it(deployed, run):
    deployed.export(2)
    status, printed, _ = run("promote", "--label", "canary", "--wait")
    assert status == 0 and "canary: 1 -> 2" in printed
    assert deployed.model.labels == {"stable": 1, "canary": 2}
    with pytest.raises(SystemExit):
        run("promote", "--version", "2")


def test_a_refused_version_changes_no_file_and_the_reason_is_the_servers(
    deployed, run, rows
):
    deployed.export(2, refused=True)
    deployed.model.poll()
    before = read_files(deployed.directory)
    status, _, problem = run("promote", "--rows", rows, "--wait", *LOOSE)
    assert status == 2 and REASON in problem
    assert read_files(deployed.directory) == before


def test_a_label_that_the_server_does_not_move_is_moved_back(
    deployed, run, rows, monkeypatch
):
    deployed.export(2)
    deployed.model.poll()
    before = read_files(deployed.directory)
    monkeypatch.setattr(deployed.model, "poll_config", lambda: None)
    status, _, problem = run("promote", "--rows", rows, "--wait", "30", *LOOSE)
    assert status == 2 and "stable is at 1 after 30 s" in problem
    assert "the label was moved back" in problem
    assert read_files(deployed.directory) == before


def test_drop_waits_until_the_server_has_moved_the_labels(deployed, run):
    deployed.export(2)
    run("promote", "--label", "canary", "--wait")
    status, printed, _ = run("drop", "2")
    assert status == 1 and "version 2 stays: the server's labels ['canary']" in printed
    status, printed, _ = run("drop", "2", "--wait", "60")
    assert status == 0 and "removed from the disk: 2" in printed
    deployed.model.poll()
    assert deployed.model.available() == {1}
    status, _, problem = run("drop", "1")
    assert status == 2 and "stable is 1" in problem


def test_a_server_that_is_gone_or_has_another_model_is_explained(deployed, run):
    with Server("dcn", deployed.address) as other:
        with pytest.raises(LookupError, match="dcn"):
            other.versions()
    deployed.model.crash()
    status, _, problem = run("status")
    assert status == 2 and f"TF Serving to answer at {deployed.address}" in problem


def test_a_server_answers_by_state_and_by_label(deployed):
    deployed.export(2, refused=True)
    deployed.model.poll()
    with Server("rates", deployed.address) as server:
        assert server.versions() == {1: Loaded("AVAILABLE"), 2: Loaded("END", REASON)}
        assert server.version_of("stable") == 1
        assert server.version_of("no-such-label") is None


@pytest.mark.parametrize("address", ["http://localhost:8501", "localhost", "a:b"])
def test_an_address_is_a_host_and_a_port(deployed, address, capsys):
    status = main(["status", str(deployed.directory), "--server", address])
    problem = capsys.readouterr().err
    assert status == 2 and "leave out http:// and any path" in problem


@pytest.mark.parametrize("words", [["--wait"], ["--wait", "-1"], ["--wait", "nan"]])
def test_a_wrong_wait_is_refused_at_once(deployed, words, capsys):
    with pytest.raises(SystemExit):
        main(["rollback", str(deployed.directory), *words])
    problem = capsys.readouterr().err
    assert "--wait needs --server" in problem or "is not a time to wait" in problem
