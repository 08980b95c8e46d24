"""The commands of `tf_ctr`, called after `tf_ctr_command` has parsed the arguments.

Each function runs the command of its name: it takes the parsed arguments, prints the
result, and returns whether the command succeeded.
"""

import argparse
import contextlib
import importlib.util
import os
import pathlib
import platform

import keras
import tensorflow as tf

import tf_ctr
from tf_ctr import demo as demonstration
from tf_ctr import verification
from tf_ctr.data import rows
from tf_ctr.data.read_frame import read_frame
from tf_ctr.rows import Source
from tf_ctr.serving import differences
from tf_ctr.serving import parity as comparison
from tf_ctr.serving.labels import overview, promotion, removal
from tf_ctr.serving.labels.gate import Limits
from tf_ctr.serving.labels.server import Server
from tf_ctr.serving.rules import conformance
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.version import load_schema

FIRST_STEPS = """\
First steps:
  tf_ctr demo      a transfer from start to end, in about a minute
  tf_ctr --help    the commands, among them those for exported versions
  https://github.com/tf-ctr/tf_ctr#readme    twenty lines from frames to a SavedModel
"""
# `{extra: (a module that only this extra installs, its purpose)}`.
EXTRAS = {
    "serving": ("tensorflow_serving", "clients of TF Serving, and its requests"),
    "plots": ("matplotlib", "pictures of training, routes and scores"),
    "report": ("jinja2", "reports as pages"),
    "pipelines": ("tensorflow_datasets", "TFDS data sets"),
}


def about(_: argparse.Namespace) -> bool:
    """Prints the installed versions and the first steps."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in gpus
    ]
    print(f"tf_ctr {tf_ctr.__version__} in {pathlib.Path(tf_ctr.__file__).parent}")
    print(f"Python {platform.python_version()} on {platform.platform()}")
    print(f"TensorFlow {tf.__version__}")
    print(f"Keras {keras.__version__} on the backend {keras.backend.backend()}")
    print(f"Devices: {os.cpu_count()} CPU cores, {', '.join(names) or 'no GPU'}")
    for extra, (module, purpose) in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        how = "installed" if there else f"missing: pip install 'tf_ctr[{extra}]'"
        print(f"Extra {extra} ({purpose}): {how}")
    print(f"\n{FIRST_STEPS}", end="")
    return True


def demo(arguments: argparse.Namespace) -> bool:
    """Trains and compares models on a synthetic world."""
    options = {"rows": arguments.rows, "epochs": arguments.epochs}
    demonstration.run(
        arguments.run_dir, **options, seed=arguments.seed, export_dir=arguments.export
    )
    return True


def check(arguments: argparse.Namespace) -> bool:
    """Prints where a version breaks the rules of TF Serving."""
    found = conformance.check(arguments.version, trust=arguments.trust)
    for finding in found:
        print(finding)
    print(f"{len(errors(found))} errors")
    return not errors(found)


def parity(arguments: argparse.Namespace) -> bool:
    """Prints how much a version's scores differ from those of its Keras model."""
    rows = _rows(arguments.rows, arguments.version)
    found = comparison.compare_ways(
        arguments.version, rows, ways=arguments.ways, trust=arguments.trust
    )
    print(found)
    return found.agrees


def diff(arguments: argparse.Namespace) -> bool:
    """Prints how two versions differ."""
    rows = _rows(arguments.rows, arguments.first)
    trust = arguments.trust
    print(differences.diff(arguments.first, arguments.second, rows, trust=trust))
    return True


def promote(arguments: argparse.Namespace) -> bool:
    """Moves a label to a version, unless it fails the gate."""
    version = promotion.chosen_version(arguments.directory, arguments.version)
    limits = {name: getattr(arguments, f"max_{name}") for name in Limits._fields}
    rows = _rows(arguments.rows, version)
    with _server(arguments) as server:
        result = promotion.promote(
            arguments.directory,
            rows,
            int(version.name),
            arguments.label,
            Limits(**limits),
            arguments.keep,
            server,
            arguments.wait,
            arguments.trust,
        )
    print(result)
    return result.moved


def rollback(arguments: argparse.Namespace) -> bool:
    """Moves a label back to the version that had it before."""
    with _server(arguments) as server:
        result = promotion.rollback(
            arguments.directory, arguments.label, server, arguments.wait
        )
    print(result)
    return True


def drop(arguments: argparse.Namespace) -> bool:
    """Removes a version, after its labels have moved to the stable version."""
    with _server(arguments) as server:
        result = removal.drop(
            arguments.directory, arguments.version, server, arguments.wait
        )
    print(result)
    return result.removed


def status(arguments: argparse.Namespace) -> bool:
    """Prints the versions, their labels, and what a server has loaded."""
    with _server(arguments) as server:
        result = overview.status(arguments.directory, server)
    print(result)
    return result.well


def verify(arguments: argparse.Namespace) -> bool:
    """Prints what is stored in a folder and is not as it was written."""
    result = verification.verify(arguments.path, arguments.repair)
    print(result)
    return result.well


def report(arguments: argparse.Namespace) -> bool:
    """Writes the page of a run, a comparison, periods or a version."""
    path = arguments.output or f"{pathlib.Path(arguments.path).absolute().name}.html"
    links = dict(each.partition("=")[::2] for each in arguments.link)
    print(tf_ctr.report(arguments.path, path, links=links))
    return True


def _server(
    arguments: argparse.Namespace,
) -> contextlib.AbstractContextManager[Server | None]:
    """Returns the server to ask, for a `with` block; `None` in it without one."""
    if arguments.server is None:
        return contextlib.nullcontext()
    # The model has the name of its directory, as `models.config` says.
    model = pathlib.Path(arguments.directory).resolve().name
    return Server(model, arguments.server)


def _rows(file: str | None, version: str | os.PathLike) -> Source | None:
    if file is None:
        return None
    # A folder, a URI or a pattern may stand for many files of one format.
    if os.path.isdir(file) or any(mark in file for mark in ("://", "*")):
        return rows(file)
    return read_frame(file, load_schema(version))
