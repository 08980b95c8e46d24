"""Rows as serialized `tf.train.Example`s, written by column.

The messages of protobuf are built a value at a time; here a column is encoded at once,
and a row only joins bytes. Source of the format: protobuf.dev, "Encoding", and
TensorFlow, `core/example/example.proto` and `feature.proto`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_ctr.features.field import Field, Id

# The tags of `bytes_list`, `float_list` and `int64_list` in a `Feature`; and of the
# first and the second field of any message, with a length.
BYTES_LIST, FLOAT_LIST, INT64_LIST = b"\x0a", b"\x12", b"\x1a"
FIRST, SECOND = b"\x0a", b"\x12"

# Numbers that Python encodes sooner than NumPy.
FEW = 64


def serialized_examples(
    columns: Mapping[str, np.ndarray], fields: Iterable[Field] = ()
) -> list[bytes]:
    """Returns the serialized example of each row.

    As `to_examples` and `SerializeToString`, in a fraction of the time.

    Args:
        columns: `{name: array [B] or [B, T]}`, strings as text or as bytes.
        fields: Fitted fields. Padding in the lists of multivalent fields is left out.

    Example:

    >>> import numpy as np, tensorflow as tf
    >>> [text] = serialized_examples({"user": np.array([b"ann"])})
    >>> tf.train.Example.FromString(text).features.feature["user"].bytes_list.value
    [b'ann']
    """
    paddings = {
        field.name: field.padding
        for field in fields
        if field.multivalent and not field.keeps_places
    }
    entries = [_entries(n, column, paddings.get(n)) for n, column in columns.items()]
    bodies = map(b"".join, zip(*entries, strict=True))
    return [FIRST + varint(len(body)) + body for body in bodies]


def varint(number: int) -> bytes:
    """Returns a number of at least 0 in the base-128 form of protobuf."""
    if number < 0x80:
        return bytes((number,))
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*parts, number))


def varints(numbers: np.ndarray) -> list[bytes]:
    """Returns the base-128 form of int64 numbers, negative ones as two's complement.

    Args:
        numbers: `[N]`.
    """
    if len(numbers) < FEW:
        return [varint(number & 2**64 - 1) for number in numbers.tolist()]
    rest = numbers.astype(np.int64).view(np.uint64)
    digits = np.empty((len(rest), 10), np.uint8)
    lengths = np.ones(len(rest), np.int64)
    for place in range(10):
        digits[:, place] = rest & np.uint64(0x7F)
        rest = rest >> np.uint64(7)
        more = rest > 0
        digits[more, place] |= 0x80
        lengths += more
    content = digits.tobytes()
    starts = range(0, 10 * len(lengths), 10)
    ends = (np.arange(len(lengths)) * 10 + lengths).tolist()
    return [content[start:end] for start, end in zip(starts, ends, strict=True)]


def _entries(
    name: str, column: np.ndarray, padding: Id | float | None
) -> Iterator[bytes]:
    """Yields the entry of each row in the map of features."""
    rows: Sequence[Any]
    if column.dtype.kind in "OSU":
        kind, rows = BYTES_LIST, _text_lists(column, padding)
    elif column.dtype.kind in "iu":
        kind, rows = INT64_LIST, _number_lists(column, padding, varints)
    else:
        kind, rows = FLOAT_LIST, _number_lists(column, padding, _floats)
    key = FIRST + varint(len(name.encode())) + name.encode()
    heads: dict[int, bytes] = {}
    for body in rows:
        size = len(body)
        if size not in heads:  # All that comes before the values of so many bytes.
            feature = kind + varint(size)
            value = SECOND + varint(len(feature) + size) + feature
            heads[size] = FIRST + varint(len(key) + len(value) + size) + key + value
        yield heads[size] + body


def _text_lists(column, padding):
    """The body of a `BytesList` for each row."""
    missing = {padding, padding.encode()} if isinstance(padding, str) else {padding}
    rows = column[:, np.newaxis] if column.ndim == 1 else column
    sizes = {}
    for row in rows.tolist():
        parts = []
        for value in row:
            if value in missing:
                continue
            text = value if isinstance(value, bytes) else value.encode()
            size = len(text)
            if size not in sizes:
                sizes[size] = FIRST + varint(size)
            parts.append(sizes[size] + text)
        yield parts[0] if len(parts) == 1 else b"".join(parts)


def _number_lists(column, padding, encode):
    """The body of an `Int64List` or a `FloatList`, whose values are packed."""
    parts = encode(column.ravel())
    if column.ndim == 1 and padding is not None:
        column = column[:, np.newaxis]
    if column.ndim > 1:
        given = np.ones(column.shape, bool) if padding is None else column != padding
        ends = np.cumsum(given.sum(1)).tolist()
        parts = [
            part for part, is_one in zip(parts, given.ravel(), strict=True) if is_one
        ]
        starts = [0, *ends[:-1]]
        parts = [b"".join(parts[a:b]) for a, b in zip(starts, ends, strict=True)]
    for part in parts:
        yield FIRST + varint(len(part)) + part if part else b""


def _floats(numbers):
    with np.errstate(over="ignore"):  # A number too large becomes infinite.
        content = numbers.astype("<f4").tobytes()
    return [content[start : start + 4] for start in range(0, len(content), 4)]
