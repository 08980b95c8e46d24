"""KuaiRand-Pure: short videos in several scenarios (tabs), natural and advertised."""

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
    data_dir=None,
    source_tab=1,
    target_tab=0,
    split="chronological",
    test_days=2,
    encrypted=True,
    seed=0,
) -> TwoDomains:
    """Loads two scenarios of the app; the label is `is_click`.

    Fields are the user's and the video's features, hour and weekday, and `history`:
    the videos that the user clicked strictly earlier in any tab, after those that he
    watched long before the log starts, whose clicks are not given (in the log, 99.6 %
    of the long views are clicks). No column known after the impression is read.

    A chronological split is by days, and its histories hold earlier clicks of
    held-out days, too, as a server would know them. A random split shuffles all rows
    and cuts them 8:1:1 before the tabs are chosen; its histories hold clicks of
    training rows only, so that no held-out label becomes a feature.

    Source: KuaiRand (arXiv 2208.08696). Splits and pairs of tabs are ours.

    Args:
        data_dir: Folder that holds `kuairand-pure/`. `None` takes the environment
            variable `TF_CTR_DATA`; without it, what TFDS has prepared.
        source_tab: Tab of the source domain; 1 is by far the largest.
        target_tab: Tab of the target domain: 0, 4, 6 and 2 have thousands of rows.
        split: `"chronological"` or `"random"`.
        test_days: Of a chronological split, the last days, and as many before them
            for validation; 1 to 6.
        encrypted: Whether the 18 encrypted features of users are fields.
        seed: Of the random split.

    Returns:
        The two domains. `day` (0 to 13), `time_ms` and `tab` are no features.

    Raises:
        ValueError: For a wrong argument, or files of another form.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_pair("tab", source_tab, target_tab, TABS)
    _check(split, test_days, seed)
    rows = kuairand_rows.read(data_dir, split, test_days, seed)
    schema = kuairand_rows.schema(("video_type",), encrypted)
    return _domains("kuairand", rows, schema, "tab", source_tab, target_tab)


def load_ads(
    data_dir=None,
    source="NORMAL",
    target="AD",
    split="chronological",
    test_days=2,
    encrypted=True,
    seed=0,
) -> TwoDomains:
    """Loads natural and advertised videos of all tabs as two domains.

    See `load`; `tab` is a field here. There are 220,038 natural impressions and 2,397
    of ads, 92 to 1.

    Args:
        data_dir: As for `load`.
        source: Type of the source's videos, `"NORMAL"` or `"AD"`.
        target: Type of the target's, the other one.
        split: As for `load`.
        test_days: As for `load`.
        encrypted: As for `load`.
        seed: As for `load`.

    Returns:
        The two domains.

    Raises:
        ValueError: For a wrong argument, or files of another form.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_pair("video type", source, target, VIDEO_TYPES)
    _check(split, test_days, seed)
    rows = kuairand_rows.read(data_dir, split, test_days, seed)
    schema = kuairand_rows.schema(("video_type", "tab"), encrypted)
    return _domains("kuairand_ads", rows, schema, "video_type", source, target)


def load_periods(
    data_dir=None, source_tab=1, target_tab=0, fit_days=7, encrypted=True
) -> Periods:
    """Loads two scenarios as 14 daily increments each.

    Args:
        data_dir: As for `load`.
        source_tab: As for `load`.
        target_tab: As for `load`.
        fit_days: The first days, whose rows the schema is fitted on.
        encrypted: As for `load`.

    Returns:
        The `Periods`.

    Raises:
        ValueError: For a wrong argument, or files of another form.
        FileNotFoundError: If `data_dir` lacks a file.
        RuntimeError: If there is no folder and TFDS has nothing prepared.
    """
    check_count("fit_days", fit_days, 1)
    data = load(data_dir, source_tab, target_tab, encrypted=encrypted)
    return daily(data, fit_days)


def _check(split, test_days, seed):
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
