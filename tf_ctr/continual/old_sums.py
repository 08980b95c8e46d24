"""The checksums of periods that versions 0.1 and 0.2 wrote."""

import json
import pathlib
from collections.abc import Iterable

from tf_ctr.files import DamagedError, Manifest

# They lack the record, and the bytes of the files.
CHECKSUMS = "checksums.json"


def manifest_of_0_2(
    folder: pathlib.Path, what: str, fix: str, needed: Iterable[str]
) -> Manifest:
    """Returns the sums of a folder as a manifest.

    Args:
        folder: The folder of a period.
        what: What it holds, for errors.
        fix: What to do about a damaged file, for errors.
        needed: The files that must have a sum.

    Raises:
        DamagedError: If the sums cannot be read, or one is missing.
    """
    expected = f"{what} in {folder} as it was written"
    try:
        sums = json.loads((folder / CHECKSUMS).read_text())
        files = {str(name): (None, str(sum_)) for name, sum_ in sums.items()}
    except (OSError, ValueError, AttributeError) as error:
        damage = f"{CHECKSUMS}, which cannot be read ({error})"
        raise DamagedError(expected, damage, fix) from error
    for name in needed:
        if name not in files:
            damage = f"{CHECKSUMS} without the sum of {name}"
            raise DamagedError(expected, damage, fix)
    return Manifest(folder, what, fix, files)
