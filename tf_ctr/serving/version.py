"""The graph and the signatures of a version, read without running anything."""

import pathlib
import zipfile
import zlib

import keras
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema

INIT_OP = "__saved_model_init_op"

# What TensorFlow raises for files that are missing, cut short or exchanged.
DAMAGE = (tf.errors.OpError, OSError, RuntimeError, ValueError, TypeError, LookupError)

EXTRA = "assets.extra"

# What Keras raises for archives that are damaged, and for unknown layers.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
)


def check_version_directory(version):
    """Returns `version` as a path.

    Raises:
        ValueError: Unless it is a directory with a `saved_model.pb`.
    """
    version = pathlib.Path(version)
    if not (version / "saved_model.pb").is_file():
        raise ValueError(
            explain(
                "a version directory, with a saved_model.pb",
                f"{version}, which {_what_it_is(version)}",
                "pass one such as savedmodels/dcn/1; copy or export a half-written "
                "one again",
            )
        )
    return version


def _what_it_is(path):
    if not path.exists():
        return "does not exist"
    if not path.is_dir():
        return "is a file"
    return f"holds {sorted(p.name for p in path.iterdir()) or 'nothing'}"


def read_meta_graph(version):
    """Returns the `MetaGraphDef` that the server loads, of tag `serve`.

    Args:
        version: A version directory.

    Raises:
        ValueError: If there is none, or the file is damaged.
    """
    file = check_version_directory(version) / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise ValueError(
            explain(
                "a whole saved_model.pb",
                f"{file}, which cannot be parsed ({error})",
                "export or copy the version again",
            )
        ) from error
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == {"serve"}:
            return meta_graph
    tags = [list(each.meta_info_def.tags) for each in saved_model.meta_graphs]
    raise ValueError(
        explain(
            "a graph with the one tag 'serve', which the server loads",
            f"{file} with graphs tagged {tags}",
            "write it with tf_ctr.export.export",
        )
    )


def signatures(meta_graph):
    """Returns `{name: SignatureDef}` of what can be called."""
    found = dict(meta_graph.signature_def)
    return {name: found[name] for name in sorted(found) if name != INIT_OP}


def signature(meta_graph, name):
    """Returns the signature called `name`.

    Raises:
        ValueError: If there is none, with the names there are.
    """
    found = signatures(meta_graph)
    check_name("signature", name, found)
    return found[name]


def shape(info):
    """Returns the shape of a `TensorInfo`, `None` for an open size or rank."""
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim)


def load_saved_model(version):
    """Returns `tf.saved_model.load(version)`, on the CPU.

    Args:
        version: A version directory.

    Raises:
        ValueError: If it holds no SavedModel, or one that cannot be loaded.

    Example:

    >>> load_saved_model("savedmodels/no-such-model/1")
    Traceback (most recent call last):
    ValueError: Expected a version directory, with a saved_model.pb...
    """
    version = str(check_version_directory(version))
    try:
        # On the CPU: products of a GPU are of reduced precision.
        with tf.device("/CPU:0"):
            return tf.saved_model.load(version)
    except DAMAGE as error:
        raise damaged(version, error) from error


def damaged(version, error) -> ValueError:
    """Returns the exception for a version that TensorFlow cannot load."""
    return ValueError(
        explain(
            "a SavedModel that can be loaded",
            f"{version}: {str(error)[:500].rstrip('.')}",
            "export or copy the version again",
        )
    )


def load_schema(version) -> Schema:
    """Returns the schema of a version.

    Raises:
        ValueError: If the version has none.
    """
    return Schema.load(_file(version, "schema.json"))


def load_served(version) -> keras.Model:
    """Returns the Keras model whose scores a version serves.

    Raises:
        ValueError: If the version has none, or it cannot be read.
    """
    extra = check_version_directory(version) / EXTRA
    name = "served.keras" if (extra / "served.keras").exists() else "model.keras"
    file = _file(version, name)
    try:
        return keras.saving.load_model(file, compile=False)
    except UNREADABLE as error:
        raise ValueError(
            explain(
                f"a Keras model in {file}",
                str(error)[:500].rstrip("."),
                "copy or export the version again; layers of your own must be "
                "registered and imported before",
            )
        ) from error


def _file(version, name):
    file = check_version_directory(version) / EXTRA / name
    if not file.is_file():
        raise ValueError(
            explain(
                f"{EXTRA}/{name} beside the version {version}",
                "no such file",
                "copy the whole version, or export it again",
            )
        )
    return file
