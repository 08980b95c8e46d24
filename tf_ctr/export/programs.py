"""Other programs that load a version: a fresh Python, a C++ program."""

import os
import subprocess

from tf_ctr.errors import explain


def run_program(command, expected):
    """Runs a program that scores a SavedModel, and waits for it.

    It sees no GPU, whose memory may be full of this process's.

    Args:
        command: The program and its arguments.
        expected: What it should have done, for the message.

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
        raise RuntimeError(
            explain(
                expected,
                process.stderr.strip()[-2000:] or f"exit code {process.returncode}",
                "make the model of TensorFlow operations only",
            )
        )
