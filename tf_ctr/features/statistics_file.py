"""Writes and reads statistics as a Parquet file that knows its own sum."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tf_ctr.files import DamagedError, replacing

FORMAT, VERSION = "tf_ctr.Statistics", 1
HEADER, SUM = b"tf_ctr", b"tf_ctr.sha256"
GROUP_ROWS = 1 << 20
SCHEMA = pa.schema(
    [
        ("field", pa.string()),
        ("text", pa.large_string()),
        ("number", pa.int64()),
        ("count", pa.int64()),
        ("last", pa.int64()),
    ]
)
# What Arrow raises for a file that is no Parquet, or is damaged.
UNREADABLE = (pa.ArrowException, OSError, ValueError, LookupError, TypeError)


def write(
    path: str | os.PathLike, header: Mapping[str, Any], tables: Mapping[str, pa.Table]
) -> None:
    """Writes statistics; an existing file is replaced in one step.

    Args:
        path: The file.
        header: All but the tables, as values that JSON can hold; `"fields"` has an
            entry for each table.
        tables: By field, a table of `id`, `count` and `last`.
    """
    fields = {
        name: {**header["fields"][name], "ids": table.num_rows}
        for name, table in tables.items()
    }
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, **header, "fields": fields}
    )
    with replacing(path) as temporary:
        # Ids are distinct, so that a dictionary would hold them all.
        writer = pq.ParquetWriter(
            temporary, SCHEMA, compression="zstd", use_dictionary=["field"]
        )
        with writer:
            for name, table in tables.items():
                if table.num_rows:
                    writer.write_table(_stored(name, table), row_group_size=GROUP_ROWS)
            sums = {HEADER: text, SUM: _sum(text, tables.values())}
            writer.add_key_value_metadata(sums)


def read(path: str | os.PathLike) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Returns the header and the tables that `write` wrote.

    Raises:
        DamagedError: If the file is missing, of another kind or version, or damaged.
    """
    path = pathlib.Path(path)
    try:
        with pq.ParquetFile(path) as file:
            known = file.metadata.metadata or {}
            if HEADER not in known:
                raise _damaged(path, "another kind of Parquet file")
            header = json.loads(known[HEADER])
            if header["version"] != VERSION:
                raise _damaged(path, f"version {header['version']}, of a later tf_ctr")
            whole = file.read()
        tables, start = {}, 0
        for name, field in header["fields"].items():
            own = whole.slice(start, field.pop("ids"))
            tables[name] = _restored(own)
            start += own.num_rows
    except DamagedError:
        raise
    except FileNotFoundError as error:
        raise _damaged(path, "no such file") from error
    except UNREADABLE as error:
        raise _damaged(path, f"one that cannot be read ({error})") from error
    if _sum(known[HEADER].decode(), tables.values()) != known.get(SUM, b"").decode():
        raise _damaged(path, "one whose content has changed since it was written")
    return header, tables


def _stored(name: str, table: pa.Table) -> pa.Table:
    ids, rows = table["id"], table.num_rows
    is_text = not pa.types.is_integer(ids.type)
    columns = {
        "field": pa.repeat(pa.scalar(name), rows),
        "text": ids if is_text else pa.nulls(rows, pa.large_string()),
        "number": pa.nulls(rows, pa.int64()) if is_text else ids,
        "count": table["count"],
        "last": table["last"],
    }
    return pa.table(columns, schema=SCHEMA)


def _restored(table: pa.Table) -> pa.Table:
    numbers = table["number"].null_count == 0
    ids = table["number" if numbers else "text"]
    columns = {"id": ids, "count": table["count"], "last": table["last"]}
    return pa.table(columns).combine_chunks()


def _sum(header: str, tables: Iterable[pa.Table]) -> str:
    """Returns the SHA-256 of everything that a file holds."""
    found = hashlib.sha256(header.encode())
    for table in tables:
        ids = pa.concat_arrays(table["id"].chunks) if table.num_rows else None
        if ids is not None and pa.types.is_large_string(ids.type):
            _, offsets, text = ids.buffers()
            starts = np.frombuffer(offsets, np.int64)[ids.offset :][: len(ids) + 1]
            found.update(np.diff(starts).tobytes())
            found.update(memoryview(text)[starts[0] : starts[-1]] if text else b"")
        elif ids is not None:
            found.update(ids.to_numpy().tobytes())
        for name in ("count", "last"):
            found.update(table[name].to_numpy().tobytes())
    return found.hexdigest()


def _damaged(path: pathlib.Path, damage: str) -> DamagedError:
    return DamagedError(
        f"{path} to be a file that Statistics.save wrote",
        damage,
        "check the path, or collect the statistics again",
    )
