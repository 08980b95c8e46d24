"""The command `tf_ctr`: its arguments, and how it ends.

This module lies beside the package, not in it: importing `tf_ctr` imports TensorFlow,
which takes seconds. Here the arguments are read first, so that help and mistakes answer
at once; then `tf_ctr.commands` does the work. `python -m tf_ctr`, `tf_ctr.serving` and
`tf_ctr.export` run this module as well.
"""

import argparse
import importlib.metadata
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence

DESCRIPTION = """\
Cross-domain click-through-rate prediction with TensorFlow and Keras 3.

  tf_ctr                             what is installed, and the first steps
  tf_ctr demo                        a transfer from start to end, in about a minute
  tf_ctr check savedmodels/dcn/2     the rules of TF Serving, without the server
  tf_ctr parity savedmodels/dcn/2    the model's scores, by every way to load a version
  tf_ctr diff savedmodels/dcn/1 savedmodels/dcn/2
  tf_ctr promote savedmodels/dcn --rows labelled.parquet
  tf_ctr rollback savedmodels/dcn
  tf_ctr drop savedmodels/dcn 1
  tf_ctr status savedmodels/dcn
  tf_ctr report runs/target          a page about a run, a version or a comparison
  tf_ctr verify runs                 checksums of runs, snapshots and versions

With --server HOST:PORT, promote, rollback, drop and status ask a running TF Serving
first.
"""
STATUS = """\
exit status:
  0    all is well
  1    a version breaks a rule, scores differ, a version does not pass the gate or
       stays on the disk, a label has no whole and loaded version, or something
       stored is damaged
  2    wrong arguments, or a request that cannot be carried out; the reason is printed
  130  stopped by Ctrl-C
  141  nobody reads the output any more
"""
WELL, FAILED, REFUSED, STOPPED, UNREAD = 0, 1, 2, 130, 141

# Names and defaults of the package, for help without it. A test compares the two.
WAYS = ("this process", "fresh process", "v1 session", "C++ loader")
STABLE, CANARY = "stable", "canary"
PATIENCE = 300.0
LIMITS = {
    "auc_loss": 0.001,
    "calibration_error": 0.1,
    "latency_ratio": 1.25,
    "size_ratio": 1.5,
}


def main(argv: Sequence[str] | None = None, prog: str = "tf_ctr") -> int:
    """Runs one command and returns its exit status.

    Args:
        argv: The arguments; those of the process for `None`.
        prog: What the user typed before them, for help and errors.

    Raises:
        SystemExit: After help, and for wrong arguments.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            arguments = _parse(argv, prog)
            if arguments.command == "demo" and arguments.run_dir is None:
                # Here, so that Ctrl-C can say how to resume from the first second on.
                arguments.run_dir = tempfile.mkdtemp(prefix="tf_ctr_demo_")
                argv += ["--run-dir", arguments.run_dir]
            return _run(arguments)
        finally:
            sys.stdout.flush()  # Where a broken pipe can still be caught.
    except BrokenPipeError:
        # Python flushes once more when it ends, and would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except KeyboardInterrupt:
        todo = "resume" if argv[:1] == ["demo"] else "start again"
        command = shlex.join([*prog.split(), *argv])
        print(f"\nStopped. To {todo}: {command}", file=sys.stderr)
        return STOPPED


def _run(arguments):
    """Runs a command; an error about the request becomes a message."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from tf_ctr import commands

    tf.get_logger().setLevel("ERROR")
    run = getattr(commands, arguments.command or "about")
    refusals = (ValueError, TypeError, ImportError, RuntimeError, OSError)
    try:
        return WELL if run(arguments) else FAILED
    except BrokenPipeError:  # An OSError, but not about the request.
        raise
    except (*refusals, tf.errors.OpError) as error:
        print(error, file=sys.stderr)
        return REFUSED


