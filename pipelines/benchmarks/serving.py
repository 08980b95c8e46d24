"""Latency and size of exported versions, as ratios to the first.

`serving_default` on raw rows, lookups included, in this process and without network.
All versions take turns in one interleaved run; "again" is the first one once more, and
shows the noise.

    python -m pipelines.benchmarks.serving savedmodels/dcn/1 savedmodels/autoft/1
"""

import argparse
import pathlib

import pandas as pd

from pipelines.benchmarks.compiled import description
from pipelines.benchmarks.interleave import interleave, ratios
from pipelines.harness.options import number
from pipelines.harness.tables import markdown
from tf_ctr.data.read_frame import read_frame
from tf_ctr.serving.differences import call_of, served_bytes
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.version import load_saved_model, load_schema

NUM_ROWS = 1024


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.benchmarks.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    count, add = number(int, 1), parser.add_argument
    add("versions", nargs="+", metavar="VERSION", help="a version directory")
    add("--rows", metavar="PARQUET", help="raw rows; default: the schema's examples")
    add("--batch-sizes", type=count, nargs="+", default=[1, 64, 1024], metavar="N")
    add("--rounds", type=count, default=200, help="timed rounds; default: 200")
    add("--seed", type=int, default=0, help="seed of the orders; default: 0")
    add("--csv", metavar="PATH", help="also write the table here")
    args = parser.parse_args(argv)
    names = [_name(path) for path in args.versions]
    if len(set(names)) < len(names):
        parser.error(f"versions of different names are needed, not {names}")
    return args


def main(argv=None):
    """Prints sizes and latencies of the versions."""
    args = parse(argv)
    print(f"{description()}, {args.rounds} rounds\n")
    frame = costs(args)
    print(markdown(frame.astype(object).where(frame.notna(), "")))
    if args.csv:
        frame.to_csv(args.csv)


def costs(args):
    """Returns a frame with a row per version: size, and for each batch the latency."""
    signatures, columns = {}, {}
    given = read_frame(args.rows) if args.rows else None
    for path in args.versions:
        name = _name(path)
        schema = load_schema(path)
        rows = schema.example_rows(NUM_ROWS) if given is None else given
        columns[name] = raw_columns(schema, rows)
        signatures[name] = load_saved_model(path).signatures["serving_default"]
    table = pd.DataFrame(
        {"MB": {_name(p): served_bytes(p) / 1e6 for p in args.versions}}
    )
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


def _name(path):
    """The name of the model and its number."""
    return "/".join(pathlib.Path(path).resolve().parts[-2:])


if __name__ == "__main__":
    main()
