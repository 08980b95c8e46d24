"""Frames to TFDS examples and back."""

import importlib

import numpy as np
import pandas as pd

from tf_ctr.errors import explain


def features(tfds, kinds):
    """Returns the TFDS features of columns.

    Args:
        tfds: The module `tensorflow_datasets`, which is not always installed.
        kinds: Per column `"int64"`, `"float64"`, `"str"`, and with `[]` for lists.

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


def examples(frame, start=0):
    """Yields key and example of every row; keys count from `start`."""
    columns = [frame[name].tolist() for name in frame.columns]
    for key, values in enumerate(zip(*columns, strict=True), start):
        yield key, dict(zip(frame.columns, values, strict=True))


def prepared(name, module, kinds) -> pd.DataFrame:
    """Reads a dataset of this folder that TFDS has built, or builds it.

    Args:
        name: Name of the dataset.
        module: The module with its builder.
        kinds: Its columns, as for `features`.

    Returns:
        A frame of the columns; the rows are in no particular order.

    Raises:
        RuntimeError: If TFDS is missing, or finds neither the dataset nor its files.
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
                "give the folder of the files as data_dir or in TF_CTR_DATA; or run "
                "`pip install tensorflow-datasets importlib_resources apache-beam "
                "mlcroissant` (its command needs the last two) and "
                f"`tfds build {name} --imports {module} --manual_dir <that folder>`",
            )
        ) from error
    rows = to_frame(data)
    return pd.DataFrame({n: _decoded(rows[n], kind) for n, kind in kinds.items()})


def to_frame(dataset) -> pd.DataFrame:
    """Returns the examples as a frame: strings as bytes, sequences as lists."""
    # Ragged: padding could not be told from values.
    batches = [
        pd.DataFrame({name: _values(tensor) for name, tensor in batch.items()})
        for batch in dataset.ragged_batch(1 << 16)
    ]
    return pd.concat(batches, ignore_index=True)


def _values(tensor):
    return tensor.to_list() if hasattr(tensor, "to_list") else tensor.numpy()


def _decoded(column, kind):
    if kind == "str":
        return column.str.decode("utf-8").astype("str")
    if kind == "str[]":
        return [[value.decode("utf-8") for value in values] for values in column]
    if kind == "int64[]":
        return [np.array(values, np.int64) for values in column]
    return column.astype(kind)
