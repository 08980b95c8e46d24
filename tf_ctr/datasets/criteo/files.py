"""The file of the Criteo challenge as splits of impressions."""

import os
import pathlib

import pyarrow as pa

from tf_ctr.datasets.checks import log_file, starts_with
from tf_ctr.datasets.split_log import SplitLog, by_folds
from tf_ctr.features import Categorical, Numeric, Schema
from tf_ctr.rows import rows

NUMBERS = [f"I{i}" for i in range(1, 14)]
IDS = [f"C{i}" for i in range(1, 27)]
COLUMNS = ["label", *NUMBERS, *IDS]
FIX = (
    "download the Display Advertising Challenge of Criteo, put train.txt in a folder "
    "criteo/ and pass the folder that holds it as data_dir or name it in TF_CTR_DATA"
)


def load(
    data_dir: str | os.PathLike[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    min_count: int = 10,
) -> SplitLog:
    """Returns the impressions in the published split Criteo_x4.

    36,672,493 rows to train on, and 4,584,062 each for validation and test, at random,
    with equal click rates; see `tf_ctr.datasets.split_log.by_folds`. Counts are
    standardised after a logarithm, because most are 0 and some are in the millions.

    Args:
        data_dir: The folder that holds `criteo/train.txt`: tab-separated, without a
            header. `None` reads the environment variable `TF_CTR_DATA`.
        path: Another file: this one, or one with commas and a header, such as DeepCTR's
            sample. `None` takes `data_dir`.
        min_count: Values seen less often share the row of unseen ids.

    Returns:
        A `SplitLog` with the label `label` and the fields `I1` to `I13`, `C1` to `C26`.

    Raises:
        FileNotFoundError: If there is no such file.

    Example:

    >>> load(path="no/train.txt")
    Traceback (most recent call last):
    FileNotFoundError: Expected the file no/train.txt.
    Received: no such file...
    """
    file = log_file(data_dir, path, pathlib.Path("criteo", "train.txt"), FIX)
    types = {
        "label": pa.int8(),
        **dict.fromkeys(NUMBERS, pa.float64()),
        **dict.fromkeys(IDS, pa.string()),
    }
    if starts_with(file, "label"):
        source = rows(file, format="csv", types=types)
    else:
        source = rows(file, format="tsv", column_names=COLUMNS, types=types)
    fields = [
        *(Numeric(name, transform="log") for name in NUMBERS),
        *(Categorical(name, dtype="string", min_count=min_count) for name in IDS),
    ]
    schema = Schema(fields, label="label")
    return SplitLog("criteo", schema, **by_folds(source, "label"))
