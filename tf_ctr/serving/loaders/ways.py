"""The ways to load a version and run its signatures; each gives the same scores.

Each way is a function of a version directory and `{signature: {input: array}}`, and
returns `{signature: {output: array}}`.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders.cpp import cpp_loader
from tf_ctr.serving.loaders.run_signatures import read_tensors, write_tensors
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.version import load_saved_model

# `{signature: {input or output: array}}`.
Tensors = Mapping[str, Mapping[str, np.ndarray]]

# What TensorFlow logs when it starts, ahead of the reason for a failure.
LOG = re.compile(r"^(WARNING: All log messages|[IW]\d{4} ).*\n?", re.MULTILINE)


def in_this_process(version: str | os.PathLike, requests: Tensors) -> Tensors:
    """Runs signatures by `tf.saved_model.load`, on the CPU.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        ValueError: If the version cannot be loaded.
        TypeError: For inputs that are missing, unknown or of another dtype.
    """
    loaded = load_saved_model(version)
    with tf.device("/CPU:0"):
        return run_signatures.run_signatures(loaded, requests)


def in_fresh_process(version: str | os.PathLike, requests: Tensors) -> Tensors:
    """Runs signatures in a new process that can import neither Keras nor tf_ctr.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        RuntimeError: If the process fails, with the end of its log.
    """
    # -P keeps the script's neighbours from shadowing installed modules.
    command = [sys.executable, "-P", run_signatures.__file__]
    return _in_program(command, version, requests, "a fresh process")


def in_session(version: str | os.PathLike, requests: Tensors) -> Tensors:
    """Runs signatures in a TF 1 session.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        ValueError: If the version cannot be loaded, or the graph refuses the inputs.
    """
    with SessionLoader(version) as loaded:
        return {name: loaded(name, tensors) for name, tensors in requests.items()}


def in_cpp(
    version: str | os.PathLike,
    requests: Tensors,
    program: str | os.PathLike | None = None,
) -> Tensors:
    """Runs signatures by `tensorflow::LoadSavedModel` in C++.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.
        program: The built loader. `None` builds it where needed.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        RuntimeError: If there is no compiler, or the program fails.
    """
    command = [cpp_loader() if program is None else program]
    return _in_program(command, version, requests, "the C++ loader")


def _in_program(
    command: Sequence[str | os.PathLike],
    version: str | os.PathLike,
    requests: Tensors,
    name: str,
) -> Tensors:
    """Runs signatures by a program; `run_signatures.py` has the protocol."""
    with tempfile.TemporaryDirectory() as root:
        folders = {}
        for number, (signature, tensors) in enumerate(requests.items()):
            folders[signature] = pathlib.Path(root, str(number))
            folders[signature].mkdir()
            write_tensors(folders[signature], tensors, ".in")
        pairs = [each for pair in folders.items() for each in pair]
        process = subprocess.run(
            [*map(str, [*command, version, *pairs])],
            # No GPU: its memory may be full of this process's tensors.
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "-1",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            log = LOG.sub("", process.stderr).strip()[-2000:].rstrip(".")
            raise RuntimeError(
                explain(
                    f"{version} to load and run in {name}",
                    log or f"exit code {process.returncode}",
                    "send the inputs that its signatures take, and build the model of "
                    "TensorFlow operations only; python -m tf_ctr.serving check finds "
                    "damage",
                )
            )
        return {name: read_tensors(f, ".out") for name, f in folders.items()}
