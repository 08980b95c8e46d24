"""Results as Markdown tables."""

import numpy as np

METRICS = ("auc", "log_loss", "gauc")


def table(records, ceiling=None):
    """Formats the records as a Markdown table: mean, and spread over seeds."""
    lines = [
        "| | AUC | LogLoss | GAUC | seconds | parameters | learning rate |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, group in records.groupby("row", sort=False):
        cells = [_cell(group[name], digits=4) for name in METRICS]
        cells.append(_cell(group["seconds"], digits=0))
        cells.append(f"{group['parameters'].iloc[0]:,}")
        cells.append(f"{group['learning_rate'].iloc[0]:g}")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    if ceiling is not None:
        cells = [f"{ceiling[name]:.4f}" for name in METRICS]
        lines.append("| *Best possible* | " + " | ".join(cells) + " | | | |")
    return "\n".join(lines)


def _cell(values, digits):
    if len(values) == 1:
        return f"{values.iloc[0]:.{digits}f}"
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def line(cells):
    """Returns a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def heading(cells):
    """Returns the first two lines of a Markdown table."""
    return [line(cells), "|" + "---|" * len(cells)]


def spread(values, form=".4f"):
    """Returns mean, and standard deviation over seeds; NaN is left out."""
    values = np.asarray(values, "float64")
    values = values[~np.isnan(values)]
    if not len(values):
        return ""
    shown = f"{values.mean():{form}}"
    return shown if len(values) == 1 else f"{shown} ± {values.std(ddof=1):.4f}"


def markdown(frame, digits=3):
    """Returns a frame, its index included, as a Markdown table.

    Args:
        frame: The table.
        digits: Significant digits of the floating point columns.

    Returns:
        The text, one line per row.

    Example:

    >>> print(markdown(pd.DataFrame({"ratio": [1.5]}, index=["a"])))
    |  | ratio |
    |---|---|
    | a | 1.5 |
    """
    table = frame.reset_index(names=frame.index.name or "")
    lines = [list(table.columns), *table.itertuples(index=False)]
    rows = [
        "| " + " | ".join(_rounded(value, digits) for value in line) + " |"
        for line in lines
    ]
    return "\n".join([rows[0], "|" + "---|" * len(table.columns), *rows[1:]])


def _rounded(value, digits):
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
