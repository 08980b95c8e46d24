"""Everything durable: written whole, sealed, verified when read, by one writer.

- `writing`, `folders`: all take their name by one rename, and survive a power cut.
- `sealed`: JSON files with a sum of their own.
- `manifest`: sizes and SHA-256 of all files of a folder; read back with verification.
- `locks`: one process changes a folder at a time, and says who.
"""

from tf_ctr.files.folders import (
    move_folder,
    remove_folder,
    replaced_folder,
    settle_folder,
    whole_folder,
)
from tf_ctr.files.locks import LockedError, locked
from tf_ctr.files.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    seal,
)
from tf_ctr.files.sealed import DamagedError, read_sealed, write_sealed
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
    "read_sealed",
    "remove_folder",
    "replaced_folder",
    "replacing",
    "seal",
    "settle_folder",
    "whole_folder",
    "write_sealed",
]


def __dir__() -> list[str]:
    return [*__all__]
