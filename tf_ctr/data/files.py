"""Which files a user means."""

import glob
import os
import pathlib

from tf_ctr.errors import explain


def resolve(paths, suffix: str) -> list[str]:
    """Returns the files named by a path, a folder, a pattern, or a list of these.

    Args:
        paths: What the user passed. The files of a folder and those that match a
            pattern are sorted by name; a list keeps its order.
        suffix: The ending of the files to take from a folder, e.g. `".csv"`.

    Raises:
        ValueError: If a part of `paths` names no file.
    """
    if not isinstance(paths, str | os.PathLike):
        return [file for path in paths for file in resolve(path, suffix)]
    path = pathlib.Path(paths)
    if path.is_dir():
        files = sorted(map(str, path.glob(f"*{suffix}")))
    else:
        files = [str(path)] if path.is_file() else sorted(glob.glob(str(path)))
    if not files:
        raise ValueError(
            explain(
                f"a file, a pattern, or a folder with {suffix} files",
                f"{str(path)!r}, which names none",
                f"check the path; the working directory is {os.getcwd()}",
            )
        )
    return files
