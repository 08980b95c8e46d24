"""The official training file of IJCAI-18 (IAAC) as one frame."""

import csv
import os
import pathlib

import numpy as np
import pandas as pd

from tf_ctr.datasets.checks import existing_file
from tf_ctr.errors import explain

FILE = "round1_ijcai_18_train_20180301.txt"
FIX = (
    f"unpack {FILE} of https://tianchi.aliyun.com/dataset/147588 into a folder iaac/ "
    "and pass the folder that holds it as data_dir or name it in TF_CTR_DATA"
)
LISTS = ("item_category_list", "item_property_list", "predict_category_property")
NUMBERS = (
    "shop_review_positive_rate",
    "shop_score_service",
    "shop_score_delivery",
    "shop_score_description",
)
COLUMNS = (
    *("instance_id", "item_id", "item_category_list", "item_property_list"),
    *("item_brand_id", "item_city_id", "item_price_level", "item_sales_level"),
    *("item_collected_level", "item_pv_level", "user_id", "user_gender_id"),
    *("user_age_level", "user_occupation_id", "user_star_level", "context_id"),
    *("context_timestamp", "context_page_id", "predict_category_property"),
    *("shop_id", "shop_review_num_level", "shop_review_positive_rate"),
    *("shop_star_level", "shop_score_service", "shop_score_delivery"),
    *("shop_score_description", "is_trade"),
)


def from_folder(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads the file: one impression per line, values separated by spaces.

    In the file, -1 stands for a missing value.

    Args:
        folder: The folder `iaac`.

    Returns:
        One row per impression with the columns of the file. The columns `NUMBERS` are
        float64, with NaN for missing values; lists are arrays of int64; all others are
        int64. `predict_category_property` becomes two lists, `predicted_categories`
        and `predicted_properties`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: For another header, a line with another number of values, or a
            value that is not a number; the message has the number of the line.
    """
    path = existing_file(pathlib.Path(folder) / FILE, FIX)
    _check_lines(path)
    # Read as strings, because one bad value would make pandas read the integers of a
    # column as floats, which cannot hold 64-bit ids.
    text = pd.read_csv(
        path, sep=" ", dtype="str", keep_default_na=False, quoting=csv.QUOTE_NONE
    )
    columns = {name: _convert(text[name], path) for name in COLUMNS if name != LISTS[2]}
    categories, properties = _predictions(text[LISTS[2]], path)
    columns["predicted_categories"] = categories
    columns["predicted_properties"] = properties
    _check(text["is_trade"].isin(["0", "1"]), text["is_trade"], "0 or 1", path)
    return pd.DataFrame(columns)


def _check_lines(path):
    with path.open(encoding="utf-8") as lines:
        header = tuple(next(lines, "").split())
        if header != COLUMNS:
            odd = sorted(set(header) ^ set(COLUMNS)) or "their order"
            raise ValueError(
                explain(
                    f"the {len(COLUMNS)} columns of {FILE} in the first line of {path}",
                    f"{len(header)} columns, different in {odd}",
                    "take the official file as it is",
                )
            )
        number = 1
        for number, line in enumerate(lines, start=2):
            values = line.count(" ") + 1
            if values != len(COLUMNS):
                raise _error(
                    f"{len(COLUMNS)} values separated by spaces", values, number, path
                )
        if number == 1:
            raise ValueError(explain(f"rows in {path}", "none", "unpack it again"))


def _convert(text, path):
    if text.name in NUMBERS:
        values = pd.to_numeric(text, errors="coerce").astype("float64")
        _check(values.notna(), text, "a number", path)
        return values.where(values != -1)
    if text.name in LISTS:
        _check(text.str.fullmatch(r"-?\d+(;-?\d+)*"), text, "integers and `;`", path)
        return _mapped(text, lambda line: _integers(line.split(";")))
    _check(text.str.fullmatch(r"-?\d{1,19}"), text, "an integer", path)
    return text.astype("int64")


def _predictions(text, path):
    """Returns the categories and the properties of `category:property,property;...`."""
    form = r"-1|-?\d+:-?\d+(,-?\d+)*(;-?\d+:-?\d+(,-?\d+)*)*"
    _check(text.str.fullmatch(form), text, "category:property,...;...", path)

    def categories(line):
        return _integers(pair.partition(":")[0] for pair in line.split(";"))

    def properties(line):
        pairs = line.split(";")
        lists = [pair.partition(":")[2].split(",") for pair in pairs]
        return _integers(value for values in lists for value in values)

    return _mapped(text, categories), _mapped(text, properties)


def _integers(texts):
    """Returns each integer once, in order, without those that stand for missing."""
    distinct = [int(text) for text in dict.fromkeys(texts) if text not in ("", "-1")]
    return np.array(distinct, np.int64)


def _mapped(text, convert):
    # Items repeat, so each distinct text is converted once and its list is shared.
    return text.map({line: convert(line) for line in text.unique()})


def _check(valid, text, expected, path):
    wrong = np.flatnonzero(~valid.to_numpy(bool))
    if len(wrong):
        value = f"{text.name} {text.iloc[wrong[0]]!r}"
        raise _error(f"{expected} in {text.name}", value, wrong[0] + 2, path)


def _error(expected, received, number, path):
    return ValueError(
        explain(
            f"{expected} in {path}",
            f"{received} in line {number}",
            "take the official file as it is, or remove the line",
        )
    )
