"""The rules that run a version, in this process or in one with limits."""

import json
import os
import pathlib
import sys

from tf_ctr.features import Schema
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules.batching import batching_parameters, execution_size
from tf_ctr.serving.rules.findings import Finding, error
from tf_ctr.serving.rules.requests import check_requests
from tf_ctr.serving.rules.rows import NUM_ROWS, check_rows, check_schema
from tf_ctr.serving.rules.warmup import check_warmup
from tf_ctr.serving.untrusted.limits import environment, interpreter, run_limited

# Its argument is the version. Not `-m`, which would import this module twice.
PROGRAM = "from tf_ctr.serving.rules import running; running.main()"

RULE = "load"


def run_rules(
    version: str | os.PathLike, schema: Schema | None = None
) -> list[Finding]:
    """Returns the findings of warm-up requests, samples and rows.

    Args:
        version: A version directory.
        schema: The schema of the version, if it is at hand. `None` reads it.
    """
    version = pathlib.Path(version)
    try:
        with SessionLoader(version) as loaded:
            return _run(version, loaded, schema)
    except ValueError as problem:
        return [error(RULE, f"the version does not load. {problem}")]


def run_rules_within_limits(version: str | os.PathLike) -> list[Finding]:
    """Returns the same as `run_rules`, from a process with limits of memory and time.

    Args:
        version: A version directory.
    """
    path = pathlib.Path(version).resolve()
    command = [*interpreter(), "-c", PROGRAM, str(path)]
    try:
        ended = run_limited(command, f"the version {version}", env=environment())
    except ValueError as problem:
        return [error(RULE, str(problem))]
    try:
        found = json.loads(ended.stdout.splitlines()[-1])
        return [Finding(*map(str, each)) for each in found]  # type: ignore[arg-type]
    except (LookupError, ValueError, TypeError):
        status = f"exit status {ended.returncode}"
        if ended.returncode < 0:
            status = f"signal {-ended.returncode}, as a crash or a limit sends it"
        return [
            error(
                RULE,
                f"the version ended its process ({status}): "
                f"{ended.stderr.strip()[-500:]}",
            )
        ]


def main() -> None:
    """Prints the findings of the version in the first argument, as JSON."""
    print(json.dumps(run_rules(sys.argv[1])))


def _run(version, loaded, schema):
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
