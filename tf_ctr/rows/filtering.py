"""Says what is wrong with a filter, in place of Arrow's text."""

import contextlib
import re
from collections.abc import Iterator

import pyarrow as pa

from tf_ctr.errors import explain, unknown_name

# What Arrow raises about the content of a file, and about a filter.
UNREADABLE = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError)


@contextlib.contextmanager
def explaining_filter(schema: pa.Schema) -> Iterator[None]:
    """Explains the errors of Arrow in a block that only applies a filter.

    Args:
        schema: The columns that the filter may name.

    Raises:
        ValueError: For a column that is not there, or a value of another type.
    """
    try:
        yield
    except UNREADABLE as error:
        text = str(error)
        if name := re.search(r"No match for FieldRef\.Name\((.*?)\) in ", text):
            message = unknown_name("column in the filter", name[1], schema.names)
        else:
            types = re.search(r"types \((\w+), (\w+)\)|: (\w+) vs (\w+)$", text)
            pair = [each for each in types.groups() if each] if types else []
            kinds = ", ".join(f"{field.name}: {field.type}" for field in schema)
            message = explain(
                f"a filter with values of the types of the columns ({kinds})",
                f"{pair[0]} compared with {pair[1]}" if pair else text.rstrip("."),
                "write text in quotes and numbers without",
            )
        raise ValueError(message) from error
