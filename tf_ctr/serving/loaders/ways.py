"""The ways by which a version is loaded and run; each gives the same scores."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders.cpp import cpp_loader
from tf_ctr.serving.loaders.run_signatures import read_tensors, write_tensors
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.version import load_saved_model

# What TensorFlow writes on its start, before the reason of a failure.
LOG = re.compile(r"^(WARNING: All log messages|[IW]\d{4} ).*\n?", re.MULTILINE)


def in_this_process(version, feeds):
    """Runs signatures by `tf.saved_model.load`.

    Args:
        version: A version directory.
        feeds: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.
    """
    loaded = load_saved_model(version)
    with tf.device("/CPU:0"):
        return run_signatures.run_signatures(loaded, feeds)


def in_fresh_process(version, feeds):
    """As `in_this_process`, in one that can import neither Keras nor tf_ctr."""
    # -P keeps the script's neighbours from shadowing installed modules.
    command = [sys.executable, "-P", run_signatures.__file__]
    return _by_program(command, version, feeds)


def in_session(version, feeds):
    """Runs signatures in a TF 1 session."""
    with SessionLoader(version) as loaded:
        return {name: loaded(name, tensors) for name, tensors in feeds.items()}


def in_cpp(version, feeds, program=None):
    """Runs signatures by `tensorflow::LoadSavedModel` in C++.

    Raises:
        RuntimeError: If there is no compiler, or the program fails.
    """
    return _by_program([cpp_loader() if program is None else program], version, feeds)


def _by_program(command, version, feeds):
    with tempfile.TemporaryDirectory() as root:
        folders = {}
        for number, (name, tensors) in enumerate(feeds.items()):
            folders[name] = pathlib.Path(root, str(number))
            folders[name].mkdir()
            write_tensors(folders[name], tensors, ".in")
        pairs = [str(each) for pair in folders.items() for each in pair]
        run_program(
            [*command, version, *pairs],
            f"{version} to load and run in {pathlib.Path(command[-1]).name}",
            "give what its signatures take; python -m tf_ctr.export check has their "
            "rules, and finds damage",
        )
        return {name: read_tensors(f, ".out") for name, f in folders.items()}


def run_program(command, expected, fix="make the model of TensorFlow operations only"):
    """Runs a program that scores a SavedModel, and waits for it.

    It sees no GPU, whose memory may be full of this process's.

    Args:
        command: The program and its arguments.
        expected: What it should have done, for the message.
        fix: What mends it, for the message.

    Raises:
        RuntimeError: If it fails, with what it wrote last.
    """
    process = subprocess.run(
        [*map(str, command)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        wrote = LOG.sub("", process.stderr).strip()[-2000:].rstrip(".")
        received = wrote or f"exit code {process.returncode}"
        raise RuntimeError(explain(expected, received, fix))
