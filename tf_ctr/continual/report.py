"""Reports the metrics of a run: prequential, by slice, as a matrix, and as gains."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import tensorflow as tf

from tf_ctr import plots
from tf_ctr.continual.measuring import metric_names
from tf_ctr.continual.store import Record
from tf_ctr.errors import check_name
from tf_ctr.files import replacing

TITLES = {"auc": "AUC", "gauc": "GAUC", "log_loss": "LogLoss"}


class Report:
    """The metrics of a run, period by period.

    A period's rows are first scored by the model trained until the previous period, and
    only then trained on. So each metric is measured on rows that the model has not seen
    (prequential evaluation).

    Args:
        records: The records of the periods, in order.

    Attributes:
        records: These records, as a list.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    def __repr__(self) -> str:
        tested = self.frame
        found = [f"{len(self.records)} periods", f"{len(tested)} tested"]
        if "auc" in tested:
            found.append(f"mean AUC {tested['auc'].mean():.4f}")
        if self.skipped:
            found.append(f"{len(self.skipped)} skipped")
        return f"Report({', '.join(found)})"

    def _repr_html_(self) -> str:
        """The metrics of the periods as a table, in a notebook."""
        shown = self.frame.drop(columns="undefined", errors="ignore")
        return f"<p>{self!r}</p>{shown.to_html(index=False, na_rep='')}"

    @property
    def frame(self) -> pd.DataFrame:
        """One line per tested period.

        The columns are `number`, `name`, `trained_until`, `rows`, `click_rate`, `auc`,
        `gauc`, `log_loss` and `calibration`; with several labels, `buy_auc` and so on.
        An undefined metric is NaN and named in `undefined`.
        """
        return pd.DataFrame([_line(r, r["test"]) for r in self.records if r["test"]])

    @property
    def slices(self) -> pd.DataFrame:
        """One line per tested period, column and part: `"new"` or `"old"`."""
        lines = [
            {**_line(record, metrics), "column": column, "part": part}
            for record in self.records
            if record["test"]
            for column, parts in record["test"]["slices"].items()
            for part, metrics in parts.items()
        ]
        return pd.DataFrame(lines)

    @property
    def skipped(self) -> dict[int, str]:
        """`{number: reason}` of the periods that were skipped."""
        return {r["number"]: r["skipped"] for r in self.records if "skipped" in r}

    def matrix(self, metric: str = "auc") -> pd.DataFrame:
        """Returns a metric by the period trained until (rows) and tested on (columns).

        A run without a `MatrixCallback` tests each model only on the next period.

        Args:
            metric: `"auc"`, `"gauc"` or `"log_loss"`; with several labels, e.g.
                `"buy_auc"`. A schema without a group has no GAUC.

        Raises:
            ValueError: If the metric is unknown.
        """
        tests, names = self._tests, metric_names(self._tests)
        check_name("metric", metric, [m for m in names if all(m in t for t in tests)])
        cells = {
            (record["test"]["trained_until"], record["number"]): record["test"][metric]
            for record in self.records
            if record["test"]
        }
        for record in self.records:
            for number, metrics in record.get("matrix", {}).items():
                cells[record["number"], int(number)] = metrics[metric]
        values = pd.Series(cells, dtype="float64")
        values.index = pd.MultiIndex.from_tuples(
            values.index, names=["trained_until", "tested_on"]
        )
        return values.unstack().sort_index().sort_index(axis=1)

    def gains(self, base: "Report") -> pd.DataFrame:
        """Returns this run's metrics minus another's, on periods that both tested.

        Args:
            base: The report of the single-domain model.

        Returns:
            One line per period, with the columns `auc`, `gauc` and `log_loss`, or
            these of each label.
        """
        names = metric_names(self._tests)
        own, other = (
            each.frame.reindex(columns=("number", *names)).set_index("number")
            for each in (self, base)
        )
        return (own - other).dropna(how="all")

    def line(self, record: Record) -> str:
        """Returns one line of text about a period, to print."""
        head = f"period {record['number']} ({record['name']})"
        if "skipped" in record:
            return f"{head}: skipped, {record['skipped']}"
        trained = (
            f"trained on {record['rows_trained']:,} rows in {record['seconds']:.1f} s"
        )
        if record["source"] is not None:
            trained += f", source until {record['source']}"
        if record["test"] is None:
            return f"{head}: {trained}"
        shown = ", ".join(
            f"{name} {_number(record['test'][name])}"
            for name in metric_names([record["test"]])
            if name in record["test"]
        )
        return f"{head}: {shown}; {trained}"

    def to_markdown(self) -> str:
        """Returns the prequential metrics as a Markdown table."""
        if self.frame.empty:
            return "No period was tested."
        names = metric_names(self._tests)
        titles = [TITLES.get(name, name) for name in names]
        lines = [
            f"| period | trained until | rows | {' | '.join(titles)} |",
            f"|---|---|---{'|---' * len(names)}|",
        ]
        for record in self.records:
            test = record["test"]
            if test is None:
                why = record.get("skipped", "not tested, the first one")
                lines.append(f"| {record['name']} | {why} | |{' |' * len(names)}")
                continue
            cells = [_number(test.get(name)) for name in names]
            lines.append(
                f"| {record['name']} | {test['trained_until']} | {test['rows']:,} | "
                f"{' | '.join(cells)} |"
            )
        return "\n".join(lines)

    @property
    def _tests(self) -> list[Mapping[str, Any]]:
        return [record["test"] for record in self.records if record["test"]]

    def write(self, directory: str | os.PathLike) -> None:
        """Writes `report.jsonl`, a record per line, and `report.md`."""
        directory = pathlib.Path(directory)
        lines = "".join(json.dumps(record) + "\n" for record in self.records)
        for name, text in (("jsonl", lines), ("md", self.to_markdown() + "\n")):
            with replacing(directory / f"report.{name}") as partial:
                partial.write_text(text)


