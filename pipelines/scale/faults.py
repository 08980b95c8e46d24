"""What happens to a run of two workers when something goes wrong?

Kills, stops and misconfigures workers on this machine, and writes how long it takes
until all have ended, and what they say. After a kill, both are started again by the
same command: they resume, and end with the weights of an unbroken run.

    python -m pipelines.scale.faults
"""

import argparse
import json
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence

import keras
import numpy as np

import tf_ctr
from pipelines.harness.arguments import add_numbers, parser
from pipelines.harness.tables import table
from pipelines.scale import problem
from pipelines.scale.processes import addresses, start, wait

RESULTS = pathlib.Path(__file__).parent / "results" / "faults.jsonl"
EPOCHS, STEPS = 3, 30
# After which step of the run something happens, and from one backup to the next.
STEP, EVERY = 45, 10
WRONG = ("another schema", "another model", "more batches", "a bad row")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the checked arguments of the command line."""
    program = parser("pipelines.scale.faults", __doc__)
    add_numbers(
        program,
        [
            ("start-within", 20, "seconds to wait for all workers"),
            ("lost-after", 10, "seconds without a sign of a worker"),
        ],
    )
    program.add_argument("--worker", type=pathlib.Path, help=argparse.SUPPRESS)
    program.add_argument("--wrong", choices=WRONG, help=argparse.SUPPRESS)
    return program.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a table, and writes the results."""
    args = parse(argv)
    if args.worker:
        train_as_worker(args)
        return
    found = [
        killed(args, 1, "a worker is killed"),
        killed(args, 0, "the chief is killed"),
        stopped(args),
        missing(args),
        port_in_use(args),
        *(misconfigured(args, wrong) for wrong in WRONG),
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("".join(json.dumps(each) + "\n" for each in found))
    head = ["fault", "all ended after, s", "the other worker says"]
    print(table(head, [[r["fault"], f"{r['s']:.1f}", r["says"]] for r in found]))


def train_as_worker(args: argparse.Namespace) -> None:
    """Trains together with the other worker, wrongly if asked to."""
    schema = problem.schema()
    if args.wrong == "another schema":
        schema = schema.extend(
            problem.frame(50, seed=3).assign(user=[*range(100, 150)])
        )
    limits = {"start_within": args.start_within, "lost_after": args.lost_after}
    with tf_ctr.training.workers(schema, **limits):
        shard = tf_ctr.training.shard()
        steps = STEPS + (args.wrong == "more batches")
        rows = problem.frame(steps * problem.GLOBAL, seed=1)
        model = problem.build("dcn", schema)
        if args.wrong == "another model":
            model.optimizer.learning_rate = 0.5
        chosen: list[keras.callbacks.Callback] = [Slow(args.wrong == "a bad row")]
        chosen += tf_ctr.training.callbacks(
            args.worker / "run", monitor="auc", every_steps=EVERY
        )
        model.fit(
            problem.own_batches(rows, schema, shard),
            epochs=EPOCHS,
            callbacks=chosen,
            verbose=0,
            shuffle=False,
        )
    np.savez(args.worker / f"{shard[0]}.npz", *model.get_weights())


class Slow(keras.callbacks.Callback):
    """Leaves time to kill a worker, and prints each step."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self._fails = fails

    def on_train_batch_end(self, batch, logs=None):
        """Waits; raises if this is the worker that meets a bad row."""
        step = int(self.model.optimizer.iterations.numpy())
        print(f"step {step}", flush=True)
        time.sleep(0.02)
        if self._fails and step == STEP:
            raise ValueError("a bad row")


class Pair:
    """Two workers in a folder of their own."""

    def __init__(self, args, folder=None, wrong=None):
        self.folder = folder or pathlib.Path(tempfile.mkdtemp())
        self.hosts, self.args, self.wrong = addresses(2), args, wrong
        self.logs = [self.folder / f"log{index}" for index in range(2)]
        self.processes: list[subprocess.Popen] = []

    def start(self, indices=(0, 1)):
        """Starts the workers."""
        limits = ["--start-within", str(self.args.start_within)]
        limits += ["--lost-after", str(self.args.lost_after)]
        for index in indices:
            program = ["-m", __spec__.name, "--worker", str(self.folder), *limits]
            if self.wrong and index == 1:
                program += ["--wrong", self.wrong]
            self.processes.append(start(program, self.hosts, index, self.logs[index]))
        return self

    def until(self, step):
        """Waits until the chief has trained a step."""
        end = time.monotonic() + 120
        while f"step {step}\n" not in self.said(0) and time.monotonic() < end:
            time.sleep(0.05)

    def said(self, index):
        """What a worker has printed."""
        log = self.logs[index]
        return log.read_text() if log.exists() else ""

    def outcome(self, fault, since, index=0):
        """The record of a fault, once both have ended."""
        codes = wait(self.processes, 120)
        found = re.findall(r"^Received: (.*)$", self.said(index), re.MULTILINE)
        text = re.sub(r" \(127.0.0.1:\d+\)", "", found[-1] if found else "")
        record = {
            "fault": fault,
            "s": time.monotonic() - since,
            "says": text,
            "codes": codes,
        }
        print(record, flush=True)
        return record


def killed(args, index, fault):
    """Kills a worker, starts both again, and compares with an unbroken run."""
    unbroken = Pair(args).start()
    assert_codes(wait(unbroken.processes, 120), unbroken)
    pair = Pair(args).start()
    pair.until(STEP)
    since = time.monotonic()
    pair.processes[index].kill()
    record = pair.outcome(fault, since, 1 - index)
    again = Pair(args, pair.folder).start()
    assert_codes(wait(again.processes, 120), again)
    resumed = re.findall(r"^resuming at .*$", again.said(0), re.MULTILINE)
    one, two = (np.load(each.folder / "0.npz") for each in (unbroken, again))
    differ = max(float(np.abs(one[k] - two[k]).max()) for k in one.files)
    said = f"; started again: {resumed[-1].replace(str(pair.folder) + '/', '')}"
    return record | {"says": record["says"] + said, "differ": differ}


def assert_codes(codes: Sequence[int | None], pair: Pair) -> None:
    """Ends the program if a worker failed that should not."""
    if set(codes) != {0}:
        raise SystemExit(f"exit codes {codes}:\n{pair.said(0)[-2000:]}")


def stopped(args):
    """Freezes a worker, as a machine that hangs or whose network is cut."""
    pair = Pair(args).start()
    pair.until(STEP)
    since = time.monotonic()
    pair.processes[1].send_signal(signal.SIGSTOP)
    wait(pair.processes[:1], 120)
    ended = time.monotonic() - since
    pair.processes[1].kill()
    return pair.outcome("a worker hangs", since) | {"s": ended}


def missing(args):
    """Starts one worker of two."""
    pair, since = Pair(args), time.monotonic()
    return pair.start((0,)).outcome("a worker never starts", since)


def port_in_use(args):
    """Takes the port of a worker away."""
    pair, since = Pair(args), time.monotonic()
    with socket.create_server(("", int(pair.hosts[1].rpartition(":")[2]))):
        return pair.start().outcome("a port is in use", since, 1)


def misconfigured(args, wrong):
    """Starts a worker with something that the other one does not have."""
    pair, since = Pair(args, wrong=wrong).start(), time.monotonic()
    if wrong == "a bad row":
        pair.until(STEP)
        since = time.monotonic()
    return pair.outcome(f"a worker with {wrong}", since)


if __name__ == "__main__":
    main()
