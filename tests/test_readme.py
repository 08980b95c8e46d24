"""The README's example runs as it stands, on fewer rows."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def test_example_runs(tmp_path):
    readme = (ROOT / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    small = "synthetic.generate(source_rows=6000, target_rows=3000)"
    assert "synthetic.generate()" in example
    script = example.replace("synthetic.generate()", small)
    script = script.replace("epochs=20", "epochs=1")
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
