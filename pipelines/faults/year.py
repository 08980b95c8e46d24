"""Runs a year of small days, and looks at memory, files, threads, disk and time.

365 days of CTNet with a source of its own, `PruneCallback(keep=7)`, and three levels of
E-CDCTR over the same year: months, weeks, days. Every ten days a line is kept in
`results/year.jsonl`. All must stay flat: the table compares the second month with the
last one. A stopped script resumes after its last day; seconds are those of the CPU.

    python -m pipelines.faults.year --run-dir runs/year
    python -m pipelines.faults.year --run-dir runs/year --days 120 --programs continual
"""

import argparse
import functools
import os
import pathlib
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.harness.results import ResultLines, provenance
from pipelines.harness.tables import table
from tests.support.continual_world import TRAINING, fitted, frame, network
from tf_ctr.backbones import dnn
from tf_ctr.continual import (
    Period,
    PeriodCallback,
    PruneCallback,
    run,
    run_levels,
    train_source,
)
from tf_ctr.continual.store import Store
from tf_ctr.ecdctr import a_ctr_level, cpm_level, tpm_level
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.transfer import add_historical

RESULTS = pathlib.Path(__file__).parent / "results" / "year.jsonl"
KEEP, EVERY = 7, 10
MEASURES = ("memory", "open files", "threads", "disk", "seconds")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the year, and prints a table."""
    program = argparse.ArgumentParser(
        prog="python -m pipelines.faults.year", description=__doc__.splitlines()[0]
    )
    add = program.add_argument
    add("--days", type=int, default=365, metavar="N")
    names = ["continual", "levels"]
    add("--programs", nargs="+", default=names, choices=names)
    add("--run-dir", type=pathlib.Path, required=True, metavar="DIR")
    add("--results", type=pathlib.Path, default=RESULTS)
    args = program.parse_args(argv)
    lines = ResultLines(args.results)
    for name in args.programs:
        watch = Watch(name, args.run_dir / name, lines)
        {"continual": continual, "levels": levels}[name](watch, args.days)
    print(report(lines.records))


class Watch(PeriodCallback):
    """Keeps a line every ten days: what the process and the folder hold.

    Args:
        name: The name of the program.
        root: Its folder.
        lines: Where the lines are kept.
    """

    def __init__(self, name: str, root: pathlib.Path, lines: ResultLines) -> None:
        self.name, self.root, self._lines = name, root, lines
        self._began = time.process_time()

    def on_period_saved(self, period: Period, record: Mapping[str, Any]) -> None:
        """Looks after every tenth day."""
        day = period.number + 1
        if day % EVERY or self._lines.has(program=self.name, day=day):
            return
        files = [path for path in self.root.rglob("*") if path.is_file()]
        # Curves grow by a line a day, as they must.
        sizes = [f.stat().st_size for f in files if f.suffix in (".keras", ".parquet")]
        now = time.process_time()
        measured = {
            "memory": _resident(),
            "open files": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "disk": sum(sizes) / 1e6,
            "seconds": (now - self._began) / EVERY,
        }
        self._lines.append(
            {"program": self.name, "day": day, **measured, **provenance()}
        )
        shown = ", ".join(f"{key} {value:.2f}" for key, value in measured.items())
        print(f"{self.name}, day {day}: {shown}", flush=True)
        self._began = time.process_time()


def continual(watch: Watch, days: int) -> None:
    """A source and a CTNet, day by day; each call runs one day, as a cron job does."""
    schema = fitted()
    source, target = network(schema, 1), network(schema)
    for day in range(len(Store(watch.root / "ctnet").numbers()), days):
        period = [Period(day, frame(seed=day))]
        train_source(
            period,
            watch.root / "source",
            source,
            schema,
            training=TRAINING,
            callbacks=[PruneCallback(KEEP)],
        )
        run(
            period,
            watch.root / "ctnet",
            target=target,
            source=watch.root / "source",
            schema=schema,
            training=TRAINING,
            callbacks=[PruneCallback(KEEP), watch],
        )


def levels(watch: Watch, days: int) -> None:
    """TPM by months, CPM by weeks, A-CTR by days, in one call."""
    schema = fitted()
    root, prune = watch.root, [PruneCallback(KEEP)]
    root.mkdir(parents=True, exist_ok=True)
    backbone = functools.partial(dnn, embedding_dim=2, hidden_units=(3, 2))
    snapshots = root / "snapshots"
    options: dict[str, Any] = {"training": TRAINING}
    tpm = tpm_level(
        [Period(i, frame(seed=i), end=30 * (i + 1)) for i in range(days // 30)],
        root / "tpm",
        network(schema),
        schema,
        SnapshotStore(snapshots, keep=4),
        ["user", "item"],
        callbacks=prune,
        **options,
    )
    cpm = cpm_level(
        [Period(i, frame(seed=i), end=7 * (i + 1)) for i in range(days // 7)],
        root / "cpm",
        add_historical(backbone, schema, ["user", "item"], width=2, num_snapshots=2),
        schema,
        snapshots,
        tpm,
        callbacks=[PruneCallback(KEEP)],
        **options,
    )
    a_ctr = a_ctr_level(
        [Period(i, frame(seed=i), end=i + 1) for i in range(days)],
        root / "a_ctr",
        cpm,
        snapshots,
        callbacks=[PruneCallback(KEEP), watch],
        **options,
    )
    run_levels([tpm, cpm, a_ctr], root, verbose=0)


def _resident():
    """The memory of this process in MB."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def report(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns a Markdown table: the second month against the last one.

    Args:
        records: The lines of the results.
    """
    rows = []
    for name in dict.fromkeys(record["program"] for record in records):
        own = [record for record in records if record["program"] == name]
        last = max(record["day"] for record in own)
        early = [r for r in own if 30 < r["day"] <= 60]
        late = [r for r in own if r["day"] > last - 30]
        for measure in MEASURES:
            one, two = (
                float(np.median([r[measure] for r in part])) for part in (early, late)
            )
            rows.append([name, measure, f"{one:.2f}", f"{two:.2f}"])
    return table(["program", "", "days 31 to 60", "last 30 days"], rows)


if __name__ == "__main__":
    with warnings.catch_warnings():
        main()
