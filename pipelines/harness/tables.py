"""Markdown tables, and the report that holds the tables of an experiment."""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from tf_ctr.files import replacing


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table.

    Args:
        head: The titles of the columns.
        rows: The cells of every row, as many as there are columns.

    Example:

    >>> print(table(["", "AUC"], [["Base", "0.7500"]]))
    |  | AUC |
    |---|---|
    | Base | 0.7500 |
    """
    first, *others = (f"| {' | '.join(cells)} |" for cells in (head, *rows))
    return "\n".join([first, "|" + "---|" * len(head), *others])


def mean_and_spread(values: Sequence[float], form: str = ".4f") -> str:
    """Returns the mean and the standard deviation over seeds.

    NaN is left out; a single value has no spread, and no value gives an empty text.

    Args:
        values: One number per seed.
        form: Format of the mean; the spread has as many digits, and no sign.

    Example:

    >>> mean_and_spread([0.75, 0.77], "+.3f")
    '+0.760 ± 0.014'
    """
    values = np.asarray(values, "float64")
    values = values[~np.isnan(values)]
    if not len(values):
        return ""
    shown = f"{values.mean():{form}}"
    if len(values) == 1:
        return shown
    return f"{shown} ± {values.std(ddof=1):{form.removeprefix('+')}}"


def frame_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """Returns a frame, including its index, as a Markdown table.

    Args:
        frame: The frame.
        digits: Significant digits of floating point numbers.

    Example:

    >>> print(frame_table(pd.DataFrame({"ratio": [1.23456]}, index=["a"])))
    |  | ratio |
    |---|---|
    | a | 1.23 |
    """
    flat = frame.reset_index(names=frame.index.name or "")
    rows = (
        [f"{v:.{digits}g}" if isinstance(v, float) else str(v) for v in row]
        for row in flat.itertuples(index=False)
    )
    return table(list(map(str, flat.columns)), rows)


def report(sections: Iterable[tuple[str, str]]) -> str:
    """Returns a text with a heading for every section.

    Args:
        sections: Pairs of a title and its text.

    Example:

    >>> print(report([("Results", "None is better.")]))
    ### Results
    <BLANKLINE>
    None is better.
    >>> report([])
    'No run is finished.'
    """
    parts = [f"### {title}\n\n{text}" for title, text in sections]
    return "\n\n".join(parts) or "No run is finished."


def show_report(sections: Iterable[tuple[str, str]], run_dir: pathlib.Path) -> None:
    """Prints the report, and writes it to `report.md` in the folder of the run."""
    text = report(sections)
    print(f"\n{text}\n")
    with replacing(run_dir / "report.md") as partial:
        partial.write_text(text + "\n")
