"""Checks, compares and promotes exported versions.

    python -m tf_ctr.export check savedmodels/dcn/2
    python -m tf_ctr.export parity savedmodels/dcn/2 --rows days.parquet
    python -m tf_ctr.export diff savedmodels/dcn/1 savedmodels/dcn/2
    python -m tf_ctr.export promote savedmodels/dcn --rows labelled.parquet
    python -m tf_ctr.export rollback savedmodels/dcn

The exit status is 0 if all is well, 1 if a version breaks a rule, scores differ or the
gate is not passed, 2 if what was asked for cannot be done.
"""

import argparse
import sys

import tensorflow as tf

from tf_ctr.data.read_frame import read_frame
from tf_ctr.serving.differences import diff
from tf_ctr.serving.labels.gate import Limits
from tf_ctr.serving.labels.models_config import STABLE
from tf_ctr.serving.labels.promotion import chosen_version, promote, rollback
from tf_ctr.serving.parity import WAYS, compare_ways
from tf_ctr.serving.rules.conformance import check
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.version import load_schema

REFUSALS = (
    ValueError,
    TypeError,
    ImportError,
    RuntimeError,
    OSError,
    tf.errors.OpError,
)


def parse(argv=None):
    """Returns the checked arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tf_ctr.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_check(commands)
    _add_parity(commands)
    _add_diff(commands)
    _add_promote(commands)
    _add_rollback(commands)
    return parser.parse_args(argv)


def main(argv=None) -> int:
    """Runs one command; returns the exit status."""
    arguments = parse(argv)
    tf.get_logger().setLevel("ERROR")
    try:
        result, well = arguments.run(arguments)
    except REFUSALS as error:
        print(error, file=sys.stderr)
        return 2
    print(result)
    return 0 if well else 1


def _add_check(commands):
    each = _command(commands, "check", "the rules of TF Serving, without the server")
    each.add_argument("version", help="a version directory")

    def run(arguments):
        found = check(arguments.version)
        lines = [*map(str, found), f"{len(errors(found))} errors"]
        return "\n".join(lines), not errors(found)

    each.set_defaults(run=run)


def _add_parity(commands):
    each = _command(commands, "parity", "the scores by every way to load a version")
    each.add_argument("version", help="a version directory")
    _add_rows(each, "default: 256 rows drawn from the schema")
    each.add_argument(
        "--ways", nargs="+", choices=WAYS, default=list(WAYS), help="default: all"
    )

    def run(arguments):
        frame = _rows(arguments, arguments.version)
        found = compare_ways(arguments.version, frame, ways=arguments.ways)
        return found, found.agrees

    each.set_defaults(run=run)


def _add_diff(commands):
    each = _command(commands, "diff", "two versions: scores, size and latency")
    each.add_argument("first", help="a version directory")
    each.add_argument("second", help="another one")
    _add_rows(each, "default: 256 rows drawn from the schema of the first")

    def run(arguments):
        frame = _rows(arguments, arguments.first)
        return diff(arguments.first, arguments.second, frame), True

    each.set_defaults(run=run)


def _add_promote(commands):
    each = _command(
        commands, "promote", "move a label to a version that is good enough"
    )
    add = each.add_argument
    add("directory", help="the directory of a model's versions")
    _add_rows(each, "labelled, and not trained on", required=True)
    add("--version", type=int, metavar="N", help="default: the newest")
    add("--label", default=STABLE, help=f"default: {STABLE}")
    add("--keep", type=int, metavar="K", help="remove older ones; default: keep all")
    for name, default in Limits._field_defaults.items():
        option = f"--max-{name.replace('_', '-')}"
        add(
            option, type=float, default=default, metavar="X", help=f"default: {default}"
        )

    def run(arguments):
        version = chosen_version(arguments.directory, arguments.version)
        limits = {name: getattr(arguments, f"max_{name}") for name in Limits._fields}
        result = promote(
            arguments.directory,
            _rows(arguments, version),
            version.name,
            arguments.label,
            Limits(**limits),
            arguments.keep,
        )
        return result, result.moved

    each.set_defaults(run=run)


def _add_rollback(commands):
    each = _command(commands, "rollback", "give a label back to the version before")
    each.add_argument("directory", help="the directory of a model's versions")
    each.add_argument("--label", default=STABLE, help=f"default: {STABLE}")
    each.set_defaults(run=lambda a: (rollback(a.directory, a.label), True))


def _command(commands, name, text):
    return commands.add_parser(name, help=text, description=text)


def _add_rows(each, text, required=False):
    each.add_argument(
        "--rows",
        metavar="FILE",
        required=required,
        help=f"rows in .parquet, .csv or .jsonl: {text}",
    )


def _rows(arguments, version):
    if arguments.rows is None:
        return None
    return read_frame(arguments.rows, load_schema(version))


if __name__ == "__main__":
    sys.exit(main())
