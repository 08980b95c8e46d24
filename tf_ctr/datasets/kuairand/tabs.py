"""KuaiRand-Pure as two domains: two tabs of the app, or natural and ad videos."""

import os
from typing import Literal

from tf_ctr.datasets.checks import check_pair
from tf_ctr.datasets.domains import Splits, TwoDomains
from tf_ctr.datasets.kuairand import rows as kuairand_rows
from tf_ctr.datasets.kuairand.rows import NUM_DAYS
from tf_ctr.datasets.periods import Periods, daily
from tf_ctr.errors import check_count, check_name, explain

TABS = tuple(range(15))
VIDEO_TYPES = ("NORMAL", "AD")
SPLITS = ("chronological", "random")


def load(
    data_dir: str | os.PathLike[str] | None = None,
    source_tab: int = 1,
    target_tab: int = 0,
    split: Literal["chronological", "random"] = "chronological",
    test_days: int = 2,
    encrypted: bool = True,
    seed: int = 0,
) -> TwoDomains:
    """Loads two tabs (scenarios) of the app; the label is `is_click`.

    The fields are the features of user and video, hour and weekday, and `history`. A
    history starts with the videos that the user watched for long before the log begins,
    and continues with those that the user clicked strictly earlier in any tab. For the
    former no clicks are known, but within the log 99.6 % of the long views are clicks.
    No column that is only known after the impression is read.

    A chronological split is by days. Its histories also hold earlier clicks from
    held-out days, because a server would know them. A random split shuffles all rows
    and cuts them 8:1:1 before the tabs are chosen. Its histories hold clicks of
    training rows only, so that no held-out label becomes a feature.

    Source: KuaiRand (arXiv 2208.08696). Splits and pairs of tabs are ours.

    Args:
        data_dir: Folder that holds `kuairand-pure/`. `None` reads the environment
            variable `TF_CTR_DATA`; without it, the loader asks TFDS.
        source_tab: Tab of the source domain; 1 is by far the largest.
        target_tab: Tab of the target domain: 0, 4, 6 and 2 have thousands of rows.
        split: `"chronological"` or `"random"`.
        test_days: The number of last days for the test split, 1 to 6; as many days
            before them are for validation. Only for a chronological split.
        encrypted: Whether the 18 encrypted features of users are fields.
        seed: Seed of the random split.

    Returns:
        The two domains. `day` (0 to 13), `time_ms` and `tab` are not features.

    Raises:
        ValueError: For a wrong argument, or files in another format.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_pair("tab", source_tab, target_tab, TABS)
    _check_split(split, test_days, seed)
    rows = kuairand_rows.read(data_dir, split, test_days, seed)
    schema = kuairand_rows.schema(("video_type",), encrypted)
    return _domains("kuairand", rows, schema, "tab", source_tab, target_tab)


def load_ads(
    data_dir: str | os.PathLike[str] | None = None,
    source: Literal["NORMAL", "AD"] = "NORMAL",
    target: Literal["NORMAL", "AD"] = "AD",
    split: Literal["chronological", "random"] = "chronological",
    test_days: int = 2,
    encrypted: bool = True,
    seed: int = 0,
) -> TwoDomains:
    """Loads natural and advertised videos of all tabs as two domains.

    See `load`; here `tab` is a field. There are 220,038 natural impressions and 2,397
    ad impressions, 92 to 1.

    Args:
        data_dir: As for `load`.
        source: Type of the source's videos, `"NORMAL"` or `"AD"`.
        target: Type of the target's videos, the other one.
        split: As for `load`.
        test_days: As for `load`.
        encrypted: As for `load`.
        seed: As for `load`.

    Returns:
        The two domains.

    Raises:
        ValueError: For a wrong argument, or files in another format.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_pair("video type", source, target, VIDEO_TYPES)
    _check_split(split, test_days, seed)
    rows = kuairand_rows.read(data_dir, split, test_days, seed)
    schema = kuairand_rows.schema(("video_type", "tab"), encrypted)
    return _domains("kuairand_ads", rows, schema, "video_type", source, target)


def load_periods(
    data_dir: str | os.PathLike[str] | None = None,
    source_tab: int = 1,
    target_tab: int = 0,
    fit_days: int = 7,
    encrypted: bool = True,
) -> Periods:
    """Loads two tabs as 14 frames each, one per day.

    Args:
        data_dir: As for `load`.
        source_tab: As for `load`.
        target_tab: As for `load`.
        fit_days: The number of first days to fit the schema on.
        encrypted: As for `load`.

    Returns:
        The `Periods`.

    Raises:
        ValueError: For a wrong argument, or files in another format.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_count("fit_days", fit_days, 1)
    data = load(data_dir, source_tab, target_tab, encrypted=encrypted)
    return daily(data, fit_days)


def _check_split(split, test_days, seed):
    check_name("split", split, SPLITS)
    check_count("test_days", test_days, 1, (NUM_DAYS - 1) // 2)
    check_count("seed", seed, 0)


def _domains(name, rows, schema, column, source, target):
    domains = []
    for value in (source, target):
        own = rows[rows[column] == value].drop(
            columns=["long_watched", "long_watched_until"]
        )
        parts = [own[own["split"] == i].drop(columns="split") for i in range(3)]
        if not all(map(len, parts)):
            raise ValueError(
                explain(
                    f"rows of {column} {value!r} in training, validation and test",
                    f"{[len(part) for part in parts]} rows",
                    f"choose one of the frequent ones: "
                    f"{rows[column].value_counts().head(5).to_dict()}",
                )
            )
        domains.append(Splits(*(part.reset_index(drop=True) for part in parts)))
    return TwoDomains.fit(name, schema, *domains, item="video_id")
