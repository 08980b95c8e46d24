"""Reads the text of CSV cells as whole numbers and as lists."""

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.errors import explain

# A list as `DataFrame.to_csv` writes it, of strings; "[x]" may be an id.
PYTHON_LIST = r"^\[(|'.*'|\".*\")\]$"

# The start of a date, as in ISO 8601.
DATE = r"\s*\d{4}-\d{2}-\d{2}"


def text_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type to read a column with, before `converted` makes it `kind`."""
    # Arrow's own conversion to integers takes "0x02" as 2.
    is_text = pa.types.is_list(kind) or pa.types.is_integer(kind)
    # A column without a value in the first block may have text in the next one.
    return pa.string() if is_text or pa.types.is_null(kind) else kind


def converted(
    cells: pa.Array, kind: pa.DataType, name: str, separator: str, start: int
) -> pa.Array:
    """Returns the cells of a column, read with `text_type(kind)`, as `kind`.

    Args:
        cells: The cells.
        kind: The type: whole numbers, lists, or any other.
        name: The column, for errors.
        separator: The text between two values of a list.
        start: The number of data rows above these, for errors.

    Raises:
        ValueError: For a cell that cannot be read; it names the row.
    """
    if pa.types.is_integer(kind):
        return _integers(cells, kind, name, lambda place: start + place + 1)
    if pa.types.is_list(kind):
        return _lists(cells, kind.value_type, name, separator, start)
    if pa.types.is_null(kind) and cells.null_count == len(cells):
        return pa.nulls(len(cells))  # Text would be no label.
    return cells


def _integers(
    cells: pa.Array, kind: pa.DataType, name: str, row: Callable[[int], Any]
) -> pa.Array:
    hexadecimal = pc.or_(
        pc.match_substring(cells, "0x"), pc.match_substring(cells, "0X")
    )
    if not pc.any(hexadecimal).as_py():
        try:
            return pc.utf8_trim_whitespace(cells).cast(kind)
        except pa.ArrowInvalid:
            pass
    valid = pc.fill_null(pc.match_substring_regex(cells, r"^\s*[-+]?[0-9]+\s*$"), True)
    wrong = pc.index(valid, False).as_py()
    if wrong < 0:  # Digits, but more than fit.
        wrong = pc.index(pc.greater(pc.utf8_length(cells), 18), True).as_py()
    cell = cells[wrong].as_py()
    fix = (
        "correct the cell; write integers with missing values as "
        "astype('Int64'), not as '5.0'; give a field of text dtype='string'"
    )
    if re.match(DATE, cell):
        fix = (
            f"read timestamps as such: tf_ctr.data.rows(path, types={{{name!r}: "
            "pyarrow.timestamp('s')})"
        )
    raise ValueError(
        explain(
            f"whole numbers ({kind}) in column {name!r}",
            f"{cell!r} in row {row(wrong)}",
            fix,
        )
    )


def _lists(
    cells: pa.Array, kind: pa.DataType, name: str, separator: str, start: int
) -> pa.Array:
    pattern = PYTHON_LIST if pa.types.is_string(kind) else r"^\["
    printed = pc.fill_null(pc.match_substring_regex(cells, pattern), False)
    if pc.any(printed).as_py():
        wrong = pc.index(printed, True).as_py()
        raise ValueError(
            explain(
                f"ids joined by {separator!r} in each cell of column {name!r}",
                f"{cells[wrong].as_py()!r} in row {start + wrong + 1}, a list as "
                "to_csv writes it",
                # `Series.str.join` would turn lists of integers into missing values.
                f"join them first: frame[{name!r}].map(lambda ids: "
                f"{separator!r}.join(map(str, ids)), na_action='ignore')",
            )
        )
    lists = pc.split_pattern(cells, separator)
    # An empty element is a missing id, like an empty cell.
    values = pc.if_else(pc.equal(lists.values, ""), None, lists.values)
    if pa.types.is_integer(kind):
        parents = pc.list_parent_indices(lists)
        values = _integers(
            values, kind, name, lambda place: start + parents[place].as_py() + 1
        )
    elif pa.types.is_floating(kind):
        values = _floats(values, name)
    return pa.ListArray.from_arrays(lists.offsets, values, mask=pc.is_null(lists))


def _floats(values: pa.Array, name: str) -> pa.Array:
    try:
        return pc.utf8_trim_whitespace(values).cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise ValueError(
            explain(
                f"lists of numbers in column {name!r}",
                str(error).rstrip("."),
                "correct the cell; a list is numbers joined by the separator",
            )
        ) from error
