"""The README's examples run with only the wheel, on fewer rows; its tree is true."""

import re
import subprocess
import sys
import zipfile

import pytest

from tests.support.built import ROOT, build

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that holds what the wheel installs."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        archive.extractall(folder)
    return folder


def test_examples_run_with_only_the_wheel(installed, tmp_path):
    first, daily, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    small = "synthetic.generate(source_rows=6000, target_rows=3000, num_days=5)"
    assert "synthetic.generate()" in first
    assert "epochs=20" in first
    script = first.replace("synthetic.generate()", small)
    script = script.replace("epochs=20", "epochs=1") + daily
    script += "\nimport sys\nassert 'pipelines' not in sys.modules"
    script += f"\nassert tf_ctr.__file__.startswith({str(installed)!r})"
    # As `python -m tf_ctr`, which ends the process.
    script += "\nimport runpy\nrunpy.run_module('tf_ctr', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'auc'" in done.stdout
    assert "First steps:" in done.stdout
    assert (tmp_path / "savedmodels/example/1/saved_model.pb").exists()
    assert (tmp_path / "runs/ctnet/000001/model.keras").exists()


def test_the_tree_lists_every_file_and_folder():
    tree = re.search(r"## The tree\n\n```\n(.*?)```", README, re.DOTALL)[1]
    parents = []
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [name]
        assert ROOT.joinpath(*parents).exists(), line
    described = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    modules = {
        path.name
        for path in (ROOT / "tf_ctr").iterdir()
        if not path.name.startswith("_") and path.name != "py.typed"
    }
    assert modules <= described
