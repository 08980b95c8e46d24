"""Everything durable: written whole, sealed, verified when read, by one writer.

- `writing`, `folders`: all take their name by one rename, and survive a power cut.
- `manifest`: sizes and SHA-256 of all files of a folder; read back with verification.
- `locks`: one process changes a folder at a time, and says who.
"""

from tf_ctr.files.folders import move_folder, replaced_folder, whole_folder
from tf_ctr.files.locks import LockedError, locked
from tf_ctr.files.manifest import (
    MANIFEST,
    DamagedError,
    Manifest,
    read_manifest,
    seal,
    text_sum,
)
from tf_ctr.files.writing import checksum, replacing

__all__ = [
    "MANIFEST",
    "DamagedError",
    "LockedError",
    "Manifest",
    "checksum",
    "locked",
    "move_folder",
    "read_manifest",
    "replaced_folder",
    "replacing",
    "seal",
    "text_sum",
    "whole_folder",
]


def __dir__() -> list[str]:
    return [*__all__]
