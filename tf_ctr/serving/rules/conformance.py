"""All rules of TF Serving for a version, in the order in which they make sense."""

import os
import pathlib

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.loaders.loader import Loader
from tf_ctr.serving.loaders.process import ProcessLoader
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.rules.batching import check_batching
from tf_ctr.serving.rules.files import (
    check_files,
    check_manifest,
    check_version_name,
)
from tf_ctr.serving.rules.findings import Finding, error, errors
from tf_ctr.serving.rules.graph import check_graph
from tf_ctr.serving.rules.running import run_rules
from tf_ctr.serving.rules.signatures import check_signatures
from tf_ctr.serving.untrusted.graph import FIX, problems
from tf_ctr.serving.untrusted.limits import limits_of
from tf_ctr.serving.version import read_meta_graph


def check(
    version: str | os.PathLike,
    published: bool = True,
    schema: Schema | None = None,
    trust: bool = False,
) -> list[Finding]:
    """Returns where a version departs from the rules of TF Serving.

    It checks files and checksums, signatures, operations and batching parameters; it
    runs every warm-up request and request sample, then rows that are drawn from the
    schema. Nothing is written.

    A version may be of a stranger, so it is read first. It runs only if its operations
    can do nothing but compute, and in a process with limits of memory and time.

    Args:
        version: A version directory, e.g. `"savedmodels/dcn/1"`.
        published: Whether the directory must have the name of a version already.
        schema: The schema of the version, if it is at hand. `None` reads it.
        trust: Run it in this process, whatever its operations do.

    Returns:
        The findings. If none has severity `"error"`, the server will load the version
        and answer requests.

    Example:

    >>> [finding] = check("savedmodels/no-such-model/1")
    >>> finding.rule, finding.severity
    ('files', 'error')
    """
    version = pathlib.Path(version)
    is_one = (version / "saved_model.pb").is_file()
    found = list(check_version_name(version)) if published and is_one else []
    found += check_unloaded(version, trust)
    if errors(found):  # A damaged version is not run.
        return found
    try:
        with SessionLoader(version) if trust else load_limited(version) as loaded:
            return found + run_rules(version, loaded, schema)
    except ValueError as problem:
        return [*found, error("load", f"the version does not load. {problem}")]
    except RuntimeError as problem:
        return [*found, error("load", str(problem))]


def check_unloaded(version: pathlib.Path, trust: bool = False) -> list[Finding]:
    """Returns the findings of what lies on disk; the version is not run.

    Args:
        version: A version directory.
        trust: Whether its operations may do more than compute.
    """
    found = list(check_manifest(version))
    if errors(found):  # What damaged files say is of no use.
        return found
    try:
        meta_graph = read_meta_graph(version)
        harms = [] if trust else list(problems(version))
    except (ValueError, OSError) as problem:
        return [*found, error("files", f"the version does not load. {problem}")]
    found += [error("trust", f"{each}: {FIX}") for each in harms]
    if not harms:  # It unpacks archives.
        found += check_files(version, meta_graph)
    found += check_signatures(meta_graph)
    found += check_graph(meta_graph)
    found += check_batching(version, meta_graph)
    return found


def load_limited(version: pathlib.Path) -> Loader:
    """Returns a version, loaded in a process with limits of memory and time."""
    return ProcessLoader(version, limits_of(version))


def require_conformant(
    version: str | os.PathLike, trust: bool = False
) -> list[Finding]:
    """Returns the notes of `check`, or raises.

    Args:
        version: A version directory.
        trust: As for `check`.

    Raises:
        ValueError: With all errors that `check` finds.
    """
    return require_no_errors(version, check(version, trust=trust))


def require_no_errors(
    version: str | os.PathLike, found: list[Finding]
) -> list[Finding]:
    """Returns findings about a version, or raises if any is an error.

    Raises:
        ValueError: With all errors.
    """
    if wrong := errors(found):
        raise ValueError(
            explain(
                f"{version} by the rules of TF Serving",
                "; ".join(f"{each.rule}: {each.message.rstrip('.')}" for each in wrong),
                "export the version again",
            )
        )
    return found