def _line(record, metrics):
    values = {
        name: float("nan") if value is None else value
        for name, value in metrics.items()
        if name not in ("slices", "undefined")
    }
    return {
        "number": record["number"],
        "name": record["name"],
        "trained_until": record["test"]["trained_until"],
        **values,
        "undefined": ", ".join(metrics.get("undefined", ())),
    }


def _number(value):
    return "undefined" if value is None else f"{value:.4f}"


class Scalars:
    """Writes the metrics of tested periods for TensorBoard.

    A resumed run writes its finished periods again, because the event files of a killed
    process cannot be continued where it stopped.

    Args:
        folder: The folder; its content is replaced.
        records: The records of the finished periods.
    """

    def __init__(self, folder: pathlib.Path, records: Iterable[Record]) -> None:
        self._folder = folder
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        shutil.rmtree(folder, ignore_errors=True)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Writes the metrics of a period, and those of each slice as another run."""
        if record["test"] is None:
            return
        self._write("all", record["number"], record["test"])
        for column, parts in record["test"]["slices"].items():
            for part, metrics in parts.items():
                self._write(f"{part}_{column}", record["number"], metrics)

    def draw(self, report: Report) -> None:
        """Writes the pictures of tested periods, and the matrix of forgetting.

        Without matplotlib there are none.
        """
        if report.frame.empty or not _has_matplotlib():
            return
        pictures = {}
        for auc in (name for name in report.frame if re.search("(^|_)auc$", name)):
            pictures[f"prequential_{auc}"] = plots.prequential(report.frame, auc)
            if not report.slices.empty:
                by_slice = plots.prequential(report.slices, auc)
                pictures[f"prequential_{auc}_by_slice"] = by_slice
            if any("matrix" in record for record in report.records):
                matrix = report.matrix(auc)
                pictures[f"forgetting_{auc}"] = plots.forgetting(matrix, auc)
        with self._writer("all").as_default(step=report.records[-1]["number"]):
            for name, picture in pictures.items():
                tf.summary.image(name, picture.pixels()[None])
        self._writer("all").flush()

    def _writer(self, name):
        if name not in self._writers:
            path = str(self._folder / name)
            self._writers[name] = tf.summary.create_file_writer(path)
        return self._writers[name]

    def _write(self, name, number, metrics):
        with self._writer(name).as_default(step=number):
            for metric in metric_names([metrics]):
                if metrics.get(metric) is not None:
                    tf.summary.scalar(f"prequential/{metric}", metrics[metric])
        self._writers[name].flush()


def _has_matplotlib():
    return importlib.util.find_spec("matplotlib") is not None
