"""The ways by which a version is loaded and run; each gives the same scores."""

import pathlib
import sys
import tempfile

import tensorflow as tf

from tf_ctr.export import run_signatures
from tf_ctr.export.cpp_loader import cpp_loader
from tf_ctr.export.loading import load_saved_model
from tf_ctr.export.programs import run_program
from tf_ctr.export.run_signatures import read_tensors, write_tensors
from tf_ctr.export.session_loader import SessionLoader


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
