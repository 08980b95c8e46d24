"""One process or thread changes a folder at a time."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading

import pytest

from tf_ctr.files import LockedError, locked

# A process that holds the lock until it is told to end, or is killed.
HOLDER = """
import sys
from tf_ctr.files import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_process_is_refused_then_taken_over_after_its_death(
    holder, tmp_path, capsys
):
    values = json.loads((tmp_path / ".lock").read_text())
    assert values["process"] == holder.pid and values["started"] <= values["since"]
    with pytest.raises(LockedError) as error, locked(tmp_path):
        pass
    message = str(error.value)
    assert f"another process, {holder.pid} on {os.uname().nodename}" in message
    assert f"since {values['since']}" in message and "\nFix: wait" in message
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()
    assert f"taken over: another process, {holder.pid}" in capsys.readouterr().out
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_lock_goes_when_a_block_raises(tmp_path, error):
    with pytest.raises(error), locked(tmp_path / "new"), locked(tmp_path / "new"):
        raise error
    assert os.listdir(tmp_path / "new") == []
    with locked(tmp_path / "new"):
        pass


def test_an_inner_block_does_not_release_the_lock_of_the_outer_one(tmp_path):
    with locked(tmp_path):
        with locked(tmp_path):
            pass
        assert refused_in_a_thread(tmp_path)
    assert not refused_in_a_thread(tmp_path)


def refused_in_a_thread(folder):
    found = []

    def enter():
        try:
            with locked(folder):
                found.append(False)
        except LockedError:
            found.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return found.pop()


def test_threads_take_turns(tmp_path):
    inside = []

    def enter():
        for _ in range(20):
            with locked(tmp_path, patience=60):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside and os.listdir(tmp_path) == []


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="without locks.*only one process"):
        with locked(tmp_path):
            pass


def test_another_error_of_the_file_system_is_raised(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), locked(tmp_path):
        pass
