"""The published review files of Amazon 2018: gzipped JSON lines, read as a stream."""

import gzip
import json
import zlib

import pandas as pd

from tf_ctr.datasets.checks import existing_file
from tf_ctr.errors import explain

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


def read_reviews(path) -> pd.DataFrame:
    """Reads a whole file; see `chunks`."""
    return pd.concat(chunks(path), ignore_index=True)


def chunks(path, rows=100_000):
    """Yields the reviews of a file in frames of at most so many rows.

    Text, summary and name are not kept.

    Args:
        path: E.g. `Toys_and_Games.json.gz`.
        rows: Lines per frame.

    Yields:
        Frames with the columns `KINDS`. `vote` is 0 where it is missing; `style`
        holds texts as `"Color: Red"`; `reviewTime` is written `"2014-09-20"`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: For a line of another form, with its number, a broken archive, or
            an empty file.
    """
    path = existing_file(path, FIX)
    records, number, styles = [], 0, {}
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
                "download it anew",
            )
        ) from error
    if not number:
        raise ValueError(explain(f"reviews in {path}", "no line", "download it anew"))
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
            # Few styles for many reviews: each is kept once.
            styles.setdefault(style, style),
            _date(review["reviewTime"]),
            _rating(review["overall"]),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            explain(
                f"one JSON object per line with {', '.join(REQUIRED)} in {path}",
                f"line {number}: {error} in {line[:200].rstrip()!r}",
                "download the file anew, or remove the line",
            )
        ) from error


def _text(review, name):
    value = review[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} {value!r}")
    return value


def _votes(vote):
    """A number written as `"1,234"`; without votes there is none."""
    return 0 if vote is None else int(str(vote).replace(",", ""))


def _styles(style):
    """`{"Color:": " Red"}` as `"Color: Red"`."""
    for name, value in (style or {}).items():
        yield f"{name.strip().rstrip(':')}: {str(value).strip()}"


def _date(text):
    """`"09 2, 2014"` as `"2014-09-02"`."""
    month, day, year = (int(part) for part in text.replace(",", "").split())
    if not 1 <= day <= MONTHS.get(month, 0) or not 1990 <= year <= 2100:
        raise ValueError(f"reviewTime {text!r}")
    return f"{year}-{month:02d}-{day:02d}"


def _rating(value):
    if isinstance(value, bool) or not 1 <= value <= 5:
        raise ValueError(f"overall {value!r}")
    return float(value)
