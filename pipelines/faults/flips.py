"""Flips bits in everything that tf_ctr stores, and counts what is read without a word.

One of everything is written to a folder: a period, a snapshot, an exported version, its
labels, a schema, the states of training, results. Then one bit at a time is flipped,
and the thing is read as the library reads it. `results/flips.jsonl` has a line per
file; a stopped script resumes after the last one.

    python -m pipelines.faults.flips
    python -m pipelines.faults.flips --flips 200
"""

import argparse
import collections
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np

from pipelines.faults.stored import Stored, outcome, store_everything
from pipelines.harness.results import Progress, ResultLines, provenance
from pipelines.harness.tables import table

RESULTS = pathlib.Path(__file__).parent / "results" / "flips.jsonl"
OUTCOMES = ("refused", "told", "unclear", "silent")


def main(argv: Sequence[str] | None = None) -> None:
    """Flips the bits, and prints a table."""
    program = argparse.ArgumentParser(
        prog="python -m pipelines.faults.flips", description=__doc__.splitlines()[0]
    )
    program.add_argument("--flips", type=int, default=2000, metavar="N")
    program.add_argument("--results", type=pathlib.Path, default=RESULTS)
    args = program.parse_args(argv)
    lines = ResultLines(args.results)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        things = store_everything(root)
        todo = [(each, path) for each in things for path in each.files]
        each_file = -(-args.flips // len(todo))
        key = {"flips": each_file}
        names = [_name(root, path) for _, path in todo]
        done = sum(lines.has(file=name, **key) for name in names)
        progress = Progress(len(todo), done)
        for stored in things:
            kind, words = outcome(stored, "")
            if kind != "silent":
                raise RuntimeError(f"{stored.kind} is not whole: {words}")
        for (stored, path), name in zip(todo, names, strict=True):
            if lines.has(file=name, **key):
                continue
            counts = flip(stored, path, each_file)
            lines.append(
                {"kind": stored.kind, "file": name, **key, **counts, **provenance()}
            )
            progress.step(f"{name}: {counts}")
    print(report(lines.records))


def flip(stored: Stored, path: pathlib.Path, number: int) -> dict[str, int]:
    """Returns how often each outcome occurred for one file, which is restored.

    Args:
        stored: The thing.
        path: The file.
        number: How many of its bits to flip, drawn without a seed of the clock.
    """
    content = path.read_bytes()
    rng = np.random.default_rng(len(content))
    found = dict.fromkeys(OUTCOMES, 0)
    for bit in rng.choice(
        8 * len(content), size=min(number, 8 * len(content)), replace=False
    ):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << int(bit % 8)
        path.write_bytes(changed)
        kind, words = outcome(stored, path.name)
        found[kind] += 1
        if kind in ("silent", "unclear"):
            print(f"{kind}: bit {bit} of {path}: {words[:300]}")
    path.write_bytes(content)
    return found


def report(records: Sequence[dict]) -> str:
    """Returns a Markdown table of the outcomes by kind.

    Args:
        records: The lines of the results.
    """
    sums: dict[str, collections.Counter] = {}
    for record in records:
        counts = sums.setdefault(record["kind"], collections.Counter())
        counts.update({name: record[name] for name in OUTCOMES})
    rows = [[kind, *(str(sums[kind][name]) for name in OUTCOMES)] for kind in sums]
    total = sum(sums.values(), collections.Counter())
    rows.append(["all", *(str(total[name]) for name in OUTCOMES)])
    return table(["what", *OUTCOMES], rows)


def _name(root, path):
    # The names of weights of early stopping and of data shards are stable.
    return path.relative_to(root).as_posix()


if __name__ == "__main__":
    main()
