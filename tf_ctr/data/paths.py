"""Finds the files that a path, a folder or a pattern names."""

import glob
import os
import pathlib
from collections.abc import Iterable

from tf_ctr.errors import explain

Path = str | os.PathLike
# A file, a folder, a pattern, or a list of these.
Paths = Path | Iterable[Path]


def resolve(paths: Paths, suffix: str) -> list[str]:
    """Returns the files named by a path, a folder, a pattern, or a list of these.

    Args:
        paths: A path, a folder, a pattern, or a list of these. The files in a folder
            and the matches of a pattern are sorted by name; a list keeps its order. A
            match that is a folder stands for its files, as Spark writes folders.
        suffix: The ending of the files to take from a folder, e.g. `".csv"`.

    Raises:
        ValueError: If a part of `paths` names no file, or the list is empty.
        TypeError: For anything but paths.
    """
    if isinstance(paths, str | os.PathLike):
        return _files(pathlib.Path(paths), suffix)
    if not isinstance(paths, Iterable):
        raise TypeError(explain("a path or a list of paths", repr(paths), "pass one"))
    files = [file for path in paths for file in resolve(path, suffix)]
    if not files:
        raise ValueError(
            explain("at least one path", "an empty list", "check what made the list")
        )
    return files


def _files(path: pathlib.Path, suffix: str) -> list[str]:
    if path.is_dir():
        matches = sorted(path.glob(f"*{suffix}"))
    elif path.is_file():
        # Before any pattern: a file may be called `day[1].csv`.
        matches = [path]
    else:
        matches = sorted(map(pathlib.Path, glob.glob(str(path))))
    if not matches:
        raise ValueError(
            explain(
                f"a file, a pattern, or a folder with {suffix} files",
                f"{str(path)!r}, which names none",
                f"check the path; the working directory is {os.getcwd()}",
            )
        )
    parts = [_files(each, suffix) if each.is_dir() else [str(each)] for each in matches]
    return [file for part in parts for file in part]
