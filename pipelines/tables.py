"""Results as Markdown tables."""

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
