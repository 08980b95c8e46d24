"""The C++ program that loads a SavedModel as TF Serving does, built on first use."""

import hashlib
import os
import pathlib
import shutil
import subprocess

import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.files import replacing

SOURCE = pathlib.Path(__file__).with_name("cpp_loader.cc")
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


def compiler() -> str | None:
    """Returns the path of a C++ compiler, `$CXX` first; `None` if there is none."""
    names = [os.environ.get("CXX"), "g++", "c++", "clang++"]
    return next((path for path in map(shutil.which, filter(None, names)) if path), None)


def why_not() -> str | None:
    """Returns why the loader cannot be built here; `None` if it can."""
    folder = pathlib.Path(tf.sysconfig.get_lib())
    for library in LIBRARIES:
        if not (folder / library).exists():
            return f"the TensorFlow package has no {library}"
    if compiler() is None:
        return "no C++ compiler is on the path (g++, c++, clang++ or $CXX)"
    return None


def cpp_loader(folder: str | os.PathLike | None = None) -> pathlib.Path:
    """Returns the path of the program, built from the TensorFlow package.

    It is built once for each installation of TensorFlow, in about 20 CPU seconds.

    Args:
        folder: Where to keep it. Defaults to `$XDG_CACHE_HOME/tf_ctr`, or to
            `~/.cache/tf_ctr` where that variable is not set.

    Raises:
        RuntimeError: If there is no compiler, or it fails.
    """
    if reason := why_not():
        raise RuntimeError(
            explain(
                "a compiler and libraries to build the C++ loader",
                reason,
                "install it, or skip this way",
            )
        )
    if folder is None:
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        folder = pathlib.Path(cache, "tf_ctr")
    # The program names the folder of its libraries, which differs between environments.
    made_of = SOURCE.read_bytes() + tf.sysconfig.get_lib().encode()
    content = hashlib.sha256(made_of).hexdigest()[:12]
    program = pathlib.Path(folder, f"cpp_loader-{tf.__version__}-{content}")
    if not program.exists():
        with replacing(program) as temporary:
            _build(temporary)
    return program


def _build(target):
    library = tf.sysconfig.get_lib()
    # No code calls into the first library, so the linker would leave it out, and the
    # session that registers itself there would be missing.
    command = [
        compiler(),
        "-O0",
        "-w",
        *tf.sysconfig.get_compile_flags(),
        str(SOURCE),
        "-o",
        str(target),
        f"-L{library}",
        f"-Wl,-rpath,{library}",
        "-Wl,--no-as-needed",
        *(f"-l:{name}" for name in LIBRARIES),
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(
            explain(
                "the C++ loader to compile",
                process.stderr.strip()[-2000:],
                "use the compiler that tf.sysconfig.get_build_info() names",
            )
        )
