"""Version directories as TF Serving reads them: `<directory>/<integer>`.

The server picks up whatever has an integer name, complete or not. So a version is
written beside the directory and takes its number by one rename.
"""

import contextlib
import errno
import os
import pathlib
import tempfile

from tf_ctr.errors import explain


def check_directory(directory):
    """Raises unless `directory` can hold versions; it need not exist."""
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(
            explain(
                "a directory for the versions of a model",
                f"the file {directory}",
                "pass a directory, e.g. savedmodels/dcn",
            )
        )
    if (directory / "saved_model.pb").exists():
        raise ValueError(
            explain(
                "the directory that holds the versions of a model",
                f"{directory}, which is one version",
                f"pass its parent {directory.parent}; the next number is found",
            )
        )


def next_version(directory):
    """Returns the largest integer name in `directory` plus one; 1 if there is none."""
    if not directory.exists():
        return 1
    names = [path.name for path in directory.iterdir()]
    return 1 + max((int(n) for n in names if n.isascii() and n.isdecimal()), default=0)


@contextlib.contextmanager
def staging(directory):
    """Gives a new empty directory beside `directory`, removed whatever happens.

    Publish out of it what is to stay.
    """
    # Resolved, so that a link's staging lies on the file system of its target.
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{directory.name}.tmp-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=directory.parent) as path:
        yield pathlib.Path(path)


def publish(staged, directory):
    """Renames the complete version `staged` to the next number of `directory`.

    Args:
        staged: A directory, not empty, on the same file system.
        directory: The directory of the versions; created if missing.

    Returns:
        The path of the version. Two exports at once get two numbers.
    """
    directory.mkdir(exist_ok=True)
    while True:
        version = directory / str(next_version(directory))
        try:
            os.rename(staged, version)
        except OSError as error:
            # Another export took this number between the look and the rename.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return version
