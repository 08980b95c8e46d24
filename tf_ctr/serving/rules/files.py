"""Rules for the files of a version: named for the server, complete, undamaged.

Sources: TensorFlow Serving, `file_system_storage_path_source.cc`
(`ParseVersionNumber`); TensorFlow, `cc/saved_model/loader.cc` (`RunRestore`,
`LoadSavedModelInternal`).
"""

import pathlib
import zipfile
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import fingerprint_pb2, meta_graph_pb2

# Not public, but the only code that computes what the server logs: pinned by a test.
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

from tf_ctr.files import DamagedError
from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.sealing import damages, version_manifest

RULE = "files"
HASHES = (
    "saved_model_checksum",
    "graph_def_program_hash",
    "signature_def_hash",
    "saved_object_graph_hash",
    "checkpoint_hash",
)


def check_version_name(version: pathlib.Path) -> Iterator[Finding]:
    """Yields a finding unless the directory is named as the server names versions."""
    name = version.resolve().name
    if not (name.isascii() and name.isdecimal()):
        yield error(
            RULE, f"a version is named by an integer, not {name!r}; the server skips it"
        )
    elif str(int(name)) != name:
        yield note(RULE, f"{name!r} is version {int(name)} to the server")


def check_manifest(version: pathlib.Path) -> Iterator[Finding]:
    """Yields files that are not as the export wrote them."""
    try:
        manifest = version_manifest(version)
    except DamagedError as problem:
        yield error(RULE, problem.damage)
        return
    if manifest is None:
        if not (version / "saved_model.pb").exists():  # No version at all.
            return
        yield note(
            RULE,
            "no manifest, which versions have since 0.3: damage is only looked for in "
            "the graph, the weights and the archives",
        )
        return
    wrong, intended = damages(manifest)
    yield from (error(RULE, each) for each in wrong)
    yield from (note(RULE, each) for each in intended)


def check_files(
    version: pathlib.Path, meta_graph: meta_graph_pb2.MetaGraphDef
) -> Iterator[Finding]:
    """Yields files that are missing or differ from what was written."""
    yield from _check_fingerprint(version)
    yield from _check_variables(version)
    for asset in meta_graph.asset_file_def:
        if not (version / "assets" / asset.filename).is_file():
            yield error(RULE, f"assets/{asset.filename} is missing")
    for archive in sorted((version / "assets.extra").glob("*.keras")):
        yield from _check_archive(archive)


def _check_fingerprint(version):
    file = version / "fingerprint.pb"
    if not file.is_file():
        yield note(
            RULE,
            "fingerprint.pb is missing: whether a file was damaged cannot be told",
        )
        return
    try:
        written = fingerprint_pb2.FingerprintDef.FromString(file.read_bytes())
        found = fingerprint_pb2.FingerprintDef.FromString(
            fingerprinting.CreateFingerprintDef(str(version))
        )
    except (DecodeError, fingerprinting.FingerprintException, RuntimeError) as problem:
        yield error(RULE, f"fingerprint.pb cannot be compared: {problem}")
        return
    for name in HASHES:
        if getattr(written, name) != getattr(found, name):
            yield error(
                RULE,
                f"{name} differs from the one in fingerprint.pb: a file "
                "was damaged or replaced after the export",
            )


def _check_variables(version):
    """Reads every variable: TensorFlow compares each with its checksum."""
    prefix = version / "variables" / "variables"
    if not prefix.with_suffix(".index").is_file():
        yield error(
            RULE,
            "variables/variables.index is missing: the version loads, and then answers "
            "400, as it finds no variable",
        )
        return
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as problem:
        yield error(
            RULE,
            "variables/ cannot be read, so the version does not load: "
            f"{_first_line(problem)}",
        )


def _check_archive(archive):
    try:
        with zipfile.ZipFile(archive) as opened:
            damaged = opened.testzip()
    except zipfile.BadZipFile as problem:
        damaged = problem
    if damaged is not None:
        yield error(RULE, f"assets.extra/{archive.name} is damaged: {damaged}")


def _first_line(problem):
    return str(problem).splitlines()[0][:200]
