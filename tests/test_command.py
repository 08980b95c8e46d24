"""The command `tf_ctr`: help without TensorFlow, how it ends, and the demo."""

import importlib.metadata
import os
import runpy
import shlex
import signal
import subprocess
import sys

import keras
import pytest

import tf_ctr
import tf_ctr_command
from tests.support.built import ROOT
from tf_ctr import commands, demo, training
from tf_ctr.serving import parity
from tf_ctr.serving.labels.gate import Limits
from tf_ctr.serving.labels.models_config import CANARY, STABLE
from tf_ctr_command import main

COMMANDS = (
    *("demo", "check", "parity", "diff", "promote", "rollback", "drop", "status"),
    *("report", "verify"),
)


@pytest.fixture
def without_tensorflow(monkeypatch):
    """Importing TensorFlow, Keras or the package is an error."""
    for name in ("tensorflow", "keras", "tf_ctr"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def interruptible():
    """SIGINT raises KeyboardInterrupt, as at a prompt; a background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run_fresh(code, **options):
    """Runs Python code in a process that can import tf_ctr_command."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=False, **options
    )


def test_the_command_loads_no_large_package():
    code = "import sys, tf_ctr_command; print(*sys.modules)"
    loaded = run_fresh(code, capture_output=True, text=True).stdout.split()
    large = {"tensorflow", "keras", "numpy", "pandas", "tf_ctr"}
    assert "tf_ctr_command" in loaded and not large & set(loaded)


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_needs_no_tensorflow(command, without_tensorflow, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"] if command else ["--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    if command is None:
        assert all(f"\n    {name} " in printed for name in COMMANDS)
        assert "exit status:" in printed
    else:
        assert printed.startswith(f"usage: tf_ctr {command} ")


@pytest.mark.parametrize(
    "line, words",
    [
        ("chek", "invalid choice: 'chek' (choose from"),
        ("--colour", "usage: tf_ctr [-h] [--version] COMMAND"),
        ("check 1 --colour", "usage: tf_ctr check [-h] [--trust] VERSION"),
        ("parity 1 --wais", "usage: tf_ctr parity [-h] [--rows FILE]"),
        ("parity 1 --ways none", "'v1 session'"),
        ("promote dcn", "required: --rows"),
        ("demo --rows 10", "10 is less than 1000"),
        ("demo --epochs few", "invalid whole number value: 'few'"),
    ],
)
def test_a_mistake_lists_the_valid_choices(line, words, without_tensorflow, capsys):
    with pytest.raises(SystemExit) as end:
        main(line.split())
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_a_wrong_command_lists_every_command(without_tensorflow, capsys):
    with pytest.raises(SystemExit):
        main(["publish"])
    error = capsys.readouterr().err
    assert all(f"'{name}'" in error for name in COMMANDS)


def test_the_version_needs_no_tensorflow(without_tensorflow, monkeypatch, capsys):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"7 of {name}")
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "tf_ctr 7 of tf_ctr\n"


def test_a_checkout_knows_its_version_without_an_installation(monkeypatch, capsys):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    assert tf_ctr.__version__
    monkeypatch.setattr(importlib.metadata, "version", missing)
    version = tf_ctr._version()
    assert (
        f"version = {version.removesuffix('+checkout')}\n"
        in (ROOT / "setup.cfg").read_text()
    )
    monkeypatch.setattr(tf_ctr, "__version__", version)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"tf_ctr {version}\n"


def test_the_help_agrees_with_the_constants_of_the_package():
    assert tf_ctr_command.WAYS == tuple(parity.WAYS)
    assert tf_ctr_command.LIMITS == Limits()._asdict()
    assert (tf_ctr_command.STABLE, tf_ctr_command.CANARY) == (STABLE, CANARY)
    assert all(callable(getattr(commands, name)) for name in COMMANDS)


