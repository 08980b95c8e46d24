"""The manifest of an exported version: what every file was when it was written.

It lies in `assets.extra`, where TF Serving reads two files by their names:
`tf_serving_warmup_requests` (`saved_model_warmup_util.h`, `WarmupConsts`) and
`saved_model_config.pb` (`saved_model_config.cc`). A version of tf_ctr 0.2 has none;
`export.json` of a later one says that it has.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterable

from tf_ctr.files import MANIFEST, DamagedError, Manifest, read_manifest, seal

EXTRA = "assets.extra"
FILE = f"{EXTRA}/{MANIFEST}"
FACTS = f"{EXTRA}/export.json"
# Files that people may edit after the export, and that have rules of their own.
EDITABLE = ("batching_params.pbtxt", f"{EXTRA}/tf_serving_warmup_requests")
FIX = "copy the whole version again, or export it again; roll back if it is served"


def seal_version(version: str | os.PathLike) -> None:
    """Writes the manifest of a version, which holds all of its files.

    Args:
        version: A version directory, complete.
    """
    seal(version, FILE)


def version_manifest(version: str | os.PathLike) -> Manifest | None:
    """Returns the manifest of a version; `None` for one that was written without.

    Args:
        version: A version directory.

    Raises:
        DamagedError: If the manifest was changed, or removed.
    """
    version = pathlib.Path(version)
    if (version / FILE).exists() or _had_manifest(version):
        return read_manifest(version, f"version {version.name}", FIX, FILE)
    return None


def damages(manifest: Manifest) -> tuple[list[str], list[str]]:
    """Returns what is wrong with the files of a version, and what may be intended.

    Intended are edits of `EDITABLE`, files that were added, and `.keras` files that
    were left out of a copy for a server, which does not read them.

    Args:
        manifest: What `version_manifest` returned.
    """
    names = [
        name
        for name in manifest.files
        if not name.endswith(".keras") or (manifest.folder / name).exists()
    ]
    found = list(manifest.damages(names))
    edited = [each for each in found if each.startswith(EDITABLE)]
    left_out = [
        f"{each}, which was left out" for each in set(manifest.files) - {*names}
    ]
    there = (each for each in manifest.folder.rglob("*") if each.is_file())
    added = {each.relative_to(manifest.folder).as_posix() for each in there}
    added -= {*manifest.files, FILE}
    intended = [*edited, *sorted(left_out)]
    intended += [f"{each}, which was added" for each in sorted(added)]
    return [each for each in found if each not in edited], intended


def checking(
    version: str | os.PathLike, names: Iterable[str] | None = None
) -> contextlib.AbstractContextManager[None]:
    """Checks files of a version while the block loads them; see `Manifest.checking`.

    Args:
        version: A version directory. One that was written without a manifest is not
            checked.
        names: The files to check; `None` for all that TensorFlow loads.

    Raises:
        DamagedError: If a file is not as it was written.
    """
    manifest = version_manifest(version)
    if manifest is None:
        return contextlib.nullcontext()
    return manifest.checking(_served(manifest) if names is None else names)


def check_served_files(version: str | os.PathLike) -> None:
    """Raises unless all files that TensorFlow loads are as they were written.

    Args:
        version: A version directory. One that was written without a manifest is not
            checked.

    Raises:
        DamagedError: If one is not.
    """
    manifest = version_manifest(version)
    if manifest is not None:
        manifest.check(_served(manifest))


def _served(manifest):
    outside = ("batching_params.pbtxt", f"{EXTRA}/")
    return [name for name in manifest.files if not name.startswith(outside)]


def _had_manifest(version):
    try:
        return "manifest" in json.loads((version / FACTS).read_bytes())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError) as error:
        raise DamagedError(
            f"version {version.name} in {version} as it was written",
            f"{FACTS}, which cannot be read ({error})",
            FIX,
        ) from error
