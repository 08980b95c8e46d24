"""What every program needs to read its command line; imports no TensorFlow."""

import argparse
import math
import pathlib
from collections.abc import Callable, Iterable
from typing import Any


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Returns a parser that shows `description` as it is written.

    Args:
        name: The module of the program, e.g. `"pipelines.compare"`.
        description: What `--help` prints before the options.
    """
    return argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_folders(to: argparse.ArgumentParser, data: str, run_dir: str) -> None:
    """Adds the options `--data-dir` and `--run-dir`.

    Args:
        to: The parser.
        data: What the folder of the data holds.
        run_dir: What the folder of the run is for, and its default.
    """
    to.add_argument(
        "--data-dir",
        type=existing_folder,
        metavar="DIR",
        help=f"{data}; default: $TF_CTR_DATA, or else TensorFlow Datasets",
    )
    to.add_argument("--run-dir", type=new_folder, metavar="DIR", help=run_dir)


def add_numbers(
    to: argparse.ArgumentParser,
    numbers: Iterable[tuple[str, int | None, str]],
    least: int = 1,
) -> None:
    """Adds options for whole numbers.

    Args:
        to: The parser.
        numbers: Name, default and description of each; `seed` may be 0.
        least: The smallest valid number.
    """
    for name, default, text in numbers:
        to.add_argument(
            f"--{name.replace('_', '-')}",
            type=number(int, 0 if name == "seed" else least),
            default=default,
            metavar="N",
            help=text if default is None else f"{text}; default: {default}",
        )


def add_number_list(
    to: argparse.ArgumentParser, name: str, default: list[int], text: str
) -> None:
    """Adds an option for one or more whole numbers of at least 1."""
    to.add_argument(
        f"--{name}",
        type=number(int, 1),
        nargs="+",
        default=default,
        metavar="N",
        help=f"{text}; default: {' '.join(map(str, default))}",
    )


def number(
    kind: type, minimum: float, maximum: float = math.inf
) -> Callable[[str], Any]:
    """Returns an argparse type for numbers in `[minimum, maximum]`."""

    def parse(text):
        value = kind(text)
        if not minimum <= value <= maximum:  # NaN fails, too.
            raise argparse.ArgumentTypeError(f"{text} is not in [{minimum}, {maximum}]")
        return value

    parse.__name__ = kind.__name__  # argparse names it: "invalid int value".
    return parse


def existing_folder(text: str) -> pathlib.Path:
    """Returns the path of a folder that exists; an argparse type."""
    path = pathlib.Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return path


def existing_file(text: str) -> pathlib.Path:
    """Returns the path of a file that exists; an argparse type."""
    path = pathlib.Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def new_folder(text: str) -> pathlib.Path:
    """Returns the path of a folder that exists or can be created; an argparse type."""
    path = pathlib.Path(text)
    for parent in (path, *path.parents):
        if parent.exists() and not parent.is_dir():
            raise argparse.ArgumentTypeError(f"{parent} is a file")
    return path


def new_file(text: str) -> pathlib.Path:
    """Returns the path of a file in a folder that exists; an argparse type."""
    path = pathlib.Path(text)
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def widths(text: str) -> tuple[int, ...]:
    """Returns `(256, 128)` for `"256-128"`; an argparse type."""
    parse = number(int, 1)
    return tuple(parse(width) for width in text.split("-"))