def _parse(argv, prog):
    parser = argparse.ArgumentParser(
        prog=prog,
        description=DESCRIPTION,
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    _demo(commands)
    _check(commands)
    _parity(commands)
    _diff(commands)
    _promote(commands)
    _rollback(commands)
    _drop(commands)
    _status(commands)
    _verify(commands)
    _report(commands)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        # From the parser of the command, whose usage lists the valid options.
        wrong = commands.choices.get(arguments.command, parser)
        wrong.error(f"unrecognized arguments: {' '.join(unknown)}")
    command = commands.choices.get(arguments.command)
    if getattr(arguments, "wait", None) and not arguments.server:
        command.error("--wait needs --server HOST:PORT")
    if arguments.command == "promote" and not arguments.rows:
        if arguments.label != CANARY:
            command.error("required: --rows FILE; only --label canary goes without")
    return arguments


class _Version(argparse.Action):
    """Prints the version and ends. Argparse's own looks it up for every command."""

    def __call__(self, parser, *_):
        try:
            version = importlib.metadata.version("tf_ctr")
        except importlib.metadata.PackageNotFoundError:  # A checkout, not installed.
            from tf_ctr import __version__ as version
        print(f"tf_ctr {version}")
        parser.exit()


def _demo(commands):
    add = _command(
        commands,
        "demo",
        "Trains a DCN on a synthetic source, carries it to a small target, and "
        "compares it with a DCN that only saw the target",
    )
    add(
        "--rows",
        type=_whole(1000),
        default=100_000,
        metavar="N",
        help="rows of the source; the target has a tenth of them; default: 100000",
    )
    add(
        "--epochs",
        type=_whole(1),
        default=8,
        metavar="N",
        help="most epochs of each model; default: 8",
    )
    add("--seed", type=_whole(0), default=0, metavar="N", help="default: 0")
    add(
        "--run-dir",
        metavar="DIR",
        help="models and logs, to resume from; default: a new temporary folder",
    )
    add("--export", metavar="DIR", help="where to export the AutoFT model")


def _check(commands):
    add = _command(commands, "check", "Checks a version by the rules of TF Serving")
    add("version", metavar="VERSION", help="a version directory")
    _add_trust(add)


def _parity(commands):
    add = _command(
        commands,
        "parity",
        "Compares a version's scores, by every way to load it, with its Keras model's",
    )
    add("version", metavar="VERSION", help="a version directory")
    _add_rows(add, "default: 256 rows drawn from the schema")
    add("--ways", nargs="+", choices=WAYS, default=WAYS, help="default: all")
    _add_trust(add)


def _diff(commands):
    add = _command(commands, "diff", "Compares two versions: scores, size and latency")
    add("first", metavar="FIRST", help="a version directory")
    add("second", metavar="SECOND", help="another one")
    _add_rows(add, "default: 256 rows drawn from the schema of FIRST")
    _add_trust(add)


def _promote(commands):
    add = _command(
        commands, "promote", "Moves a label to a version, if it is good enough"
    )
    _add_directory(add)
    _add_rows(add, "labelled, and not trained on; only --label canary goes without")
    add("--version", type=int, metavar="N", help="default: the newest")
    add("--label", default=STABLE, help=f"default: {STABLE}")
    add("--keep", type=int, metavar="K", help="remove older ones; default: keep all")
    for name, limit in LIMITS.items():
        option = f"--max-{name.replace('_', '-')}"
        add(option, type=float, default=limit, metavar="X", help=f"default: {limit}")
    _add_trust(add)
    _add_server(add, wait="until the server has loaded the version and moved the label")


def _rollback(commands):
    add = _command(
        commands, "rollback", "Moves a label back to the version that had it before"
    )
    _add_directory(add)
    add("--label", default=STABLE, help=f"default: {STABLE}")
    _add_server(add, wait="until the server has moved the label")


def _drop(commands):
    add = _command(
        commands, "drop", "Removes a version, after its labels have moved to stable"
    )
    _add_directory(add)
    add("version", type=int, metavar="N", help="the number of the version")
    _add_server(add, wait="until the version has lost its labels on the server")


def _status(commands):
    add = _command(
        commands, "status", "Shows the versions on the disk, and what is loaded"
    )
    _add_directory(add)
    _add_server(add)


def _report(commands):
    add = _command(
        commands,
        "report",
        "Writes one HTML page about a run, periods, an exported version "
        "or a comparison",
    )
    add(
        "path",
        metavar="PATH",
        help="the folder of a run, a version directory, or a results.jsonl",
    )
    add("--output", metavar="FILE", help="the page; default: the name of PATH, .html")
    add(
        "--link",
        action="append",
        default=[],
        type=_link,
        metavar="TEXT=ADDRESS",
        help="another page to link, e.g. Source=source.html; repeat it for more",
    )


def _link(text):
    name, _, address = text.partition("=")
    if not (name and address):
        raise argparse.ArgumentTypeError(f"{text} is not TEXT=ADDRESS")
    return text


def _verify(commands):
    add = _command(
        commands, "verify", "Checks that what is stored is as it was written"
    )
    add(
        "path",
        metavar="PATH",
        help="a run, snapshots, exported versions, a schema, or a folder above them",
    )
    add(
        "--repair",
        action="store_true",
        help="move what is damaged and can be recomputed into .damaged beside it, and "
        "remove what killed processes left; default: change nothing",
    )


def _command(commands, name, text):
    return commands.add_parser(name, help=text, description=f"{text}.").add_argument


def _add_directory(add):
    add("directory", metavar="DIRECTORY", help="the directory of a model's versions")


def _add_rows(add, text):
    add("--rows", metavar="FILE", help=f"rows in .parquet, .csv or .jsonl: {text}")


def _add_trust(add):
    add(
        "--trust",
        action="store_true",
        help="run a version whatever its operations do, without limits; default: only "
        "versions that just compute, with limits of memory and time",
    )


def _add_server(add, wait=None):
    """Adds `--server`, and `--wait` for what the command may wait for."""
    add(
        "--server",
        metavar="HOST:PORT",
        help="TF Serving's port of gRPC, to ask what is loaded; default: ask nobody",
    )
    if wait is not None:
        add(
            "--wait",
            nargs="?",
            type=_seconds,
            const=PATIENCE,
            default=0.0,
            metavar="SECONDS",
            help=f"wait {wait}; without a number: {PATIENCE:.0f} seconds",
        )


def _seconds(text):
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time to wait")
    return number


_seconds.__name__ = "number of seconds"


def _whole(least):
    """The type of an argument that is a whole number of at least `least`."""

    def read(text):
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    read.__name__ = "whole number"  # For argparse: "invalid whole number value".
    return read


if __name__ == "__main__":
    sys.exit(main())
