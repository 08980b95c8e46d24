"""The rows of a source, to be read as often as needed."""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa

from tf_ctr.errors import check_name, explain
from tf_ctr.rows.parts import Columns, Part, located

Types = Mapping[str, pa.DataType]


class Rows:
    """The rows of files, a frame or a stream; made by `tf_ctr.data.rows`.

    Iterating yields `pyarrow.RecordBatch`es, the same ones each time; the rows of an
    iterator can be read only once. Every function that takes a frame also takes `Rows`.

    Args:
        parts: Returns the parts, given the types of columns of which the source has
            only text.
        columns: The columns to keep; `None` keeps all.
        types: The types of such columns.
        fixed: Whether there are the same parts each time, so that they can be kept.
        name: What the rows are, for `repr`.
        typable: The columns of which the source has only text; `None` for all.
    """

    def __init__(
        self,
        parts: Callable[[Types], Iterator[Part] | Sequence[Part]],
        columns: Columns = None,
        types: Types | None = None,
        fixed: bool = False,
        name: str = "",
        typable: Collection[str] | None = None,
    ):
        self._parts = parts
        self._columns = None if columns is None else list(columns)
        self._types = dict(types or {})
        self._fixed = fixed
        self._name, self._typable = name, typable
        self._variants: dict[str, Rows] = {}

    def __repr__(self) -> str:
        columns = "" if self._columns is None else f", columns={self._columns}"
        return f"Rows({self._name}{columns})"

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        self._check_columns()
        for part in self.parts():
            if not self._fixed and self._columns is not None:
                self._check_part(part, lambda _: None)
            yield from part.batches(self._columns)

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns, as `pyarrow.Schema`.

        Raises:
            ValueError: If the files do not agree on the type of a column.
        """
        parts = self.distinct_parts()
        try:
            schemas = [part.schema.remove_metadata() for part in parts]
            joined = pa.unify_schemas(schemas, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ValueError(
                explain(
                    "files that agree on the types of their columns",
                    str(error).rstrip("."),
                    "convert the column in some of the files, or leave it out: "
                    "rows(..., columns=[...])",
                )
            ) from error
        if self._columns is None:
            return joined
        return pa.schema([joined.field(name) for name in self._columns])

    @property
    def streamed(self) -> bool:
        """Whether the parts become known only while the rows are read."""
        return not self._fixed

    @property
    def count(self) -> int | None:
        """The number of rows; `None` if only reading all of them would tell."""
        if not self._fixed:
            return None
        counts = [part.count for part in self.parts()]
        return None if None in counts else sum(n for n in counts if n is not None)

    def to_pandas(self) -> pd.DataFrame:
        """Returns all rows as one pandas frame, in memory."""
        self._check_columns()
        parts = list(self.parts())
        frames = [frame for part in parts for frame in part.frames(self._columns)]
        if len(frames) == 1:
            return frames[0].reset_index(drop=True)
        if not frames:
            return self._header(parts[0]) if parts else pd.DataFrame()
        return pd.concat(frames, ignore_index=True)

    def typed(self, types: Types) -> "Rows":
        """Returns the same rows, with types for the columns that are text in the file.

        Args:
            types: `{column: type}`, e.g. those of `tf_ctr.Schema`'s fields. A type that
                was passed to `rows` stays.
        """
        open_to = types if self._typable is None else self._typable
        joined = {name: kind for name, kind in types.items() if name in open_to}
        joined |= self._types
        if joined == self._types:
            return self
        # Kept, so that files are not opened again by the next reader.
        key = str(sorted((name, str(kind)) for name, kind in joined.items()))
        if key not in self._variants:
            self._variants[key] = Rows(
                self._parts,
                self._columns,
                joined,
                self._fixed,
                self._name,
                self._typable,
            )
        return self._variants[key]

    def parts(self) -> Iterator[Part]:
        """Yields the parts, in order."""
        if self._fixed:
            yield from self._kept
        else:
            yield from self._parts(self._types)

    def distinct_parts(self) -> list[Part]:
        """Returns a part for each distinct schema; none for a stream.

        Many files share few schemas, so that checking these checks all files.
        """
        if not self._fixed:
            return []
        if len(self._kept) == 1:  # A frame has a header, if not always types.
            return self._kept
        distinct: dict[str, Part] = {}
        for part in self._kept:
            distinct.setdefault(part.schema.remove_metadata().to_string(), part)
        return list(distinct.values())

    @functools.cached_property
    def _kept(self) -> list[Part]:
        return list(self._parts(self._types))

    def frames(
        self,
        columns: Columns = None,
        check: Callable[[pd.DataFrame], None] | None = None,
    ) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yields blocks of rows as pandas frames, each with its place for errors.

        Args:
            columns: The columns to read; `None` for all.
            check: Called with an empty frame for each kind of part, before any row is
                read; of a stream, before each part is read.
        """
        self.check(check)
        for part in self.parts():
            if check is not None and not self._fixed:
                self._check_part(part, check)
            for frame in part.frames(self._columns if columns is None else columns):
                yield part.place, frame

    def check(self, check: Callable[[pd.DataFrame], None] | None) -> None:
        """Calls `check` with an empty frame for each kind of part; not of a stream."""
        if check is not None:
            for part in self.distinct_parts():
                self._check_part(part, check)

    def _check_columns(self):
        if self._columns is not None:
            self.check(lambda _: None)  # A wrong name of a column is explained.

    def _check_part(self, part: Part, check: Callable[[pd.DataFrame], None]) -> None:
        with located(part.place):
            check(self._header(part))

    def _header(self, part: Part) -> pd.DataFrame:
        header = part.header()
        if self._columns is None:
            return header
        for name in self._columns:
            check_name("column", name, list(header.columns))
        return header[self._columns]
