"""Loads IAAC (IJCAI-18): ads in shop search, labelled by trades."""

import os

from tf_ctr.datasets.checks import check_pair, require_folder
from tf_ctr.datasets.domains import Splits, TwoDomains
from tf_ctr.datasets.iaac.files import FIX, NUMBERS, from_folder
from tf_ctr.errors import explain
from tf_ctr.features import Categorical, Numeric, Schema

# Female, male, family account.
GENDERS = (0, 1, 2)
CATEGORICAL = (
    *("item_id", "item_brand_id", "item_city_id", "item_price_level"),
    *("item_sales_level", "item_collected_level", "item_pv_level"),
    *("user_id", "user_gender_id", "user_age_level", "user_occupation_id"),
    *("user_star_level", "context_page_id", "hour"),
    *("shop_id", "shop_review_num_level", "shop_star_level"),
)
MULTIVALENT = (
    *("item_category_list", "item_property_list"),
    *("predicted_categories", "predicted_properties"),
)
# In seconds. Days and hours are in China's time zone.
DAY, ZONE = 86_400, 8 * 3600


def load(
    data_dir: str | os.PathLike[str] | None = None, source: int = 0, target: int = 1
) -> TwoDomains:
    """Loads IAAC as two domains by the user's gender; see `load_whole`.

    Args:
        data_dir: As for `load_whole`.
        source: `user_gender_id` of the source domain; 0 is by far the largest.
        target: `user_gender_id` of the target domain.

    Returns:
        The two domains.

    Raises:
        ValueError: For a wrong gender, or a file in another format.
        FileNotFoundError: If there is no folder, or no file.
    """
    check_pair("gender", source, target, GENDERS)
    rows = _read(data_dir)
    splits = (
        _by_day(rows[rows["user_gender_id"] == gender], rows["day"].max())
        for gender in (source, target)
    )
    return TwoDomains.fit("iaac", _schema(), *splits)


def load_whole(
    data_dir: str | os.PathLike[str] | None = None,
) -> tuple[Splits, Schema]:
    """Loads IAAC as one domain; the label is `is_trade`.

    The last day is the test split, and the day before it is for validation.
    `context_id` and `instance_id` only number the rows, so they are not fields.

    Source: APG (arXiv 2203.16218), section 4.1, names the data; fields and split are
    ours.

    Args:
        data_dir: Folder that holds `iaac/`. `None` reads the environment variable
            `TF_CTR_DATA`.

    Returns:
        `Splits`, and the schema fitted on `Splits.train`. `day` counts from 0.

    Raises:
        ValueError: For a file in another format.
        FileNotFoundError: If there is no folder, or no file.
    """
    rows = _read(data_dir)
    splits = _by_day(rows, rows["day"].max())
    return splits, _schema().fit(splits.train)


def _read(data_dir):
    rows = from_folder(require_folder(data_dir, "iaac", FIX))
    local = rows["context_timestamp"] + ZONE
    rows["hour"] = local // 3600 % 24
    rows["day"] = local // DAY - local.min() // DAY
    return rows.sort_values("context_timestamp", kind="stable", ignore_index=True)


def _by_day(rows, last):
    day = rows["day"]
    parts = [
        rows[part].reset_index(drop=True)
        for part in (day < last - 1, day == last - 1, day == last)
    ]
    if not all(map(len, parts)):
        raise ValueError(
            explain(
                "impressions on the last day, on the day before it, and earlier",
                f"days {sorted(day.unique())} of 0 to {last}",
                "take the official file as it is",
            )
        )
    return Splits(*parts)


def _schema():
    fields = [
        *(Categorical(name) for name in CATEGORICAL),
        *(Categorical(name, multivalent=True) for name in MULTIVALENT),
        *(Numeric(name, transform="quantile", num_bins=10) for name in NUMBERS),
    ]
    return Schema(fields, label="is_trade", group="user_id")
