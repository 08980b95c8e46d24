"""Measures what an export costs: memory per id, CPU time, time to load.

Each line is an export in a fresh process. Its memory, and that of the process that it
starts to check the version, are looked at every 10 ms. "bytes per id" is the peak above
what there is before `export`, less that of the smallest vocabulary; "peak / weights" is
the same over the bytes of the model's weights. CPU time is that of both processes.

    python -m pipelines.benchmarks.export_cost --ids 1000 1000000 5000000
    python -m pipelines.benchmarks.export_cost --ids 1000 5000000 --kinds hashed
    python -m pipelines.benchmarks.export_cost --models dcn autoft
"""

import argparse
import contextlib
import gc
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

import pandas as pd

import tf_ctr
from pipelines.benchmarks.compiled import description
from pipelines.benchmarks.memory import own_memory
from pipelines.harness.tables import frame_table
from tf_ctr.serving.version import load_saved_model

FIELDS, NUMBERS, ROWS = 26, 13, 38_000
# Of ids: in a vocabulary, or hashed, where the weights are all there is.
KINDS = ["string", "int64", "hashed"]
HASHED_DIM = 16


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the exports one after the other, and prints a table."""
    program = argparse.ArgumentParser(
        prog="python -m pipelines.benchmarks.export_cost",
        description=__doc__.splitlines()[0],
    )
    add = program.add_argument
    add("--ids", nargs="+", type=int, default=[], metavar="N", help="ids of one field")
    add("--kinds", nargs="+", default=["string", "int64"], choices=KINDS)
    add(
        "--models",
        nargs="+",
        default=[],
        choices=["dcn", "autoft"],
        help=f"with {FIELDS} ids, {NUMBERS} numbers, {ROWS} ids each",
    )
    add("--one", help=argparse.SUPPRESS)  # A line, in the process that measures it.
    args = program.parse_args(argv)
    if args.one:
        print(json.dumps(_measured(*json.loads(args.one))))
        return
    if not args.ids and not args.models:
        program.error("give --ids or --models")
    cases = [[kind, count] for kind in args.kinds for count in sorted(args.ids)]
    cases += [[model, ROWS] for model in args.models]
    lines = []
    for case in cases:
        print("measuring", *case, file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pipelines.benchmarks.export_cost", "--one"]
        done = subprocess.run(
            [*command, json.dumps(case)], stdout=subprocess.PIPE, text=True, check=True
        )
        lines.append(json.loads(done.stdout.splitlines()[-1]))
    table = pd.DataFrame(lines)
    smallest = table.groupby("kind")["peak_bytes"].transform("min")
    above = table.pop("peak_bytes") - smallest
    table["bytes per id"] = above / table["ids"]
    table["peak / weights"] = above / table.pop("weights_bytes")
    print(f"{description()}\n")
    print(frame_table(table.set_index("kind")))


def _measured(kind: str, count: int) -> dict[str, float | str]:
    """Exports once, in this process."""
    if kind in ("dcn", "autoft"):
        names = [f"c{i}" for i in range(FIELDS)]
        fields = [
            tf_ctr.Categorical(name, [f"{name}-{i}" for i in range(count)])
            for name in names
        ]
        numbers = [tf_ctr.Numeric(f"n{i}", mean=0.0, std=1.0) for i in range(NUMBERS)]
        schema = tf_ctr.Schema([*fields, *numbers], group="c0")
        model = tf_ctr.backbones.dcn(schema)
        if kind == "autoft":
            model = tf_ctr.transfer.autoft(model)
    elif kind == "hashed":
        schema = tf_ctr.Schema([tf_ctr.Categorical("item", num_buckets=count)])
        schema = schema.fit(pd.DataFrame({"item": ["a", "b"]}))
        model = tf_ctr.backbones.dnn(schema, HASHED_DIM, (4,))
    else:
        base = 10**15
        ids = [f"item-{i:012d}" if kind == "string" else base + i for i in range(count)]
        users = tf_ctr.Categorical("user", ["ann", "bob"])
        schema = tf_ctr.Schema([tf_ctr.Categorical("item", ids), users])
        del ids
        model = tf_ctr.backbones.dnn(schema, 2, (4,))
    tf_ctr.training.compile(model)
    gc.collect()
    before, peak, stopped = _resident(), [0], threading.Event()

    def watch():
        while not stopped.wait(0.01):
            peak[0] = max(peak[0], _resident())

    watcher = threading.Thread(target=watch)
    with tempfile.TemporaryDirectory() as folder:
        start, cpu = time.monotonic(), _cpu_seconds()
        watcher.start()
        version = tf_ctr.export.export(model, schema, f"{folder}/m", verbose=False)
        stopped.set()
        watcher.join()
        seconds, cpu = time.monotonic() - start, _cpu_seconds() - cpu
        loading = time.process_time()
        load_saved_model(version)
        loading = time.process_time() - loading
        graph = pathlib.Path(version, "saved_model.pb").stat().st_size
    return {
        "kind": kind,
        "ids": count,
        "seconds": seconds,
        "CPU seconds": cpu,
        "load, CPU seconds": loading,
        "saved_model.pb, MB": graph / 1e6,
        "peak_bytes": peak[0] - before,
        "weights_bytes": sum(4 * weight.numpy().size for weight in model.weights),
    }


def _resident() -> int:
    """Bytes of memory of this process and of those that it started."""
    found = own_memory()
    listed = pathlib.Path("/proc/self").glob("task/*/children")
    for pid in (each for file in listed for each in file.read_text().split()):
        with contextlib.suppress(OSError):  # It has ended.
            found += own_memory(pid)
    return found


def _cpu_seconds() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(each) for each in whose]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
