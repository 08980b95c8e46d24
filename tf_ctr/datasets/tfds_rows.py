"""Converts frames to TensorFlow Datasets (TFDS) examples and back.

TFDS is an optional package; only the builders in `*/tfds.py` import it at module level.
"""

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tf_ctr.errors import explain

if TYPE_CHECKING:
    import tensorflow as tf

INSTALL = "pip install tensorflow-datasets importlib_resources"


def features(tfds: ModuleType, kinds: Mapping[str, str]) -> Any:
    """Returns the TFDS features of columns.

    Args:
        tfds: The module `tensorflow_datasets`.
        kinds: The kind of every column: `"int64"`, `"float64"` or `"str"`, followed
            by `[]` for lists.

    Returns:
        A `tfds.features.FeaturesDict`.
    """

    def feature(kind):
        if kind.endswith("[]"):
            return tfds.features.Sequence(feature(kind.removesuffix("[]")))
        if kind == "str":
            return tfds.features.Text()
        return tfds.features.Scalar(np.dtype(kind))

    return tfds.features.FeaturesDict(
        {name: feature(kind) for name, kind in kinds.items()}
    )


def examples(
    frame: pd.DataFrame, start: int = 0
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the key and the example of every row; keys count from `start`."""
    columns = [frame[name].tolist() for name in frame.columns]
    for key, values in enumerate(zip(*columns, strict=True), start):
        yield key, dict(zip(frame.columns, values, strict=True))


def prepared(name: str, module: str, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Reads a data set of this package from TFDS, which builds it if needed.

    Args:
        name: Name of the TFDS data set.
        module: The module of its builder.
        kinds: Its columns, as for `features`.

    Returns:
        A frame of these columns; the rows are in no particular order.

    Raises:
        RuntimeError: If TFDS is missing, or finds neither the data set nor its files.
    """
    try:
        import tensorflow_datasets as tfds

        importlib.import_module(module)
        data = tfds.load(name, split="train")
    # TFDS asserts that the manual folder exists.
    except (ImportError, OSError, AssertionError) as error:
        raise RuntimeError(
            explain(
                f"TFDS to provide {name}, since neither data_dir nor TF_CTR_DATA is "
                "given",
                f"{type(error).__name__}: {error}",
                "pass the folder that holds the files as data_dir, or name it in "
                f"TF_CTR_DATA; or run `{INSTALL} apache-beam mlcroissant` (the command "
                f"`tfds` needs the last two) and `tfds build {name} --imports {module} "
                "--manual_dir <that folder>`",
            )
        ) from error
    rows = to_frame(data)
    return pd.DataFrame({n: _decoded(rows[n], kind) for n, kind in kinds.items()})


def to_frame(dataset: "tf.data.Dataset") -> pd.DataFrame:
    """Returns the examples as a frame: strings as bytes, sequences as lists."""
    # Ragged, because padding could not be distinguished from values.
    batches = [
        pd.DataFrame(
            {
                name: tensor.to_list() if hasattr(tensor, "to_list") else tensor.numpy()
                for name, tensor in batch.items()
            }
        )
        for batch in dataset.ragged_batch(1 << 16)
    ]
    return pd.concat(batches, ignore_index=True)


def _decoded(column, kind):
    if kind == "str":
        return column.str.decode("utf-8").astype("str")
    if kind == "str[]":
        return [[value.decode("utf-8") for value in values] for values in column]
    if kind == "int64[]":
        return [np.array(values, np.int64) for values in column]
    return column.astype(kind)
