"""A version in a process of its own, loaded by TensorFlow's C++ as in TF Serving."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO, cast

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.serving.loaders import c_program
from tf_ctr.serving.loaders.loader import Loader, RefusedError
from tf_ctr.serving.untrusted.limits import Limits
from tf_ctr.serving.version import damaged

# By their names on Linux, and on macOS.
LIBRARIES = (
    ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"),
    ("libtensorflow_framework.2.dylib", "libtensorflow_cc.2.dylib"),
)

# What TensorFlow logs when it starts, ahead of the reason for a failure.
LOG = re.compile(r"^(WARNING: All log messages|[IW]\d{4} ).*\n?", re.MULTILINE)

# `TF_RESOURCE_EXHAUSTED`: an array that cannot be allocated.
EXHAUSTED = 8


class StoppedError(RuntimeError):
    """A version that ended its process, or asked for more than its limits."""


def libraries() -> tuple[str, str] | None:
    """Returns the paths of TensorFlow's libraries; `None` if they are not there."""
    folder = pathlib.Path(tf.sysconfig.get_lib())
    for framework, library in LIBRARIES:
        if (folder / framework).exists() and (folder / library).exists():
            return str(folder / framework), str(folder / library)
    return None


def why_not() -> str | None:
    """Returns why no version can be loaded in this way here; `None` if it can."""
    if libraries() is None:
        names = " and ".join(LIBRARIES[0])
        return f"the TensorFlow package in {tf.sysconfig.get_lib()} has no {names}"
    return None


class ProcessLoader(Loader):
    """A version loaded in a process that can import neither tf_ctr nor Keras.

    It runs on the CPU, in TensorFlow's C++ only, and starts in a third of a second.

    Args:
        version: A version directory.
        limits: What the process may use; `None` for no limits.

    Attributes:
        pid: The number of the process.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.
        StoppedError: If the process ends, or the version asks for more than its limits;
            a call raises it, too.
        RuntimeError: If the TensorFlow package has no C++ libraries.
    """

    def __init__(
        self, version: str | os.PathLike, limits: Limits | None = None
    ) -> None:
        super().__init__(version)
        found = libraries()
        if found is None:
            raise RuntimeError(
                explain(
                    "the libraries of TensorFlow's C++",
                    why_not(),
                    "install the package tensorflow from PyPI, or use the v1 session",
                )
            )
        self._limits = limits
        self._late = False
        self._folder = tempfile.TemporaryDirectory()
        self._log = tempfile.TemporaryFile()
        bounds = (0, 0) if limits is None else (limits.memory, limits.cpu_seconds)
        command = [sys.executable, "-I", c_program.__file__, *found, self.version]
        self._process = subprocess.Popen(
            [*map(str, [*command, *bounds])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._folder.name,
            env=_environment(limits),
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._stdin = cast(IO[bytes], self._process.stdin)
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._timer = threading.Timer(limits.seconds if limits else 0, self._stop)
        try:
            if limits:
                self._timer.start()
            self._receive()
        except RefusedError as error:
            self.close()
            raise damaged(self.version, error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the process."""
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        for each in (self._stdin, self._stdout, self._log):
            with contextlib.suppress(BrokenPipeError):  # A request that nobody reads.
                each.close()
        self._folder.cleanup()

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def _run(
        self, feeds: Mapping[str, np.ndarray], fetches: Mapping[str, str]
    ) -> dict[str, np.ndarray]:
        protos = {}
        for name, array in feeds.items():
            # TensorFlow does not guess that an array of objects holds strings.
            dtype = tf.string if array.dtype.kind in "SUO" else None
            protos[name] = tf.make_tensor_proto(array, dtype).SerializeToString()
        head = {
            "feeds": [(name, len(proto)) for name, proto in protos.items()],
            "fetches": [*fetches.values()],
        }
        try:
            self._stdin.write(json.dumps(head).encode() + b"\n")
            self._stdin.writelines(protos.values())
            self._stdin.flush()
        except BrokenPipeError:
            raise self._stopped(self._end()) from None
        return dict(zip(fetches, self._receive(), strict=True))

    def _receive(self) -> list[np.ndarray]:
        """Returns the outputs of the next answer."""
        line = self._stdout.readline()
        if not line.endswith(b"\n"):
            raise self._stopped(self._end())
        message = json.loads(line)
        if "error" not in message:
            return [self._array(*head) for head in message["outputs"]]
        code, text = message["error"]
        if code == EXHAUSTED and self._limits:
            raise self._stopped(text)
        raise RefusedError(text)

    def _array(self, dtype, shape, lengths):
        parts = [self._stdout.read(length) for length in lengths]
        if [*map(len, parts)] != lengths:
            raise self._stopped(self._end())
        kind = tf.as_dtype(dtype)
        if kind != tf.string:
            return np.frombuffer(parts[0], kind.as_numpy_dtype).reshape(shape)
        array = np.empty(len(parts), object)
        array[:] = parts
        return array.reshape(shape)

    def _end(self) -> str:
        """How the process ended, and the end of its log."""
        status = self._process.wait()
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        self._log.seek(max(self._log.seek(0, os.SEEK_END) - 2000, 0))
        log = LOG.sub("", self._log.read().decode(errors="replace")).strip()
        return f"it ended its process ({how}). {log}".strip().rstrip(".")

    def _stopped(self, what: str) -> StoppedError:
        limits = self._limits
        if limits is None:
            fix = "export the version again; tf_ctr check finds damage"
            return StoppedError(explain(f"{self.version} to run", what, fix))
        if self._late:
            what = "it still ran then, and was stopped"
        return StoppedError(
            explain(
                f"{self.version} to run in {limits.memory / 2**30:.1f} GiB of memory "
                f"and {limits.seconds:g} seconds",
                what,
                "do not run it; if you trust those who wrote it, run it with --trust "
                "(trust=True)",
            )
        )


def _environment(limits):
    # No GPU: its memory may be full of this process's tensors.
    chosen = {"CUDA_VISIBLE_DEVICES": "-1"}
    if limits is not None:
        # oneDNN's allocator waits ten seconds for memory beyond the limit. Source:
        # TensorFlow, core/framework/allocator_retry.cc and common_runtime/
        # mkl_cpu_allocator.h.
        chosen["TF_ENABLE_ONEDNN_OPTS"] = "0"
    return {**os.environ, **chosen}
