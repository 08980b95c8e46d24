"""The manifest of a stored folder: what every file was when it was written."""

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping

from tf_ctr.files.sealed import DamagedError, sealed, unsealed
from tf_ctr.files.writing import checksum, replacing

MANIFEST = "manifest.json"
FORMAT, VERSION = "tf_ctr.folder", 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What the files of a folder were when they were written.

    Attributes:
        folder: The folder.
        what: What the folder holds, for errors, e.g. `"period 7"`.
        fix: What to do about a damaged file, for errors.
        files: `{name: (bytes, SHA-256)}`, with names relative to the folder. The bytes
            are `None` if the folder was written by a version that did not keep them.
    """

    folder: pathlib.Path
    what: str
    fix: str
    files: Mapping[str, tuple[int | None, str]]

    def damage(self, names: Iterable[str] | None = None) -> str | None:
        """Returns what is wrong with the first damaged file; `None` if all are whole.

        Args:
            names: The files to check; `None` checks all.
        """
        return next(self.damages(names), None)

    def damages(self, names: Iterable[str] | None = None) -> Iterator[str]:
        """Yields what is wrong with each damaged file; its name comes first.

        Args:
            names: The files to check; `None` checks all.
        """
        for name in self.files if names is None else names:
            damage = self._damage(name)
            if damage:
                yield f"{name}{damage}"

    def _damage(self, name):
        if name not in self.files:
            return ", which is not in the manifest"
        size, expected = self.files[name]
        path = self.folder / name
        try:
            found = path.stat().st_size
            if size is not None and found != size:
                return f" with {found} bytes instead of {size}"
            if checksum(path) != expected:
                return ", whose content has changed since it was written"
        except OSError as error:
            return f", which cannot be read ({error.strerror})"
        return ""

    def check(self, names: Iterable[str] | None = None) -> None:
        """Raises unless files are as they were written.

        Args:
            names: The files to check; `None` checks all.

        Raises:
            DamagedError: If one is not.
        """
        damage = self.damage(names)
        if damage is not None:
            raise _damaged(self.folder, self.what, damage, self.fix)

    @contextlib.contextmanager
    def checking(self, names: Iterable[str] | None = None) -> Iterator[None]:
        """Checks files while the block loads them, in a thread of its own.

        Hashing releases Python's lock, so on a second core it takes no time. Use what
        the block loaded after the block only.

        Args:
            names: The files to check; `None` checks all.

        Raises:
            DamagedError: If a file is damaged, also in place of what the block raised.
        """
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            checked = pool.submit(self.check, names)
            try:
                yield
            except Exception as error:
                damage = checked.exception()
                if damage is not None:
                    raise damage from error
                raise
        checked.result()


def seal(folder: str | os.PathLike, at: str = MANIFEST) -> None:
    """Writes the manifest of all files in a folder and its subfolders.

    Args:
        folder: The folder, complete.
        at: The name of the manifest, relative to the folder.

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "model.keras").write_text("weights")
    >>> seal(folder)
    >>> read_manifest(folder, "model", "train it again").check()
    >>> _ = (folder / "model.keras").write_text("weightS")
    >>> read_manifest(folder, "model", "train it again").check()
    Traceback (most recent call last):
    tf_ctr.files.sealed.DamagedError: Expected ...
    Received: model.keras, whose content has changed since it was written.
    Fix: train it again.
    """
    folder = pathlib.Path(folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    names.pop(at, None)
    files = {
        name: (path.stat().st_size, checksum(path)) for name, path in names.items()
    }
    with replacing(folder / at) as temporary:
        values = {"format": FORMAT, "version": VERSION, "files": files}
        text = sealed(json.dumps(values, indent=1))
        temporary.write_text(text, encoding="utf-8")


def read_manifest(
    folder: str | os.PathLike, what: str, fix: str, at: str = MANIFEST
) -> Manifest:
    """Returns the manifest that `seal` wrote.

    Args:
        folder: The folder.
        what: What the folder holds, for errors, e.g. `"period 7"`.
        fix: What to do about a damaged file, for errors.
        at: The name of the manifest, relative to the folder.

    Raises:
        DamagedError: If the manifest is missing or was changed, or a later version of
            tf_ctr wrote it.
    """
    folder = pathlib.Path(folder)
    try:
        values, has_sum = unsealed((folder / at).read_bytes())
    except FileNotFoundError:
        damage = f"no {at}, without which no file can be trusted"
        raise _damaged(folder, what, damage, fix) from None
    except OSError as error:
        damage = f"{at}, which cannot be read ({error.strerror})"
        raise _damaged(folder, what, damage, fix) from error
    except ValueError as error:
        raise _damaged(folder, what, f"{at}, {error}", fix) from error
    if not has_sum:
        damage = f"{at} without a sum of its own, or with a damaged one"
        raise _damaged(folder, what, damage, fix)
    if values["version"] != VERSION:
        damage = f"{at} of version {values['version']}, of a later tf_ctr"
        raise _damaged(folder, what, damage, fix)
    files = {name: (size, sum_) for name, (size, sum_) in values["files"].items()}
    return Manifest(folder, what, fix, files)


def _damaged(folder, what, damage, fix):
    expected = f"{what} in {folder} as it was written"
    return DamagedError(expected, damage, fix)
