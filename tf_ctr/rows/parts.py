"""Parts of rows: what is read at a time, and named in errors."""

import abc
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset

from tf_ctr.errors import explain
from tf_ctr.rows.filtering import explaining_filter

# Few enough rows that a block stays in the cache, enough that Python costs little.
BLOCK_ROWS = 1 << 16

Columns = Sequence[str] | None


class Part(abc.ABC):
    """Some of the rows of a source, all of the same types.

    Attributes:
        place: Where they are, for errors, e.g. `"log/a.parquet, row group 3"`.
        count: Their number; `None` if reading them all is the only way to know.
        is_text: Whether the cells are text, so that only reading tells their types.
    """

    place: str = ""
    count: int | None = None
    is_text = False

    @property
    @abc.abstractmethod
    def schema(self) -> pa.Schema:
        """The names and types of the columns."""

    @abc.abstractmethod
    def batches(self, columns: Columns = None) -> Iterator[pa.RecordBatch]:
        """Yields the rows; of the given columns only, unless they are `None`."""

    def header(self) -> pd.DataFrame:
        """Returns a frame with the columns of the part, and no rows."""
        return to_frame(self.schema.empty_table())

    def frames(self, columns: Columns = None) -> Iterator[pd.DataFrame]:
        """Yields the rows as frames that share the memory of the batches."""
        for batch in self.batches(columns):
            yield to_frame(pa.Table.from_batches([batch]))

    def counted(self) -> int:
        """Returns the number of rows, by reading them if need be."""
        if self.count is not None:
            return self.count
        return sum(batch.num_rows for batch in self.batches())

    def extent(self, column: str) -> tuple[Any, Any, int] | None:
        """Returns the least and greatest value of a column and its number of nulls.

        `None` if they are not known without reading the rows.
        """
        return None


class FramePart(Part):
    """The rows of a pandas frame, which are never copied."""

    def __init__(self, frame: pd.DataFrame):
        self._frame = frame
        self.count = len(frame)

    @property
    def schema(self) -> pa.Schema:
        """The types that Arrow gives the columns."""
        return pa.Schema.from_pandas(self._frame, preserve_index=False)

    def header(self) -> pd.DataFrame:
        """Returns the frame without its rows."""
        return self._frame[:0]

    def batches(self, columns: Columns = None) -> Iterator[pa.RecordBatch]:
        """Yields the rows as record batches."""
        for frame in self.frames(columns):
            yield pa.RecordBatch.from_pandas(frame, preserve_index=False)

    def frames(self, columns: Columns = None) -> Iterator[pd.DataFrame]:
        """Yields blocks of the frame."""
        for start in range(0, len(self._frame), BLOCK_ROWS):
            block = self._frame.iloc[start : start + BLOCK_ROWS]
            yield block if columns is None else block[[*columns]]


class TablePart(Part):
    """The rows of an Arrow table."""

    def __init__(self, table: pa.Table, filter: pa.dataset.Expression | None = None):
        with explaining_filter(table.schema):
            self._table = table if filter is None else table.filter(filter)
        self.count = self._table.num_rows

    @property
    def schema(self) -> pa.Schema:
        """The schema of the table."""
        return self._table.schema

    def batches(self, columns: Columns = None) -> Iterator[pa.RecordBatch]:
        """Yields the rows of the table."""
        chosen = self._table if columns is None else self._table.select(columns)
        yield from chosen.to_batches(max_chunksize=BLOCK_ROWS)


class Stream:
    """Frames, tables or record batches, one after another, as parts.

    Args:
        source: An iterable of them, or a function that returns one.
        filter: Rows to keep; `None` keeps all.
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Any],
        filter: pa.dataset.Expression | None = None,
    ):
        self._source, self._filter = source, filter
        self._used = False

    def parts(self) -> Iterator[Part]:
        """Yields the parts.

        Raises:
            ValueError: If the source is an iterator that was read before.
            TypeError: If it yields anything else.
        """
        source = self._source() if callable(self._source) else self._source
        if (whole := part_of(source, self._filter)) is not None:
            yield whole
            return
        if not isinstance(source, Iterable):
            raise TypeError(_unknown_chunk(source))
        if not callable(self._source) and isinstance(source, Iterator):
            self._check_unused()
        for index, chunk in enumerate(source):
            part = part_of(chunk, self._filter)
            if part is None:
                raise TypeError(_unknown_chunk(chunk))
            part.place = f"item {index} of the iterator"
            yield part

    def _check_unused(self):
        if self._used:
            raise ValueError(
                explain(
                    "rows that can be read again",
                    "an iterator that was read already, of which no row is left",
                    "pass a path, a list, or a function that returns a new iterator: "
                    "rows(lambda: batches(path))",
                )
            )
        self._used = True


def part_of(data: Any, filter: pa.dataset.Expression | None = None) -> Part | None:
    """Returns the part of a frame or table of any library; `None` for other values."""
    if isinstance(data, pd.DataFrame):
        if filter is None:
            return FramePart(data)
        return TablePart(pa.Table.from_pandas(data, preserve_index=False), filter)
    if isinstance(data, pa.RecordBatch):
        return TablePart(pa.Table.from_batches([data]), filter)
    # Polars, DuckDB and others hand their rows over by Arrow's C interface, and so does
    # a reader, which is an iterator.
    if not isinstance(data, Iterator) and hasattr(data, "__arrow_c_stream__"):
        table = pa.table(data)
        columns = {name: _plain(table[name]) for name in table.column_names}
        return TablePart(pa.table(columns), filter)
    return None


@contextlib.contextmanager
def located(place: str) -> Iterator[None]:
    """Adds the place of the rows to the message of an error about them.

    To the message and not as a note, because TensorFlow drops notes.

    Args:
        place: The `place` of a part; nothing is added for `""`.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if place and len(error.args) == 1:
            error.args = (f"{error.args[0]}\nIn {place}.",)
        raise


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Returns a frame that shares the memory of an Arrow table."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in types that pandas can hold: Polars has strings as views."""
    kind = column.type
    if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type):
        chunks = (
            each.dictionary.cast(pa.large_string()).take(each.indices)
            for each in column.chunks
        )
        return pa.chunked_array(chunks, pa.large_string())
    return column.cast(_plain_type(kind))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.large_list(_plain_type(kind.value_type))
    return kind


def _unknown_chunk(chunk):
    return explain(
        "frames, tables or record batches",
        f"{type(chunk).__name__} {str(chunk)[:60]!r}",
        "pass a pandas.DataFrame, a pyarrow.Table, or an iterable of these",
    )
