"""Other programs that load a version: a fresh Python, a C++ program."""

import os
import re
import subprocess

from tf_ctr.errors import explain

# What TensorFlow writes on its start, before the reason of a failure.
LOG = re.compile(r"^(WARNING: All log messages|[IW]\d{4} ).*\n?", re.MULTILINE)


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
