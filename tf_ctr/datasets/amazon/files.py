"""The sample of Amazon interactions as one frame."""

import pathlib

import pandas as pd

from tf_ctr.datasets.checks import read_table

FIX = (
    "put interactions.parquet in a folder amazon-toys-games/ and give the folder that "
    "holds it as data_dir or in TF_CTR_DATA; the published reviews are read by "
    "amazon_full"
)
KINDS = {
    "reviewerID": "str",
    "asin": "str",
    "domain": "str",
    "unixReviewTime": "int64",
}


def from_folder(folder) -> pd.DataFrame:
    """Reads `interactions.parquet`: one row per review, all of them positive.

    Args:
        folder: The folder `amazon-toys-games`.

    Returns:
        The frame with the columns `KINDS`.

    Raises:
        ValueError: For a missing column.
        FileNotFoundError: If the file is missing.
    """
    path = pathlib.Path(folder) / "interactions.parquet"
    return read_table(path, KINDS, FIX).astype(KINDS)
