"""A page: its sections, and the template that they are filled into."""

import base64
import dataclasses
import importlib.util
import io
import pathlib
from typing import TYPE_CHECKING, Any

import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BYTES = 2_000_000
MOST_LINES = 200
TEMPLATE = "page.html.jinja"


@dataclasses.dataclass
class Section:
    """A part of a page: a title, a sentence, and a table or pictures.

    Attributes:
        title: The title.
        text: What the part shows, in a sentence or two.
        table: A table; its index is left out.
        pictures: Pairs of a description and a figure.
        details: A long text, folded.
    """

    title: str
    text: str = ""
    table: pd.DataFrame | None = None
    pictures: list[tuple[str, "Figure"]] = dataclasses.field(default_factory=list)
    details: str = ""

    @property
    def head(self) -> list[str]:
        """The names of the table's columns."""
        return [] if self.table is None else [str(name) for name in self.table.columns]

    @property
    def lines(self) -> list[list[str]]:
        """The cells of the table, a line each, the first ones of a long table."""
        if self.table is None:
            return []
        return [
            [cell(value) for value in line]
            for line in self.table.head(MOST_LINES).astype(object).to_numpy().tolist()
        ]

    @property
    def left_out(self) -> int:
        """The number of lines that are not shown."""
        return 0 if self.table is None else max(0, len(self.table) - MOST_LINES)

    @property
    def images(self) -> list[tuple[str, str]]:
        """Pairs of a description and an address that holds the picture itself."""
        return [(text, _address(figure)) for text, figure in self.pictures]


@dataclasses.dataclass
class Page:
    """What a report says.

    Attributes:
        title: The title.
        kind: What the page is about, e.g. `"a trained model"`.
        facts: `{name: value}` at the top.
        sections: The parts, in order.
        links: `{text: address}` of other pages.
        written: When.
    """

    title: str
    kind: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    sections: list[Section] = dataclasses.field(default_factory=list)
    links: dict[str, str] = dataclasses.field(default_factory=dict)
    written: str = ""

    def add(self, title: str, text: str = "", **content: Any) -> None:
        """Adds a section; see `Section`."""
        self.sections.append(Section(title, text, **content))


def write(page: Page, path: pathlib.Path) -> pathlib.Path:
    """Writes a page, whole or not at all, and returns its path.

    Raises:
        ValueError: If it is larger than 2 MB, or a link is no address of a page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    for address in page.links.values():
        if ":" in address.partition("/")[0] and not address.startswith("http"):
            raise ValueError(
                explain(
                    "links to files or to http addresses",
                    address,
                    "pass the path of a page, relative to this one",
                )
            )
    environment = Environment(
        loader=PackageLoader("tf_ctr.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    facts = {name: cell(value) for name, value in page.facts.items()}
    text = environment.get_template(TEMPLATE).render(page=page, facts=facts)
    size = len(text.encode())
    if size > MOST_BYTES:
        raise ValueError(
            explain(
                f"a page of at most {MOST_BYTES / 1e6:.0f} MB",
                f"{size / 1e6:.1f} MB",
                "pass fewer columns in `by`, or fewer runs",
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def require_jinja() -> None:
    """Raises an error that says what to install, where there is no Jinja2."""
    if importlib.util.find_spec("jinja2") is None:
        raise ImportError(
            explain(
                "Jinja2, which fills the template of the page",
                "a Python without it",
                'run pip install "tf_ctr[report]"',
            )
        )


def cell(value: Any) -> str:
    """Returns a value as a person reads it: `12,345`, `0.7123`, nothing for NaN."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value != value:
            return ""
        if value == int(value) and abs(value) < 1e15 and abs(value) >= 10:
            return f"{value:,.0f}"
        return f"{value:.4f}" if 1e-3 <= abs(value) < 100 else f"{value:.4g}"
    return str(value)


def interval(metrics: dict[str, Any], name: str) -> str:
    """Returns a metric with its 95 % interval, where there is one."""
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    text = cell(metrics[name])
    if low is None or high is None or low != low:
        return text
    return f"{text} ({cell(low)} to {cell(high)})"


def _address(figure: "Figure") -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
