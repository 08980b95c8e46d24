"""Compares latency, size, memory and start of exported versions.

Times `serving_default` on raw rows, including lookups, in this process and without
network, as ratios to the first version. All versions take turns in one interleaved run;
"again" is the first one once more, and shows the noise. Memory and seconds are those of
a process that loads the version as the server does, TensorFlow included; per id of all
vocabularies, they tell something for a version of many ids.

    python -m pipelines.benchmarks.serving savedmodels/dcn/1 savedmodels/autoft/1
"""

import argparse
import pathlib
import time
from collections.abc import Sequence

import pandas as pd

from pipelines.benchmarks.compiled import description
from pipelines.benchmarks.interleave import interleave, ratios, timing_parser
from pipelines.benchmarks.memory import own_memory
from pipelines.harness.arguments import add_number_list
from pipelines.harness.tables import frame_table
from tf_ctr.data.read_frame import read_frame
from tf_ctr.serving.differences import call_of, served_bytes
from tf_ctr.serving.loaders.process import ProcessLoader
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.version import load_saved_model, load_schema

NUM_ROWS = 1024


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = timing_parser("serving", __doc__, rounds=200)
    add = program.add_argument
    add("versions", nargs="+", metavar="VERSION", help="a version directory")
    add("--rows", metavar="PARQUET", help="raw rows; default: the schema's examples")
    add_number_list(program, "batch-sizes", [1, 64, 1024], "batch sizes B")
    args = program.parse_args(argv)
    names = [_name(path) for path in args.versions]
    if len(set(names)) < len(names):
        program.error(f"versions must have different names, not {names}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Prints sizes and latencies of the versions."""
    args = parse(argv)
    print(f"{description()}, {args.rounds} rounds\n")
    frame = costs(args)
    print(frame_table(frame.astype(object).where(frame.notna(), "")))
    if args.csv:
        frame.to_csv(args.csv)


def costs(args):
    """Returns a frame with a row per version: size, and for each batch the latency."""
    signatures, columns, loads = {}, {}, {}
    given = read_frame(args.rows) if args.rows else None
    for path in args.versions:
        name = _name(path)
        schema = load_schema(path)
        rows = schema.example_rows(NUM_ROWS) if given is None else given
        columns[name] = raw_columns(schema, rows)
        signatures[name] = load_saved_model(path).signatures["serving_default"]
        loads[name] = {"MB": served_bytes(path) / 1e6, **_load(path, schema)}
    table = pd.DataFrame(loads).T
    first = next(iter(signatures))
    for size in args.batch_sizes:
        calls = {
            name: call_of(signature, columns[name], size)
            for name, signature in signatures.items()
        }
        calls[f"{first} again"] = call_of(signatures[first], columns[first], size)
        found = ratios(interleave(calls, args.rounds, args.seed, warmup=10), first)
        table = table.reindex(table.index.union(found.index, sort=False))
        table[f"ms at {size}"] = 1e3 * found["seconds"]
        table[f"ratio at {size}"] = found["ratio"]
    return table.rename_axis("version")


def _load(path, schema):
    """Memory and seconds of a process that loads a version, whole and per id."""
    start = time.monotonic()
    with ProcessLoader(path) as loaded:
        seconds = time.monotonic() - start
        memory = own_memory(loaded.pid)
    tables = {field.owner.name: field.owner for field in schema.fields if field.table}
    ids = sum(len(getattr(each, "vocabulary", ()) or ()) for each in tables.values())
    found = {"MB in memory": memory / 1e6, "s to load": seconds, "ids": ids}
    if ids:
        found |= {"bytes per id": memory / ids, "us per id": 1e6 * seconds / ids}
    return found


def _name(path):
    """The name of the model and its number."""
    return "/".join(pathlib.Path(path).resolve().parts[-2:])


if __name__ == "__main__":
    main()
