"""A trial: a version of others runs on the rows in question where it can do no harm."""

import os
import sys

from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders.process import ProcessLoader
from tf_ctr.serving.loaders.ways import Tensors, in_program
from tf_ctr.serving.untrusted.graph import require_harmless
from tf_ctr.serving.untrusted.limits import limits_of


def try_version(version: str | os.PathLike, requests: Tensors) -> Tensors:
    """Returns the outputs of a version's signatures, run within limits.

    The version is read first, and not run if it could do more than compute. On the same
    rows, a version that passes needs no more memory or time in another process.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.

    Returns:
        `{signature: {output: array}}`.

    Raises:
        ValueError: If the version could do more than compute, or takes too long.
        RuntimeError: If it fails, e.g. because it asks for too much memory.
    """
    require_harmless(version)
    command = [sys.executable, "-P", run_signatures.__file__]
    name = "a process with limits"
    return in_program(command, version, requests, name, limits_of(version))


def try_in_cpp(version: str | os.PathLike, requests: Tensors) -> None:
    """Runs a version as `try_version` does, but by TensorFlow's C++, which starts fast.

    It says what a session of this process will do, not what `tf.saved_model.load` will:
    that runs further functions of the version.

    Args:
        version: A version directory.
        requests: `{signature: {input: array}}`.

    Raises:
        ValueError: If the version could do more than compute, or refuses the requests.
        RuntimeError: If it fails, e.g. because it asks for too much memory or time.
    """
    require_harmless(version)
    with ProcessLoader(version, limits_of(version)) as loaded:
        loaded.run(requests)
