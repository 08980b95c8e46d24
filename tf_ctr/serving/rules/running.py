"""The rules that run a version: its warm-up requests, its samples, and rows."""

import pathlib

from tf_ctr.features import Schema
from tf_ctr.serving.loaders.loader import Loader
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules.batching import batching_parameters, execution_size
from tf_ctr.serving.rules.findings import Finding, error
from tf_ctr.serving.rules.requests import check_requests
from tf_ctr.serving.rules.rows import NUM_ROWS, check_rows, check_schema
from tf_ctr.serving.rules.warmup import check_warmup
from tf_ctr.serving.version import load_schema


def run_rules(
    version: pathlib.Path, loaded: Loader, schema: Schema | None = None
) -> list[Finding]:
    """Returns the findings of warm-up requests, samples and rows.

    Args:
        version: A version directory.
        loaded: The loaded version.
        schema: The schema of the version, if it is at hand. `None` reads it.

    Raises:
        RuntimeError: If the version ends its process.
    """
    parameters = batching_parameters(version)
    sizes = []
    if parameters is not None:  # No batch is filled up to a size that is not executed.
        largest = execution_size(parameters)
        sizes = [n for n in parameters.allowed_batch_sizes if n <= largest]
    found = [*check_warmup(version, loaded, sizes), *check_requests(version, loaded)]
    file = version / "assets.extra" / "schema.json"
    if schema is None and file.exists():
        try:
            schema = load_schema(version)
        except (ValueError, TypeError) as problem:
            return [*found, error("rows", str(problem))]
    if schema is not None:
        found += check_schema(schema, loaded.meta_graph)
        columns = raw_columns(schema, schema.example_rows(NUM_ROWS))
        found += check_rows(loaded, columns)
    return found
