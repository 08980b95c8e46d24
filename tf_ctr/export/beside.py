"""What lies beside a version for its owner: the Keras model and the schema."""

import keras

from tf_ctr.errors import explain
from tf_ctr.export.meta_graph import check_version_directory
from tf_ctr.features import Schema

EXTRA = "assets.extra"


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
    return keras.saving.load_model(_file(version, name), compile=False)


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
