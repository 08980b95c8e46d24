"""The ways to load a version and run its signatures; each gives the same scores.

Each way is a function of a version directory and `{signature: {input: array}}`, and
returns `{signature: {output: array}}`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders.loader import Tensors
from tf_ctr.serving.loaders.process import LOG, ProcessLoader
from tf_ctr.serving.loaders.run_signatures import read_tensors, write_tensors
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.untrusted.limits import Limits, run_limited
from tf_ctr.serving.untrusted.names import check_file_name
from tf_ctr.serving.version import load_saved_model, read_meta_graph, signatures


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
    return in_program(command, version, requests, "a fresh process")


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
        return loaded.run(requests)


def in_cpp(version: str | os.PathLike, requests: Tensors) -> Tensors:
    """Runs signatures by `tensorflow::LoadSavedModel` in C++.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        ValueError: If the version cannot be loaded, or the graph refuses the inputs.
        RuntimeError: If the TensorFlow package has no C++ libraries, or the process
            ends.
    """
    with ProcessLoader(version) as loaded:
        return loaded.run(requests)


def in_program(
    command: Sequence[str | os.PathLike],
    version: str | os.PathLike,
    requests: Tensors,
    name: str,
    limits: Limits | None = None,
) -> Tensors:
    """Runs signatures by a program; `run_signatures.py` has the protocol.

    Args:
        command: The program.
        version: A version directory.
        requests: `{signature: {input: array}}`.
        name: What the program is, for the error.
        limits: Limits of memory and time; `None` for none.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        ValueError: If a name of the version is a path, or it takes too long.
        RuntimeError: If the program fails, with the end of its log.
    """
    version = pathlib.Path(version).resolve()
    # They become names of files.
    for each in signatures(read_meta_graph(version)).values():
        for output in each.outputs:
            check_file_name(output)
    with tempfile.TemporaryDirectory() as root:
        folders = {}
        for number, (signature, tensors) in enumerate(requests.items()):
            folders[signature] = pathlib.Path(root, str(number))
            folders[signature].mkdir()
            write_tensors(folders[signature], tensors, ".in")
        pairs = [each for pair in folders.items() for each in pair]
        full = [*map(str, [*command, version, *pairs])]
        # No GPU: its memory may be full of this process's tensors.
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        if limits is None:
            process = subprocess.run(
                full, env=env, capture_output=True, text=True, check=False
            )
        else:
            process = run_limited(full, f"the version {version}", limits, env)
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
