"""The files of Ali_Display_Ad_Click as splits of impressions."""

import os
import pathlib
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from tf_ctr.datasets.checks import log_file
from tf_ctr.datasets.split_log import SplitLog
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.rows import Rows, rows

LOG, ADS, USERS = "raw_sample.csv", "ad_feature.csv", "user_profile.csv"
FIX = (
    "download Ali_Display_Ad_Click of Taobao, put raw_sample.csv, ad_feature.csv and "
    "user_profile.csv in a folder taobao-ads/ and pass the folder that holds it as "
    "data_dir or name it in TF_CTR_DATA"
)
OF_AD = ["cate_id", "campaign_id", "customer", "brand"]
OF_USER = [
    "cms_segid",
    "cms_group_id",
    "final_gender_code",
    "age_level",
    "pvalue_level",
    "shopping_level",
    "occupation",
    "new_user_class_level",
]
# 2017-05-12 and 2017-05-13 at midnight in China, in seconds.
LAST_BUT_ONE, LAST = 1_494_518_400, 1_494_604_800


def load(
    data_dir: str | os.PathLike[str] | None = None, min_count: int = 2
) -> SplitLog:
    """Returns the impressions with their advertisements and users, split by days.

    The data set is published with 2017-05-06 to 05-12 to train on and 05-13 as test.
    Here 05-12 is the validation; to report numbers of that split, train on both.

    Args:
        data_dir: The folder that holds `taobao-ads/`, with the files `raw_sample.csv`,
            `ad_feature.csv` and `user_profile.csv`. The last two are held in memory.
            `None` reads the environment variable `TF_CTR_DATA`.
        min_count: Ids seen less often share the row of unseen ids.

    Returns:
        A `SplitLog` with the label `clk`, the group `user`, and the column
        `time_stamp`.

    Raises:
        FileNotFoundError: If a file is missing.

    Example:

    >>> load("no")
    Traceback (most recent call last):
    FileNotFoundError: Expected the file no/taobao-ads/raw_sample.csv.
    Received: no such file...
    """
    files = [
        log_file(data_dir, None, pathlib.Path("taobao-ads", name), FIX)
        for name in (LOG, ADS, USERS)
    ]
    log = rows(files[0], types={"pid": pa.string()})
    ads = _without_null(rows(files[1]).to_pandas().rename(columns=str.strip))
    users = rows(files[2]).to_pandas().rename(columns=str.strip)
    users = users.rename(columns={"userid": "user"})

    def split(first: int, end: int) -> Rows:
        def read() -> Iterator[pd.DataFrame]:
            for _, frame in log.frames():
                own = frame[frame["time_stamp"].between(first, end - 1)]
                if len(own):
                    joined = own.merge(ads, on="adgroup_id", how="left")
                    joined = joined.merge(users, on="user", how="left")
                    # A user without a profile has missing values, which need a type
                    # that is the same in every block.
                    whole = dict.fromkeys([*OF_AD, *OF_USER], "Int64")
                    yield joined.astype(whole)

        return rows(read)

    ids = ["user", "adgroup_id", *OF_AD, *OF_USER]
    fields = [
        *(Categorical(name, dtype="int64", min_count=min_count) for name in ids),
        Categorical("pid", dtype="string"),
        Numeric("price", transform="log"),
    ]
    return SplitLog(
        "taobao",
        Schema(fields, label="clk", group="user"),
        train=split(0, LAST_BUT_ONE),
        validation=split(LAST_BUT_ONE, LAST),
        test=split(LAST, 1 << 40),
    )


def _without_null(ads: pd.DataFrame) -> pd.DataFrame:
    # The file has NULL in place of an unknown brand, so that Arrow reads text.
    ids = {name: pd.to_numeric(ads[name].where(ads[name] != "NULL")) for name in OF_AD}
    return ads.assign(**ids)
