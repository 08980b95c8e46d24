"""The page of a continual run."""

import json
import pathlib
import re

import pandas as pd

from tf_ctr import plots
from tf_ctr.continual import Report
from tf_ctr.errors import explain
from tf_ctr.reports.page import Page


def read(folder: pathlib.Path) -> Report:
    """Returns the report of a run from its `report.jsonl`."""
    path = folder / "report.jsonl"
    try:
        return Report([json.loads(line) for line in path.read_text().splitlines()])
    except ValueError as error:
        fix = "call tf_ctr.continual.run again, which writes it"
        raise ValueError(
            explain("a JSON object per line", f"{path}: {error}", fix)
        ) from (error)


def page(report: Report, title: str) -> Page:
    """Returns the page of a run.

    Args:
        report: What `tf_ctr.continual.run` returned.
        title: The title.

    Raises:
        ValueError: If the run has no period.
    """
    if not report.records:
        raise ValueError(explain("a run with a period", "none", "run a period first"))
    frame, slices = report.frame, report.slices
    made = Page(title or "Continual run", "A continual run")
    trained = [record for record in report.records if "skipped" not in record]
    made.facts = {"periods": len(report.records), "tested": len(frame)}
    made.facts["skipped"] = len(report.skipped)
    if trained:
        made.facts["newest model"] = f"period {trained[-1]['number']}"
    aucs = [name for name in frame if re.search("(^|_)auc$", str(name))]
    for auc in aucs:
        made.facts[f"mean {auc}"] = float(frame[auc].mean())
        pictures = [(f"{auc} by period", plots.prequential(frame, auc))]
        if not slices.empty and auc in slices:
            by_slice = plots.prequential(slices, auc)
            pictures.append((f"{auc} by period and slice", by_slice))
        text = "Each period is scored before it is trained on."
        made.add(f"Prequential {auc}", text, pictures=pictures)
        if any("matrix" in record for record in report.records):
            text = "Down a column: what later training does to the same period."
            picture = plots.forgetting(report.matrix(auc), auc)
            made.add(
                f"What is remembered, by {auc}",
                text,
                pictures=[("Trained until, against tested on", picture)],
            )
    if not frame.empty:
        hidden = [n for n in frame if str(n).startswith(("groups_", "undefined"))]
        made.add("Metrics", table=frame.drop(columns=hidden))
    made.add(
        "Periods",
        "What happened to each: trained on, skipped, and what was published for it.",
        table=pd.DataFrame([_line(record) for record in report.records]),
    )
    return made


def _line(record):
    line = {"period": record["number"], "name": record["name"]}
    line["state"] = "skipped" if "skipped" in record else "trained"
    line["why"] = record.get("skipped", "")
    line["rows trained on"] = record.get("rows_trained")
    line["source until"] = record.get("source")
    line["seconds"] = record.get("seconds")
    # What the callbacks of a run keep: snapshots, versions.
    known = {"matrix", "test", "slices"}
    for name, value in record.items():
        published = "publish" in name or "snapshot" in name or "version" in name
        if published and name not in known and isinstance(value, str | int | bool):
            line[name] = value
    return line
