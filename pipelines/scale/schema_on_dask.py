"""Fits a schema on a cluster: `collect` is the map, `merge` the reduce.

    python -m pipelines.scale.schema_on_dask log --schema new.json --out schema.json
    python -m pipelines.scale.schema_on_dask s3://bucket/log --scheduler host:8786 ...

Files are dealt to tasks of about equal size, each of which reads its files with
`Schema.collect`; the statistics are merged in pairs where they are, so that no machine
holds those of all parts. The schema is that of one machine, to the bit.

Without `--scheduler`, `--workers` processes are started on this machine. Dask is an
engine among others: all it needs is a function of files and a function of two
statistics, both of which can be pickled. Needs `pip install distributed`.
"""

import argparse
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow.dataset as arrow_dataset
import pyarrow.fs

from tf_ctr.errors import explain
from tf_ctr.features import Schema, Statistics

IN_PAIRS = 2


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = argparse.ArgumentParser(
        "python -m pipelines.scale.schema_on_dask",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    program.add_argument("log", help="a folder or URI of Parquet files")
    program.add_argument(
        "--schema", type=pathlib.Path, required=True, help="what Schema.save wrote"
    )
    program.add_argument(
        "--out", type=pathlib.Path, required=True, help="the fitted schema to write"
    )
    program.add_argument(
        "--statistics", type=pathlib.Path, help="also write the merged statistics here"
    )
    program.add_argument("--period", type=int, default=0, help="number of the period")
    program.add_argument("--tasks", type=int, default=64, help="parts of the log")
    program.add_argument("--scheduler", help="host:port of a cluster")
    program.add_argument("--workers", type=int, default=2, help="processes without one")
    args = program.parse_args(argv)
    if min(args.tasks, args.workers) < 1:
        program.error("--tasks and --workers must be at least 1")
    return args


def deal(log: str, tasks: int) -> list[list[str]]:
    """Returns the files of a log in parts of about equal bytes, at most `tasks`.

    Args:
        log: A folder or URI of Parquet files.
        tasks: The number of parts.

    Raises:
        ValueError: If there is no file.
    """
    filesystem, path = pyarrow.fs.FileSystem.from_uri(
        log if "://" in log else pathlib.Path(log).absolute().as_uri()
    )
    files = arrow_dataset.dataset(path, filesystem=filesystem).files
    if not files:
        raise ValueError(
            explain(f"Parquet files in {log}", "none", "check the path or the URI")
        )
    sizes = {info.path: info.size for info in filesystem.get_file_info(files)}
    prefix = log[: log.index("://") + 3] if "://" in log else ""
    parts: list[list[str]] = [[] for _ in range(min(tasks, len(files)))]
    filled = [0] * len(parts)
    for file in sorted(files, key=lambda each: -sizes[each]):
        least = filled.index(min(filled))
        parts[least].append(prefix + file)
        filled[least] += sizes[file]
    return parts


def collect(schema: Schema, files: Sequence[str], period: int = 0) -> Statistics:
    """The map: the statistics of some files, on any machine."""
    return schema.collect(list(files), period=period)


def merge(one: Statistics, *others: Statistics) -> Statistics:
    """The reduce: the statistics of several parts."""
    return one.merge(*others)


def reduced(
    submit: Callable[..., Any], schema: Schema, parts: Sequence[Any], period: int = 0
) -> Any:
    """Returns the future of the statistics of all parts.

    Args:
        submit: Runs a function on some machine and returns a future, which it takes as
            an argument too; e.g. `distributed.Client.submit`.
        schema: The schema to fit.
        parts: The files of each task.
        period: The number of the period of the rows.
    """
    found = [submit(collect, schema, files, period) for files in parts]
    while len(found) > 1:
        found = [
            submit(merge, *found[start : start + IN_PAIRS])
            for start in range(0, len(found), IN_PAIRS)
        ]
    return found[0]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the program."""
    args = parse(argv)
    try:
        import distributed
    except ImportError as error:
        raise SystemExit(
            explain("the engine Dask", str(error), "pip install distributed")
        ) from error
    schema = Schema.load(args.schema)
    parts = deal(args.log, args.tasks)
    print(f"{sum(map(len, parts))} files in {len(parts)} tasks")
    if args.scheduler:
        connect = functools.partial(distributed.Client, args.scheduler)
    else:
        connect = functools.partial(
            distributed.Client,
            n_workers=args.workers,
            threads_per_worker=1,
            dashboard_address=None,
        )
    with connect() as client:
        # Each task reads other files, so that equal calls are no repetitions.
        submit = functools.partial(client.submit, pure=False)
        merged = reduced(submit, schema, parts, args.period).result()
    if args.statistics is not None:
        merged.save(args.statistics)
    schema.fit(merged).save(args.out)
    print(f"{merged.rows:,} rows; {args.out}")
    print(schema.summary().to_string())


if __name__ == "__main__":
    main()
