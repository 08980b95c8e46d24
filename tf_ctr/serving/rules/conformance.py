"""All rules of TF Serving for a version, in the order in which they make sense."""

import os
import pathlib

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules.batching import (
    batching_parameters,
    check_batching,
    execution_size,
)
from tf_ctr.serving.rules.files import check_files, check_version_name
from tf_ctr.serving.rules.findings import Finding, error, errors
from tf_ctr.serving.rules.graph import check_graph
from tf_ctr.serving.rules.requests import check_requests
from tf_ctr.serving.rules.rows import NUM_ROWS, check_rows, check_schema
from tf_ctr.serving.rules.signatures import check_signatures
from tf_ctr.serving.rules.warmup import check_warmup
from tf_ctr.serving.version import read_meta_graph


def check(
    version: str | os.PathLike, published: bool = True, schema: Schema | None = None
) -> list[Finding]:
    """Returns where a version departs from the rules of TF Serving.

    It checks files and checksums, signatures, operations and batching parameters; it
    runs every warm-up request and request sample, then rows that are drawn from the
    schema. Nothing is written.

    Args:
        version: A version directory, e.g. `"savedmodels/dcn/1"`.
        published: Whether the directory must have the name of a version already.
        schema: The schema of the version, if it is at hand. `None` reads it.

    Returns:
        The findings. If none has severity `"error"`, the server will load the version
        and answer requests.

    Example:

    >>> [finding] = check("savedmodels/no-such-model/1")
    >>> finding.rule, finding.severity
    ('files', 'error')
    """
    version = pathlib.Path(version)
    found = list(check_version_name(version)) if published else []
    try:
        meta_graph = read_meta_graph(version)
    except (ValueError, OSError) as problem:
        return [*found, error("files", f"the version does not load. {problem}")]
    found += check_files(version, meta_graph)
    found += check_signatures(meta_graph)
    found += check_graph(meta_graph)
    found += check_batching(version, meta_graph)
    if errors(found):  # A damaged version is not run.
        return found
    try:
        with SessionLoader(version) as loaded:
            return found + _run(version, loaded, schema)
    except ValueError as problem:
        return [*found, error("load", f"the version does not load. {problem}")]


def require_conformant(
    version: str | os.PathLike, published: bool = True, schema: Schema | None = None
) -> list[Finding]:
    """Returns the notes of `check`, or raises.

    Args:
        version: A version directory.
        published: Whether the directory must have the name of a version already.
        schema: As for `check`.

    Raises:
        ValueError: With all errors that `check` finds.
    """
    found = check(version, published, schema)
    if wrong := errors(found):
        raise ValueError(
            explain(
                f"{version} by the rules of TF Serving",
                "; ".join(f"{each.rule}: {each.message.rstrip('.')}" for each in wrong),
                "export the version again",
            )
        )
    return found


def _run(version, loaded, schema):
    """The findings of the rules that run the version."""
    parameters = batching_parameters(version)
    sizes = []
    if parameters is not None:  # No batch is filled up to a size that is not executed.
        largest = execution_size(parameters)
        sizes = [n for n in parameters.allowed_batch_sizes if n <= largest]
    found = [*check_warmup(version, loaded, sizes), *check_requests(version, loaded)]
    file = version / "assets.extra" / "schema.json"
    if schema is None and file.exists():
        try:
            schema = Schema.load(file)
        except (ValueError, TypeError) as problem:
            return [*found, error("rows", str(problem))]
    if schema is not None:
        found += check_schema(schema, loaded.meta_graph)
        columns = raw_columns(schema, schema.example_rows(NUM_ROWS))
        found += check_rows(loaded, columns)
    return found
