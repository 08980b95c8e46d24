"""Loads all reviews of two Amazon categories (2018), with the AutoFT paper's fields.

The published files are gzipped JSON lines; they are read as a stream.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from tf_ctr.datasets.checks import existing_file, require_folder
from tf_ctr.datasets.domains import Splits, TwoDomains
from tf_ctr.errors import check_count, explain
from tf_ctr.features import Categorical, Schema

FIX = (
    "download it from https://nijianmo.github.io/amazon (2018, complete review data) "
    "into a folder amazon-2018/ and give the folder that holds it as data_dir or in "
    "TF_CTR_DATA"
)
KINDS = {
    "reviewerID": "str",
    "asin": "str",
    "vote": "int64",
    "style": "str[]",
    "reviewTime": "str",
    "overall": "float64",
}
REQUIRED = ("reviewerID", "asin", "reviewTime", "overall")
MONTHS = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1))


def load_full(
    data_dir: str | os.PathLike[str] | None = None,
    source: str = "Toys_and_Games",
    target: str = "Video_Games",
    min_count: int = 1,
    seed: int = 0,
) -> TwoDomains:
    """Loads two files of reviews; the label is 1 for a rating above 4.

    Each domain is shuffled and cut 8:1:1.

    Source: AutoFT (arXiv 2106.04873), section 4.1: its fields, label and split. Its
    text names the 5-core sets, but the row counts in its table 2 are those of the
    complete sets; both are published in this format. The paper does not say how it
    encodes the fields: here `vote` is one id per number, `style` a list of ids, and
    `reviewTime` one id per day. Votes are cast after the review, so these fields suit
    a comparison with the paper, not a served model.

    Args:
        data_dir: Folder that holds `amazon-2018/`. `None` reads the environment
            variable `TF_CTR_DATA`.
        source: Category of the source; the file is `<category>.json.gz`.
        target: Category of the target.
        min_count: Users, items and styles with fewer rows share one embedding row.
        seed: Seed of the shuffles.

    Returns:
        The two domains. `overall` is not a feature.

    Raises:
        ValueError: For a wrong argument, or a file in another format.
        FileNotFoundError: If there is no folder, or no such file.
    """
    if source == target:
        raise ValueError(
            explain("two different categories", f"{source!r} twice", "change one")
        )
    check_count("min_count", min_count, 1)
    check_count("seed", seed, 0)
    folder = require_folder(data_dir, "amazon-2018", FIX)
    generators = np.random.default_rng(seed).spawn(2)
    first, second = (
        _split(read_reviews(folder / f"{category}.json.gz"), generator)
        for category, generator in zip((source, target), generators, strict=True)
    )
    fields = [
        Categorical("reviewerID", min_count=min_count),
        Categorical("asin", min_count=min_count),
        Categorical("vote"),
        Categorical("style", multivalent=True, min_count=min_count),
        Categorical("reviewTime"),
    ]
    schema = Schema(fields, label="label", group="reviewerID")
    return TwoDomains.fit("amazon_full", schema, first, second, item="asin")


def _split(rows, generator):
    rows["label"] = (rows["overall"] > 4).astype("int8")
    bounds = [int(0.8 * len(rows)), int(0.9 * len(rows))]
    parts = np.split(generator.permutation(len(rows)), bounds)
    return Splits(*(rows.iloc[part].reset_index(drop=True) for part in parts))


def read_reviews(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Returns all reviews of a file as one frame; see `chunks`."""
    return pd.concat(chunks(path), ignore_index=True)


def chunks(path: str | os.PathLike[str], rows: int = 100_000) -> Iterator[pd.DataFrame]:
    """Yields the reviews of a file in frames of at most `rows` rows.

    Text, summary and name are dropped.

    Args:
        path: The file, e.g. `Toys_and_Games.json.gz`.
        rows: Lines per frame.

    Yields:
        Frames with the columns `KINDS`. `vote` is 0 where it is missing; `style`
        holds texts such as `"Color: Red"`; `reviewTime` reads `"2014-09-20"`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: For a line in another format (the message has its number), a
            broken archive, or an empty file.
    """
    path = existing_file(path, FIX)
    records, number = [], 0
    styles: dict[tuple[str, ...], tuple[str, ...]] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                records.append(_record(line, number, path, styles))
                if len(records) == rows:
                    yield _frame(records)
                    records = []
    except (EOFError, UnicodeDecodeError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            explain(
                f"a complete gzip file of UTF-8 text in {path}",
                f"after line {number}: {error}",
                "download it again",
            )
        ) from error
    if not number:
        raise ValueError(explain(f"reviews in {path}", "no line", "download it again"))
    if records:
        yield _frame(records)


def _frame(records):
    frame = pd.DataFrame(records, columns=list(KINDS))
    return frame.astype({n: kind for n, kind in KINDS.items() if "[]" not in kind})


def _record(line, number, path, styles):
    try:
        review = json.loads(line)
        missing = [name for name in REQUIRED if name not in review]
        if missing:
            raise ValueError(f"no {missing}")
        style = tuple(_styles(review.get("style")))
        return (
            _text(review, "reviewerID"),
            _text(review, "asin"),
            _votes(review.get("vote")),
            # Many reviews share few styles: keep each tuple once.
            styles.setdefault(style, style),
            _date(review["reviewTime"]),
            _rating(review["overall"]),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            explain(
                f"one JSON object per line with {', '.join(REQUIRED)} in {path}",
                f"line {number}: {error} in {line[:200].rstrip()!r}",
                "download the file again, or remove the line",
            )
        ) from error


def _text(review, name):
    value = review[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} {value!r}")
    return value


def _votes(vote):
    """Returns the number in `"1,234"`; reviews without votes lack the field."""
    return 0 if vote is None else int(str(vote).replace(",", ""))


def _styles(style):
    """Yields `"Color: Red"` for `{"Color:": " Red"}`."""
    for name, value in (style or {}).items():
        yield f"{name.strip().rstrip(':')}: {str(value).strip()}"


def _date(text):
    """Returns `"2014-09-02"` for `"09 2, 2014"`."""
    month, day, year = (int(part) for part in text.replace(",", "").split())
    if not 1 <= day <= MONTHS.get(month, 0) or not 1990 <= year <= 2100:
        raise ValueError(f"reviewTime {text!r}")
    return f"{year}-{month:02d}-{day:02d}"


def _rating(value):
    if isinstance(value, bool) or not 1 <= value <= 5:
        raise ValueError(f"overall {value!r}")
    return float(value)
