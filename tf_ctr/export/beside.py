"""What lies beside a version for its owner: the Keras model and the schema."""

import zipfile
import zlib

import keras

from tf_ctr.errors import explain
from tf_ctr.export.meta_graph import check_version_directory
from tf_ctr.features import Schema

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
