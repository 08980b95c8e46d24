"""Executes the notebooks' sources and writes the `.ipynb` files, outputs included.

    python notebooks/build.py

The one source of a notebook is its `.py` file in jupytext's percent format.
"""

import pathlib

import jupytext
from nbconvert.preprocessors import ExecutePreprocessor

FOLDER = pathlib.Path(__file__).parent


def build(source, folder=FOLDER):
    """Executes one source in `FOLDER` and writes its notebook to `folder`."""
    notebook = jupytext.read(source)
    runner = ExecutePreprocessor(timeout=900, kernel_name="python3")
    runner.preprocess(notebook, {"metadata": {"path": str(FOLDER)}})
    for cell in notebook.cells:
        if cell.cell_type == "code":  # TensorFlow logs its start-up whatever it is told.
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    jupytext.write(notebook, pathlib.Path(folder) / f"{source.stem}.ipynb")


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("[0-9]*.py")):
        build(path)
