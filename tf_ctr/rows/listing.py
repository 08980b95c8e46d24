"""Finds files on any file system: by a path, a folder, a pattern or a URI."""

import dataclasses
import fnmatch
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.fs

from tf_ctr.errors import explain
from tf_ctr.rows.retrying import retried

URI = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SPECIAL = re.compile(r"[*?\[]")
# The value of a partition column that is missing, as Hive and Spark write it.
MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"

# A path of `os`, of a URI, or of a given file system.
Path = str | os.PathLike


@dataclasses.dataclass(frozen=True)
class File:
    """A file, where it is, and whether its ending was checked.

    Attributes:
        path: The path on the file system.
        system: The file system.
        listed: Whether it was found in a folder, so that only its ending tells whether
            it is meant.
    """

    path: str
    system: pyarrow.fs.FileSystem
    listed: bool


def find(path: Path, filesystem: Any = None) -> list[File]:
    """Returns the files that a path, a folder, a pattern or a URI names, by name.

    Names in a folder that begin with `_` or `.` are left out, as Spark and Hive do.

    Args:
        path: A path, a folder, a pattern or a URI such as `s3://bucket/log`.
        filesystem: A file system of pyarrow or fsspec; `None` takes that of the URI,
            or the local one.

    Raises:
        ValueError: If there is no such file, or no such kind of file system.
        PermissionError: If the server refuses the key.
        OSError: If the server cannot be reached.
    """
    name = os.fspath(path)
    system, inner = resolve(name, filesystem)
    remote = not isinstance(system, pyarrow.fs.LocalFileSystem)
    return retried(lambda: _find(system, inner, name), name, remote)


def resolve(path: str, filesystem: Any = None) -> tuple[pyarrow.fs.FileSystem, str]:
    """Returns the file system of a path or URI, and the path on it.

    Raises:
        ValueError: For an unknown kind of file system, or one that cannot be started.
        TypeError: If `filesystem` is not a file system.
    """
    if filesystem is not None:
        return _adopted(filesystem, path)
    if not URI.match(path):
        return pyarrow.fs.LocalFileSystem(), path
    try:
        return pyarrow.fs.FileSystem.from_uri(_quoted(path))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        if isinstance(error, OSError):
            raise ValueError(_unreachable(path, error)) from error
        return _by_fsspec(path, error)


def partition_values(path: str) -> dict[str, str | None]:
    """Returns `{column: value}` of the `column=value` folders in a path.

    Example:

    >>> partition_values("log/day=2022-04-25/hour=7/part-0.parquet")
    {'day': '2022-04-25', 'hour': '7'}
    """
    found: dict[str, str | None] = {}
    for folder in path.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        if equals and key:
            value = urllib.parse.unquote(value)
            found[key] = None if value == MISSING_PARTITION else value
    return found


def partition_types(values: Iterable[dict[str, str | None]]) -> dict[str, pa.DataType]:
    """Returns the types of partition columns: int64 if all values are whole numbers."""
    texts: dict[str, set[str]] = {}
    for each in values:
        for name, value in each.items():
            texts.setdefault(name, set()).update(() if value is None else (value,))
    return {
        name: pa.int64()
        if all(re.fullmatch(r"-?[0-9]{1,18}", text) for text in found)
        else pa.string()
        for name, found in texts.items()
    }


def _find(system: pyarrow.fs.FileSystem, inner: str, name: str) -> list[File]:
    inner = inner.rstrip("/") if len(inner) > 1 else inner
    info = system.get_file_info(inner)
    if info.type == pyarrow.fs.FileType.File:
        # Before any pattern: a file may be called `day[1].csv`.
        return [File(inner, system, listed=False)]
    if info.type == pyarrow.fs.FileType.Directory:
        return _in_folder(system, inner)
    found: list[File] = []
    local = isinstance(system, pyarrow.fs.LocalFileSystem)
    for match in sorted(_matches(system, inner), key=lambda match: match.path):
        if match.type == pyarrow.fs.FileType.Directory:
            found += _in_folder(system, match.path)
        else:
            found.append(File(match.path, system, listed=False))
    if not found:
        raise ValueError(
            explain(
                "a file, a folder with files, or a pattern that some file matches",
                f"{name!r}, which names none",
                "check the path"
                + (f"; the working directory is {os.getcwd()}" if local else ""),
            )
        )
    return found


def _in_folder(system, folder):
    selector = pyarrow.fs.FileSelector(folder, recursive=True)
    infos = system.get_file_info(selector)
    paths = sorted(info.path for info in infos if info.type == pyarrow.fs.FileType.File)
    return [
        File(path, system, listed=True)
        for path in paths
        if not any(
            part.startswith(("_", ".")) and "=" not in part
            for part in path[len(folder) :].split("/")
        )
    ]


def _matches(
    system: pyarrow.fs.FileSystem, pattern: str
) -> Iterator[pyarrow.fs.FileInfo]:
    """Yields what matches a pattern, folder by folder, so that little is listed."""
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if SPECIAL.search(part)), None)
    if first is None:
        return
    base, rest = "/".join(parts[:first]), parts[first:]
    if first and not base:
        base = "/"
    yield from _below(system, base, rest)


def _below(
    system: pyarrow.fs.FileSystem, base: str, rest: Sequence[str]
) -> Iterator[pyarrow.fs.FileInfo]:
    selector = pyarrow.fs.FileSelector(base or ".", allow_not_found=True)
    deeper = rest[1:]
    for info in system.get_file_info(selector):
        if rest[0] == "**":
            if info.type == pyarrow.fs.FileType.Directory:
                yield from _below(system, info.path, rest)
            if deeper and fnmatch.fnmatchcase(info.base_name, deeper[0]):
                yield from _go_on(system, info, deeper[1:])
        elif fnmatch.fnmatchcase(info.base_name, rest[0]):
            yield from _go_on(system, info, deeper)


def _go_on(system, info, rest):
    if not rest:
        yield info
    elif info.type == pyarrow.fs.FileType.Directory:
        yield from _below(system, info.path, rest)


def _adopted(filesystem, path):
    scheme = URI.match(path)
    inner = path[scheme.end() :] if scheme else path
    if isinstance(filesystem, pyarrow.fs.FileSystem):
        return filesystem, inner
    if not hasattr(filesystem, "_strip_protocol"):
        raise TypeError(
            explain(
                "a file system of pyarrow.fs or fsspec",
                type(filesystem).__name__,
                "pass e.g. pyarrow.fs.S3FileSystem(...), or leave filesystem= out",
            )
        )
    handler = pyarrow.fs.FSSpecHandler(filesystem)
    return pyarrow.fs.PyFileSystem(handler), filesystem._strip_protocol(path)


def _by_fsspec(path, error):
    try:
        import fsspec

        filesystem, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as other:
        raise ValueError(_unreachable(path, f"{error}; {other}")) from error
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem)), inner


def _quoted(uri):
    """A URI whose path may be a pattern, or hold `=` and spaces."""
    head, question, options = uri.partition("?")
    if "=" not in options:  # A `?` of a pattern.
        head, question, options = uri, "", ""
    return urllib.parse.quote(head, safe=":/@=,+~%") + question + options


def _unreachable(path, error):
    return explain(
        "a URI of a file system that is installed here",
        f"{path!r}: {str(error).strip().rstrip('.')}",
        "pass filesystem=, one of pyarrow.fs or of fsspec, and the path on it",
    )
