"""The wheel and the sdist, built from the files that git knows."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def committed_files():
    """The paths of the checkout that belong to the project, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:  # An unpacked sdist has no git: all that lies there.
        files = (path for path in ROOT.rglob("*") if path.is_file())
        return [path.relative_to(ROOT) for path in files]
    paths = (pathlib.Path(line) for line in listed.stdout.splitlines())
    return [path for path in paths if (ROOT / path).is_file()]


def build(kind, folder):
    """Builds a `"wheel"` or an `"sdist"` from a copy of the checkout, in `folder`."""
    checkout = folder / "checkout"
    for path in committed_files():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, checkout / path)
    script = f"from setuptools import build_meta as b; b.build_{kind}({str(folder)!r})"
    # In a process of its own, as setuptools reads the current folder.
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=checkout,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    shutil.rmtree(checkout)
    (path,) = (path for path in folder.iterdir() if path.is_file())
    return path
