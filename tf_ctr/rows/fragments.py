"""Reads a file, or a row group of it, through a fragment of `pyarrow.dataset`."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.fs

from tf_ctr.errors import explain
from tf_ctr.rows import parts
from tf_ctr.rows.cells import converted, text_type
from tf_ctr.rows.filtering import UNREADABLE, explaining_filter
from tf_ctr.rows.parts import Columns, Part
from tf_ctr.rows.retrying import retried, retried_rows


@dataclasses.dataclass(frozen=True)
class Text:
    """How CSV files are written; see `tf_ctr.data.rows`."""

    delimiter: str
    column_names: Sequence[str] | None
    separator: str


class FilePart(Part):
    """The rows of a file, or of a row group of a Parquet file."""

    def __init__(
        self,
        fragment: arrow_dataset.Fragment,
        schema: pa.Schema,
        filter: arrow_dataset.Expression | None,
        place: str,
        count: int | None,
    ):
        self._fragment, self._schema, self._filter = fragment, schema, filter
        self.place, self.count = place, count

    @property
    def schema(self) -> pa.Schema:
        """The columns of the file, and those of its folders."""
        return self._schema

    def batches(self, columns: Columns = None) -> Iterator[pa.RecordBatch]:
        """Yields the rows; a reader that loses its connection starts again."""
        names = self._schema.names if columns is None else list(columns)

        def read(given):
            # The same batches in the same order as before.
            batches = self._fragment.to_batches(
                schema=self._schema,
                columns=names,
                filter=self._filter,
                batch_size=parts.BLOCK_ROWS,
                batch_readahead=2,
            )
            for index, batch in enumerate(batches):
                if index >= given:
                    yield batch

        remote = is_remote(self._fragment)
        try:
            for batch in retried_rows(read, self.place, remote):
                if batch.num_rows:
                    yield batch
        except (OSError, *UNREADABLE) as error:
            if isinstance(error, FileNotFoundError) or (
                remote and isinstance(error, OSError)
            ):
                raise
            raise ValueError(damaged(self.place, error)) from error

    def counted(self) -> int:
        """Returns the number of rows, reading only the columns of the filter."""
        if self.count is not None or self.is_text:
            return super().counted()
        scanner = self._fragment.scanner(
            schema=self._schema, columns=[], filter=self._filter
        )
        return retried(scanner.count_rows, self.place, is_remote(self._fragment))

    def extent(self, column: str) -> tuple[Any, Any, int] | None:
        """Returns the statistics of a row group; see `Part.extent`."""
        groups = getattr(self._fragment, "row_groups", None)
        if not groups or column not in (names := self._fragment.physical_schema.names):
            return None
        meta = self._fragment.metadata
        # A nested column has several leaves, so that the places would not agree.
        if meta.num_columns != len(names):
            return None
        index = names.index(column)
        known = meta.row_group(groups[0].id).column(index).statistics
        if known is None or not (known.has_min_max and known.has_null_count):
            return None
        return known.min, known.max, known.null_count


class TextPart(FilePart):
    """The rows of a CSV file, whose cells are converted here."""

    is_text = True

    def __init__(
        self,
        fragment: arrow_dataset.Fragment,
        kinds: pa.Schema,
        filter: arrow_dataset.Expression | None,
        text: Text,
    ):
        read = {field.name: text_type(field.type) for field in kinds}
        physical = pa.schema(list(read.items()))
        super().__init__(fragment, physical, None, fragment.path, None)
        self._kinds, self._kept, self._text = kinds, filter, text

    @property
    def schema(self) -> pa.Schema:
        """The columns of the file, in their types."""
        return self._kinds

    def batches(self, columns: Columns = None) -> Iterator[pa.RecordBatch]:
        """Yields the rows, converted and then filtered."""
        names = self._kinds.names if columns is None else list(columns)
        start = 0
        # The filter may need any column.
        for batch in super().batches(None if self._kept is not None else names):
            table = self._converted(batch, start)
            start += batch.num_rows
            if self._kept is not None:
                with explaining_filter(self._kinds):
                    table = table.filter(self._kept)
                table = table.select(names)
            yield from (each for each in table.to_batches() if each.num_rows)

    def _converted(self, batch, start):
        arrays = {}
        with parts.located(self.place):
            for name in batch.schema.names:
                kind = self._kinds.field(name).type
                cells = batch.column(name)
                arrays[name] = converted(cells, kind, name, self._text.separator, start)
        return pa.table(arrays)


def is_remote(fragment: arrow_dataset.Fragment) -> bool:
    """Whether there is a connection to lose."""
    return not isinstance(fragment.filesystem, pyarrow.fs.LocalFileSystem)


def damaged(place: str, error: Exception) -> str:
    """Returns the message for a file that cannot be read."""
    fix = "correct the file or write it again, or take it out of the folder"
    if "multiple columns named" in str(error):
        fix = (
            "pass column_names= if the file has no header, or rename all but one of "
            "them in it"
        )
    return explain(
        f"{place} to be a whole file in the types of its columns",
        str(error).rstrip("."),
        fix,
    )
