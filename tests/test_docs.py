"""The programs of the documentation run, and its table is that of the results."""

import re

import pytest

from pipelines import which_method
from tests.support.built import ROOT

DOCS = ROOT / "docs"
PAGES = [
    path.relative_to(DOCS).as_posix()
    for path in sorted(DOCS.rglob("*.md"))
    if "```python" in path.read_text()
]


@pytest.mark.parametrize("page", PAGES)
def test_the_program_of_a_page_runs(page, tmp_path, monkeypatch):
    text = (DOCS / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})


def test_the_table_of_methods_is_that_of_the_committed_results(capsys):
    which_method.main(["--check"])
    assert "is up to date" in capsys.readouterr().out


def test_an_old_table_is_reported_and_then_replaced(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{which_method.START}\nold\n{which_method.END}\nafter\n")
    monkeypatch.setattr(which_method, "PAGE", page)
    with pytest.raises(SystemExit, match="out of date: run python -m pipelines"):
        which_method.main(["--check"])
    which_method.main([])
    assert page.read_text().startswith(f"before\n{which_method.START}\n\n| your")
    assert page.read_text().endswith(f"{which_method.END}\nafter\n")
    assert "old" not in page.read_text()
    which_method.main(["--check"])
