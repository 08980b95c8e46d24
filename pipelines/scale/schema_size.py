"""Fits a schema on many ids of many rows: CPU seconds and memory, by step.

The log is made while it is read, in parts of equal size: nothing but the reading is
measured, and no disk is needed. Each part is collected into statistics of its own and
saved; a run that is started again skips the parts that are there. Then all parts are
merged, the schema is fitted, saved and loaded.

    python -m pipelines.scale.schema_size --rows 1e8 --ids 2e7 --folder /tmp/schema_size

Prints a line per step, and writes `results/schema_size.json`.
"""

import argparse
import json
import pathlib
import resource
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tf_ctr.features import Categorical, Schema, Statistics

BLOCK = 1 << 16
RESULTS = pathlib.Path(__file__).parent / "results" / "schema_size.json"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = argparse.ArgumentParser(
        "python -m pipelines.scale.schema_size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    program.add_argument("--rows", type=float, default=1e8, help="rows of the log")
    program.add_argument("--ids", type=float, default=2e7, help="ids, drawn uniformly")
    program.add_argument("--parts", type=int, default=4, help="parts of the log")
    program.add_argument(
        "--dtype", choices=("string", "int64"), default="string", help="of the ids"
    )
    program.add_argument(
        "--folder",
        type=pathlib.Path,
        default=pathlib.Path("/tmp/schema_size"),
        help="where the statistics of the parts are kept",
    )
    args = program.parse_args(argv)
    if not 1 <= args.parts <= args.rows or args.ids < 1:
        program.error("--rows, --ids and --parts must be positive, --rows the largest")
    return args


def log(
    part: int, rows: int, ids: int, dtype: str, verbose: int = 0
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a part, the same each time."""
    rng = np.random.default_rng(part)
    bar = keras.utils.Progbar(rows, verbose=verbose, unit_name="row")
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        # A prime keeps the ids distinct, and spreads them.
        column = pa.array(rng.integers(0, ids, size) * 7919)
        if dtype == "string":
            text = column.cast(pa.string())
            column = pc.binary_join_element_wise("user_", text, "")
        yield pa.record_batch({"user": column})
        bar.update(start + size)


class Steps:
    """Times steps, and prints a line for each."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    def run(self, name: str, function: Any, *arguments: Any) -> Any:
        """Returns what the function returns."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = function(*arguments)
        self.found[name] = {
            "cpu_s": round(time.process_time() - cpu, 1),
            "wall_s": round(time.perf_counter() - wall, 1),
            "peak_gib": round(peak(), 2),
        }
        print(f"{name}: {self.found[name]}", flush=True)
        return result


def peak() -> float:
    """Returns the most memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Runs all steps, and returns their times."""
    schema, steps = Schema([Categorical("user", dtype=args.dtype)]), Steps()
    rows, ids = int(args.rows) // args.parts, int(args.ids)
    args.folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for part in range(args.parts):
        name = f"{args.dtype}-{ids}-{rows}-{part}.parquet"
        paths.append(args.folder / name)
        if paths[-1].exists():
            print(f"part {part} is there already: {paths[-1]}")
            continue
        source = (part, rows, ids, args.dtype)
        steps.run(f"make part {part}", lambda s=source: sum(len(b) for b in log(*s)))
        found = steps.run(
            f"make and collect part {part}",
            lambda s=source: schema.collect(log(*s, verbose=1)),
        )
        steps.run(f"save part {part}", found.save, paths[-1])
        del found
    parts = [
        steps.run(f"load part {part}", Statistics.load, path)
        for part, path in enumerate(paths)
    ]
    merged = steps.run("merge", lambda: parts.pop().merge(*parts))
    parts.clear()
    steps.run("fit", schema.fit, merged)
    del merged
    file = args.folder / "schema.json"
    steps.run("save schema", schema.save, file)
    learned = len(schema.field("user").vocabulary or ())
    steps.run("load schema", Schema.load, file)
    making = sum(v["cpu_s"] for k, v in steps.found.items() if k.startswith("make p"))
    parts_of_fit = ("make and", "merge", "fit")
    fitting = sum(
        v["cpu_s"] for k, v in steps.found.items() if k.startswith(parts_of_fit)
    )
    return {
        "rows": rows * args.parts,
        "ids": learned,
        "dtype": args.dtype,
        "parts": args.parts,
        "cpu_s_per_million_ids": round(1e6 * (fitting - making) / learned, 2),
        "peak_gib": round(peak(), 2),
        "steps": steps.found,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the program."""
    args = parse(argv)
    result = run(args)
    print({name: value for name, value in result.items() if name != "steps"})
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    key = ("rows", "dtype", "parts")
    others = [each for each in known if any(each[k] != result[k] for k in key)]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([*others, result], indent=1) + "\n")


if __name__ == "__main__":
    main()
