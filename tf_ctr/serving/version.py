"""A version on disk: its graph and signatures, its SavedModel, its model and schema."""

import os
import pathlib
from typing import Any

import keras
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.files import DamagedError
from tf_ctr.files.models import load_model
from tf_ctr.serving.sealing import EXTRA, checking

INIT_OP = "__saved_model_init_op"

# Of a row by the schema of a version, which may be a stranger's.
MOST_VALUES = 2**20

# What TensorFlow raises for files that are missing, cut short or exchanged.
DAMAGE = (tf.errors.OpError, OSError, RuntimeError, ValueError, TypeError, LookupError)


def check_version_directory(version: str | os.PathLike) -> pathlib.Path:
    """Returns `version` as a path.

    Raises:
        ValueError: Unless it is a directory with a `saved_model.pb`.
    """
    version = pathlib.Path(version)
    if (version / "saved_model.pb").is_file():
        return version
    fix = (
        "pass one such as savedmodels/dcn/1; if it is half-written, copy or export it "
        "again"
    )
    if not version.exists():
        received = f"{version}, which does not exist"
    elif not version.is_dir():
        received = f"{version}, which is a file"
    else:
        names = sorted(path.name for path in version.iterdir())
        received = f"{version}, which holds {names or 'nothing'}"
        numbers = [int(each) for each in names if each.isdecimal()]
        if numbers:
            fix = f"pass one of its versions, such as {version / str(max(numbers))}"
    raise ValueError(
        explain("a version directory, with a saved_model.pb", received, fix)
    )


# The graph, read without running anything.


def read_meta_graph(version: str | os.PathLike) -> meta_graph_pb2.MetaGraphDef:
    """Returns the `MetaGraphDef` that the server loads, the one tagged `serve`.

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


def signatures(
    meta_graph: meta_graph_pb2.MetaGraphDef,
) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Returns `{name: SignatureDef}` of the signatures that can be called."""
    found = dict(meta_graph.signature_def)
    return {name: found[name] for name in sorted(found) if name != INIT_OP}


def signature(
    meta_graph: meta_graph_pb2.MetaGraphDef, name: str
) -> meta_graph_pb2.SignatureDef:
    """Returns the signature called `name`.

    Raises:
        ValueError: If there is none, with the names there are.
    """
    found = signatures(meta_graph)
    check_name("signature", name, found)
    return found[name]


def shape(info: meta_graph_pb2.TensorInfo) -> tuple[int | None, ...] | None:
    """Returns the shape of a tensor, with `None` for an open size or rank."""
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if d.size < 0 else d.size for d in info.tensor_shape.dim)


# The SavedModel, and what lies beside it.


def load_saved_model(version: str | os.PathLike) -> Any:
    """Returns `tf.saved_model.load(version)`, on the CPU, with its files checked.

    Args:
        version: A version directory.

    Raises:
        ValueError: If it holds no SavedModel, one that cannot be loaded, or one that is
            not as it was written.

    Example:

    >>> load_saved_model("savedmodels/no-such-model/1")
    Traceback (most recent call last):
    ValueError: Expected a version directory, with a saved_model.pb...
    """
    version = check_version_directory(version)
    try:
        # On the CPU: products of a GPU are of reduced precision.
        with checking(version), tf.device("/CPU:0"):
            return tf.saved_model.load(str(version))
    except DamagedError:
        raise
    except DAMAGE as error:
        raise damaged(version, error) from error


def damaged(version: str | os.PathLike, error: Exception) -> ValueError:
    """Returns the exception for a version that TensorFlow cannot load."""
    return ValueError(
        explain(
            "a SavedModel that can be loaded",
            f"{version}: {str(error)[:500].rstrip('.')}",
            "export or copy the version again",
        )
    )


def load_schema(version: str | os.PathLike) -> Schema:
    """Returns the schema of a version.

    Args:
        version: A version directory.

    Raises:
        ValueError: If the version has no schema, it cannot be read, or a row of it has
            more values than memory should hold.
    """
    file = _beside(version, "schema.json")
    schema = Schema.load(file)
    values = sum(field.width for field in schema.fields)
    if values > MOST_VALUES:
        raise ValueError(
            explain(
                f"at most {MOST_VALUES:,} values in a row of {file}",
                f"{values:,}, by the lengths of its lists",
                "do not use this version, unless you trust those who wrote it",
            )
        )
    return schema


def load_served(version: str | os.PathLike) -> keras.Model:
    """Returns the Keras model whose scores a version serves.

    Args:
        version: A version directory.

    Raises:
        ValueError: If the version has no model, one that cannot be read, or one that is
            not as it was written.
    """
    extra = check_version_directory(version) / EXTRA
    # Only there if the version serves other scores than those of model.keras.
    name = "served.keras" if (extra / "served.keras").exists() else "model.keras"
    file = _beside(version, name)
    with checking(version, [f"{EXTRA}/{name}"]):
        return load_model(file, compile=False)


def _beside(version, name):
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
