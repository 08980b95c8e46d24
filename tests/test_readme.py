"""The README's examples run as they stand, on fewer rows."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def test_examples_run(tmp_path):
    readme = (ROOT / "README.md").read_text()
    first, daily, _ = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    small = "synthetic.generate(source_rows=6000, target_rows=3000, num_days=5)"
    assert "synthetic.generate()" in first
    script = first.replace("synthetic.generate()", small)
    script = script.replace("epochs=20", "epochs=1") + daily
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'auc'" in done.stdout
    assert (tmp_path / "savedmodels/example/1/saved_model.pb").exists()
    assert (tmp_path / "runs/ctnet/000001/model.keras").exists()


def test_tree_names_what_is_there():
    readme = (ROOT / "README.md").read_text()
    tree = re.search(r"## The tree\n\n```\n(.*?)```", readme, re.DOTALL)[1]
    parents = []
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [name]
        assert ROOT.joinpath(*parents).exists(), line
    modules = (ROOT / "tf_ctr").iterdir()
    package = {path.name for path in modules if not path.name.startswith("_")}
    described = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    assert package <= described