@pytest.mark.parametrize("package", ["tf_ctr", "tf_ctr.serving", "tf_ctr.export"])
def test_python_dash_m_runs_the_same_command(package, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [package, "check", "--help"])
    monkeypatch.delitem(sys.modules, f"{package}.__main__", raising=False)
    with pytest.raises(SystemExit) as end:
        runpy.run_module(package, run_name="__main__", alter_sys=False)
    assert end.value.code == 0
    assert f"usage: python -m {package} check" in capsys.readouterr().out


def test_without_a_command_the_command_says_what_is_installed(monkeypatch, capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert f"tf_ctr {tf_ctr.__version__} in " in printed
    assert f"Keras {keras.__version__} on the backend tensorflow" in printed
    assert "CPU cores" in printed and "tf_ctr demo" in printed
    monkeypatch.setattr(commands.importlib.util, "find_spec", lambda _: None)
    assert main([]) == 0
    assert "pip install 'tf_ctr[serving]'" in capsys.readouterr().out


def test_an_error_about_the_request_is_a_message(tmp_path, capsys):
    assert main(["rollback", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Expected a directory with versions of a model")


def test_ctrl_c_prints_one_line(interruptible, monkeypatch, capsys):
    interrupted = lambda _: signal.raise_signal(signal.SIGINT)  # noqa: E731
    monkeypatch.setattr(commands, "check", interrupted)
    assert main(["check", "my models/1"], prog="python -m tf_ctr") == 130
    assert capsys.readouterr().err.strip() == (
        "Stopped. To start again: python -m tf_ctr check 'my models/1'"
    )


def test_help_into_a_closed_pipe_prints_no_error():
    read, write = os.pipe()
    os.close(read)
    code = "import sys, tf_ctr_command; sys.exit(tf_ctr_command.main(['--help']))"
    done = run_fresh(code, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.fixture
def eager(monkeypatch):
    """Saves the seconds of tracing four models."""
    compile_model = training.compile

    def compile_eagerly(model, learning_rate):
        compile_model(model, learning_rate).run_eagerly = True
        return model

    monkeypatch.setattr(training, "compile", compile_eagerly)


def test_a_stopped_demo_resumes_and_ends_with_the_table(
    eager, interruptible, monkeypatch, tmp_path, capsys
):
    autoft, exported = demo.transfer.autoft, []
    monkeypatch.setattr(demo, "BATCH_SIZE", 4096)
    monkeypatch.setattr(
        demo, "export", lambda model, _, directory, **__: exported.append(directory)
    )
    monkeypatch.setattr(
        demo.transfer, "autoft", lambda *_, **__: signal.raise_signal(signal.SIGINT)
    )
    monkeypatch.setattr(tf_ctr_command.tempfile, "tempdir", str(tmp_path))
    line = ["demo", "--rows", "1000", "--epochs", "1", "--export", "dcn"]
    assert main(line) == 130
    stopped = capsys.readouterr()
    assert "Fine-tuned: epoch 1, validation AUC" in stopped.out
    todo, command = stopped.err.strip().split(": ")
    assert todo == "Stopped. To resume" and "--run-dir" in command and not exported

    monkeypatch.setattr(demo.transfer, "autoft", autoft)
    assert main(shlex.split(command)[1:]) == 0
    printed = capsys.readouterr().out
    assert printed.count("trained before") == 3 and exported == ["dcn"]
    assert "AutoFT: epoch 1, validation AUC" in printed
    for name in ("Source only", "Target only", "Fine-tuned", "AutoFT"):
        [row] = [x for x in printed.splitlines() if x.startswith(f"{name} ")]
        auc, loss = map(float, row.removeprefix(name).split())
        assert 0 <= auc <= 1 and loss > 0
    assert "Best possible" in printed and "standard error" in printed

    assert main([*shlex.split(command)[1:], "--seed", "1"]) == 2
    assert "the settings of the demo" in capsys.readouterr().err


def test_the_demo_checks_where_to_export_before_it_trains(tmp_path, capsys):
    line = ["demo", "--run-dir", str(tmp_path / "run"), "--export", "out dir"]
    assert main(line) == 2
    printed = capsys.readouterr()
    assert "a directory named as the model" in printed.err and not printed.out
