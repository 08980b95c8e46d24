"""The notebooks that are shipped are their sources, executed, and one runs.

`notebooks/build.py --check` executes all of them; `.ci/run` does.
"""

import pathlib

import jupytext
import pytest

from notebooks.build import build

NOTEBOOKS = pathlib.Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_a_notebook_runs(tmp_path):
    """The fastest: the one on rows of any size."""
    build(NOTEBOOKS / "08_larger_than_memory.py", tmp_path)
    executed = jupytext.read(tmp_path / "08_larger_than_memory.ipynb")
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_shipped_notebook_is_its_source_executed(source):
    shipped = jupytext.read(source.with_suffix(".ipynb"))
    again = f"run python notebooks/build.py {source.stem}"
    assert cells(shipped) == cells(jupytext.read(source)), again
    code = [cell for cell in shipped.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), again
    outputs = str([cell.outputs for cell in code])
    assert "image/png" in outputs or source.stem[:2] in (
        "07",
        "08",
    )  # Their results are tables.
    texts = str([o.get("text") for cell in code for o in cell.outputs])
    assert "/tmp/" not in texts and "Traceback" not in outputs


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_says_how_to_install_and_what_is_next(source):
    title, install, *_, last = jupytext.read(source).cells
    assert title.cell_type == "markdown" and title.source.startswith("# ")
    assert install.cell_type == "code" and "pip install" in install.source
    assert last.cell_type == "markdown" and last.source.startswith("## What is next")
    assert "sys.path" not in source.read_text()
