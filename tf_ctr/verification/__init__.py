"""Whether what is stored is as it was written: `tf_ctr verify PATH`.

- `finding`: what was found, thing by thing;
- `looking`: which things are in a folder, and whether they are whole;
- `repairing`: what is set aside, so that it can be recomputed.
"""

import os
import pathlib

from tf_ctr.errors import explain
from tf_ctr.verification.finding import Finding, Verification
from tf_ctr.verification.looking import look
from tf_ctr.verification.repairing import repaired

__all__ = ["Finding", "Verification", "verify"]


def __dir__() -> list[str]:
    return [*__all__]


def verify(path: str | os.PathLike, repair: bool = False) -> Verification:
    """Checks all that tf_ctr stored in a folder, by its checksums.

    It knows the runs and snapshots of `tf_ctr.continual`, the folders of
    `tf_ctr.training.callbacks`, exported versions with their labels, and schemas; also
    deep in a folder that holds several of these. Nothing is loaded or run.

    Args:
        path: A run, a store, an export folder, any folder above them, or one file.
        repair: Whether to set aside what can be recomputed, and to remove what killed
            processes left. A damaged thing is moved to a folder `.damaged` beside it,
            never deleted. It stays where it is if something that is whole needs it or
            was made after it: a version with a label, a period before a whole one.

    Returns:
        What was found, and what was done about it.

    Raises:
        FileNotFoundError: If there is no such path.
        ValueError: If it is a file that has no checksum of its own.
        LockedError: With `repair`, if another process is changing a damaged folder.

    Example:

    >>> import tempfile
    >>> from tf_ctr.files import whole_folder
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> with whole_folder(root / "model") as folder:
    ...     _ = (folder / "model.keras").write_text("weights")
    >>> print(verify(root))
    1 checked: 1 whole
    >>> _ = (root / "model" / "model.keras").write_text("weightS")
    >>> verify(root).well
    False
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(
            explain(
                "a folder or a file to verify",
                f"{path}, which does not exist",
                "pass the folder of a run, of snapshots or of exported versions",
            )
        )
    found = list(look(path))
    if path.is_file() and not found:
        raise ValueError(
            explain(
                "a file with a checksum of its own, or a folder",
                f"{path}, whose checksum is in a manifest, if it has one",
                "pass the folder that it is in",
            )
        )
    return Verification(repaired(found) if repair else found)
