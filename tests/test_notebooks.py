"""Every notebook runs, and the `.ipynb` that is shipped has its source's cells."""

import pathlib

import jupytext
import pytest

from notebooks.build import build

NOTEBOOKS = pathlib.Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))
# What makes a notebook short: every text must be in one of them.
SMALLER = {
    "synthetic.generate(seed=0)": (
        "synthetic.generate(seed=0, source_rows=6000, target_rows=3000, num_days=5)"
    ),
    "epochs=20": "epochs=1",
}


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_notebook_runs_on_fewer_rows(source, tmp_path):
    text = source.read_text()
    for whole, small in SMALLER.items():
        assert whole in text
        text = text.replace(whole, small)
    (tmp_path / source.name).write_text(text)
    build(tmp_path / source.name, tmp_path)
    executed = jupytext.read(tmp_path / f"{source.stem}.ipynb")
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_shipped_notebook_is_built_from_its_source(source):
    shipped = jupytext.read(source.with_suffix(".ipynb"))
    assert cells(shipped) == cells(jupytext.read(source)), (
        "run python notebooks/build.py"
    )
    assert any(cell.get("outputs") for cell in shipped.cells)
