"""Executes the notebooks' sources and writes the `.ipynb` files, outputs included.

    python notebooks/build.py             all of them
    python notebooks/build.py 03_ctnet    one
    python notebooks/build.py --check     executes them, and writes nothing

The one source of a notebook is its `.py` file in jupytext's percent format. Two are
executed at a time, each in a kernel of its own, in a folder of its own.
"""

import argparse
import pathlib
import re
import time
from concurrent.futures import ThreadPoolExecutor

import jupytext
from nbconvert.preprocessors import ExecutePreprocessor

FOLDER = pathlib.Path(__file__).parent
AT_A_TIME = 2
# The folder that a notebook works in.
TEMPORARY = re.compile(r"/tmp/tmp\w+/")
# In a notebook, TensorFlow logs to stdout.
TENSORFLOW = re.compile(r"^(INFO|WARNING):tensorflow:.*\n?", re.MULTILINE)


def build(source, folder=FOLDER):
    """Executes one source; writes its notebook to `folder`, or nothing for `None`."""
    began = time.perf_counter()
    notebook = jupytext.read(source)
    runner = ExecutePreprocessor(timeout=900, kernel_name="python3")
    runner.preprocess(notebook, {"metadata": {"path": str(FOLDER)}})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # Times, which differ from run to run.
        if cell.cell_type == "code":
            # TensorFlow logs its start-up whatever it is told.
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                if "text" in output:  # The folder differs from run to run.
                    text = TENSORFLOW.sub("", output.text)
                    output.text = TEMPORARY.sub("", text)
            cell.outputs = [o for o in cell.outputs if o.get("text", "-").strip()]
    if folder is not None:
        jupytext.write(notebook, pathlib.Path(folder) / f"{source.stem}.ipynb")
    print(f"{source.stem}: {time.perf_counter() - began:.0f} s", flush=True)


def main():
    """Executes what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in names:
            parser.error(f"no notebook {name}; there are {', '.join(names)}")
    folder = None if arguments.check else FOLDER
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        sources = [FOLDER / f"{name}.py" for name in arguments.names or names]
        list(pool.map(lambda source: build(source, folder), sources))


if __name__ == "__main__":
    main()
