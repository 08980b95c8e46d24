"""The file of the Avazu challenge as splits of impressions."""

import os
import pathlib

import pandas as pd
import pyarrow as pa

from tf_ctr.datasets.checks import log_file
from tf_ctr.datasets.split_log import SplitLog, by_folds
from tf_ctr.features import Categorical, Schema
from tf_ctr.rows import rows

IDS = [
    "C1",
    "banner_pos",
    "site_id",
    "site_domain",
    "site_category",
    "app_id",
    "app_domain",
    "app_category",
    "device_id",
    "device_ip",
    "device_model",
    "device_type",
    "device_conn_type",
    *(f"C{i}" for i in range(14, 22)),
]
TIMES = ["hour_of_day", "weekday"]
FIX = (
    "download the Click-Through Rate Prediction challenge of Avazu, put train.gz or "
    "train.csv in a folder avazu/ and pass the folder that holds it as data_dir or "
    "name it in TF_CTR_DATA"
)


def load(
    data_dir: str | os.PathLike[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    min_count: int = 2,
) -> SplitLog:
    """Returns the impressions in the published split Avazu_x4.

    32,343,172 rows to train on, 4,042,897 for validation and 4,042,898 for test, at
    random, with equal click rates; see `tf_ctr.datasets.split_log.by_folds`. The column
    `hour`, e.g. 14102100, becomes the hour of the day and the day of the week; a split
    by time needs it, so it stays a column.

    Args:
        data_dir: The folder that holds `avazu/train.csv` or `avazu/train.gz`, with
            commas and a header. `None` reads the environment variable `TF_CTR_DATA`.
        path: Another file of that format. `None` takes `data_dir`.
        min_count: Values seen less often share the row of unseen ids.

    Returns:
        A `SplitLog` with the label `click`.

    Raises:
        FileNotFoundError: If there is no such file.

    Example:

    >>> load(path="no/train.csv")
    Traceback (most recent call last):
    FileNotFoundError: Expected the file no/train.csv.
    Received: no such file...
    """
    names = [pathlib.Path("avazu", name) for name in ("train.csv", "train.gz")]
    file = log_file(data_dir, path, names[0], FIX, names[1])
    types = {
        "id": pa.string(),
        "click": pa.int8(),
        "hour": pa.int64(),
        **dict.fromkeys(IDS, pa.string()),
    }
    source = rows(file, format="csv", types=types)
    fields = [
        *(Categorical(name, dtype="int64") for name in TIMES),
        *(Categorical(name, dtype="string", min_count=min_count) for name in IDS),
    ]
    splits = by_folds(source, "click", _with_times)
    return SplitLog("avazu", Schema(fields, label="click"), **splits)


def _with_times(frame: pd.DataFrame) -> pd.DataFrame:
    hour = pd.to_datetime("20" + frame["hour"].astype(str), format="%Y%m%d%H")
    return frame.assign(
        hour_of_day=hour.dt.hour.astype("int64"),
        weekday=hour.dt.day_of_week.astype("int64"),
    )
