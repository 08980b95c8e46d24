"""A log of one domain in three splits, of any size."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_columns
from tf_ctr.features.columns import labels as read_labels
from tf_ctr.files import replacing
from tf_ctr.rows import Rows, rows
from tf_ctr.rows.parts import located

FOLDS, SEED = 10, 2018
# Rows of a row group: small ones shuffle better.
GROUP_ROWS = 1 << 16


@dataclasses.dataclass(frozen=True)
class SplitLog:
    """A log in three splits, which are read block by block.

    Attributes:
        name: Name of the data set.
        schema: Not fitted: `log.schema.fit(log.train, verbose=1)`.
        train: The rows to train on.
        validation: The rows to choose settings by.
        test: The rows to report metrics of.
    """

    name: str
    schema: Schema
    train: Rows
    validation: Rows
    test: Rows

    def write(self, folder: str | os.PathLike) -> "SplitLog":
        """Writes each split as a Parquet file, which is read many times faster.

        Args:
            folder: The folder of `train.parquet`, `validation.parquet` and
                `test.parquet`; existing files are replaced when they are complete.

        Returns:
            The same log, read from there.

        Raises:
            ValueError: If a split has no row.
        """
        splits = {}
        for name in ("train", "validation", "test"):
            path = pathlib.Path(folder, f"{name}.parquet")
            with replacing(path) as temporary:
                _write(getattr(self, name), name, temporary)
            splits[name] = rows(path)
        return SplitLog(self.name, self.schema, **splits)


def _write(split: Rows, name: str, path: pathlib.Path) -> None:
    writer = None
    try:
        for _, frame in split.frames():
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table.cast(writer.schema), row_group_size=GROUP_ROWS)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise ValueError(
            explain(
                f"rows in the split {name!r}",
                "none",
                "check that the files are whole; a sample needs ten rows per label",
            )
        )


def by_folds(
    source: Rows,
    label: str,
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame,
) -> dict[str, Rows]:
    """Cuts rows into the splits of BARS: 8 of 10 stratified folds to train on.

    The labels are read once, a byte per row. Each split reads all rows and takes its
    own.

    Source: Zhu et al., BARS: Towards Open Benchmarking for Recommender Systems (SIGIR
    2022), the splits Criteo_x4 and Avazu_x4, after AutoInt (CIKM 2019): fold 0 is the
    test, fold 1 the validation, of `stratified_folds`.

    Args:
        source: The rows, in the order of the official file.
        label: The column of the label.
        change: A function of a block of rows, applied to the rows of a split.

    Returns:
        `{"train": ..., "validation": ..., "test": ...}`.

    Raises:
        ValueError: If there is no such column, or a label is not 0 or 1.
    """
    check = functools.partial(check_columns, names=[label])
    labels = []
    for place, frame in source.frames([label], check):
        with located(place):
            labels.append(read_labels(frame, label).astype(np.int8))
    folds = stratified_folds(np.concatenate(labels))

    def split(chosen: Sequence[int]) -> Rows:
        def read() -> Iterator[pd.DataFrame]:
            start = 0
            for _, frame in source.frames():
                own = np.isin(folds[start : start + len(frame)], chosen)
                start += len(frame)
                if own.any():
                    yield change(frame[own].reset_index(drop=True))

        return rows(read)

    return {
        "train": split(range(2, FOLDS)),
        "validation": split([1]),
        "test": split([0]),
    }


def stratified_folds(labels: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Returns the fold of each row, int8 `[B]`, with as many clicks in every fold.

    It is `StratifiedKFold(10, shuffle=True, random_state=seed)` of scikit-learn 0.19.1,
    with which the splits of BARS were made: the rows of each label are shuffled and cut
    into ten parts. Newer releases assign other rows.

    Args:
        labels: Labels 0 or 1, `[B]`.
        seed: The seed.

    Example:

    >>> import numpy as np
    >>> np.bincount(stratified_folds(np.array([0, 1] * 10)))
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    generator = np.random.RandomState(seed)  # That of the published.
    folds = np.empty(len(labels), np.int8)
    for label in np.unique(labels):
        of_label = np.flatnonzero(labels == label)
        order = np.arange(max(len(of_label), FOLDS))
        generator.shuffle(order)
        for fold, part in enumerate(np.array_split(order, FOLDS)):
            folds[of_label[part[part < len(of_label)]]] = fold
    return folds
