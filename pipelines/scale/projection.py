"""What would 8 and 64 workers do on a real network? A model from measured numbers.

    python -m pipelines.scale.projection

The model, for W workers, each with a machine of its own:

    step = T1 + fixed + merge * (W - 1) * U + hops * latency + bytes / bandwidth

- `T1`: the measured step of one process, which had all cores of its machine.
- `U`: rows of the tables in the batch of one worker (measured). After the exchange each
  worker adds up and updates the rows of all W batches, so this part grows with W.
  `merge` is the measured CPU time per row that comes from another worker: the slope
  from two to four workers, on one core, which overstates it for a machine with more.
- `fixed`: what is left of the CPU time of two workers after that of one and merging:
  writing and reading the messages. None for one worker.
- `bytes`: what a worker sends. Of table rows (W - 1) messages of U * (8 + 4 * D) bytes,
  passed on around a ring; of P dense weights 2 * (W - 1) / W * 4 * P bytes, by a ring
  all-reduce. `cost` counts the bytes of 2 and 4 workers; the table shows both.
- `hops`: messages that wait for each other: two rings of W - 1 for the rows (sizes,
  then rows), one of 2 * (W - 1) for the dense weights. `latency` is assumed, 0.1 ms.
- Nothing overlaps, which is pessimistic; all workers are equally fast, which is not.
- The batch of all workers grows with W. Whether training a model with larger batches
  needs more rows is another question, which this model does not answer.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.harness.arguments import add_number_list, number, parser
from pipelines.harness.tables import table
from pipelines.scale.cost import NETWORKS, RESULTS


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.scale.projection", __doc__)
    add_number_list(program, "workers", [1, 2, 4, 8, 16, 64], "numbers of workers")
    program.add_argument("--network", choices=NETWORKS, default="small")
    program.add_argument("--gigabits", type=number(float, 0.001), default=25.0)
    program.add_argument("--latency-ms", type=number(float, 0.0), default=0.1)
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table."""
    args = parse(argv)
    records = [
        json.loads(line)
        for line in (RESULTS / f"cost_{args.network}.jsonl").read_text().splitlines()
    ]
    least = min(each["rows"] for each in records)
    measured = {
        each["workers"]: each
        for each in records
        if each["rows"] == least and not each["apart"]
    }
    dim = NETWORKS[args.network][1]
    print(shown(measured, dim, args.workers, args.gigabits, args.latency_ms))


def sent_kb(workers: int, rows: float, dim: int, dense: float) -> float:
    """Returns the kB that a worker sends in a step.

    Args:
        workers: The number W of workers.
        rows: Rows of the tables in the batch of one worker.
        dim: Embedding dim.
        dense: Dense weights.

    Example:

    >>> sent_kb(workers=2, rows=1000, dim=8, dense=10_000)  # 40 B a row, 4 a weight
    80.0
    """
    of_rows = (workers - 1) * rows * (8 + 4 * dim)
    return (of_rows + 2 * (workers - 1) / workers * 4 * dense) / 1000


def step_ms(
    measured: Mapping[int, Mapping[str, Any]],
    dim: int,
    workers: int,
    gigabits: float,
    latency: float,
) -> tuple[float, ...]:
    """Returns the ms of a step by part: own batch, messages, merging, wait, sending."""
    one, two, four = (measured[count] for count in (1, 2, 4))
    rows = one["unique_rows"]
    merge = max(0.0, four["cpu_ms"] - two["cpu_ms"]) / (2 * rows)
    fixed = max(0.0, two["cpu_ms"] - one["cpu_ms"] - merge * rows)
    kilobytes = sent_kb(workers, rows, dim, one["dense_parameters"])
    others = workers - 1
    return (
        one["ms"],
        fixed if others else 0.0,
        merge * others * rows,
        4 * others * latency,
        kilobytes * 8 / (1000 * gigabits),
    )


def shown(
    measured: Mapping[int, Mapping[str, Any]],
    dim: int,
    counts: Sequence[int],
    gigabits: float,
    latency: float,
) -> str:
    """Returns the table."""
    cells = []
    for count in counts:
        parts = step_ms(measured, dim, count, gigabits, latency)
        record = measured[1]
        rows, dense = record["unique_rows"], record["dense_parameters"]
        kilobytes = sent_kb(count, rows, dim, dense)
        seen = measured.get(count)
        cells.append(
            [
                str(count),
                f"{kilobytes:,.0f}",
                f"{seen['sent_kb']:,.0f}" if seen else "",
                " + ".join(f"{part:.1f}" for part in parts),
                f"{sum(parts):.1f}",
                f"{1000 * record['batch_size'] * count / sum(parts):,.0f}",
                f"{parts[0] / sum(parts):.2f}",
            ]
        )
    head = [
        "workers",
        "kB sent",
        "measured",
        "own + fixed + merge + wait + send, ms",
        "ms/step",
    ]
    return table([*head, "rows/s", "efficiency"], cells)


if __name__ == "__main__":
    main()
