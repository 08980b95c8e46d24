"""The scripts of faults count, resume, and tell a fault that is not survived."""

import pathlib

import pytest

from pipelines.faults import flips, kills, programs
from pipelines.faults.stored import Stored, outcome
from pipelines.harness.results import ResultLines
from tf_ctr.features import Categorical, Schema


@pytest.fixture
def schema(tmp_path):
    """A stored schema, and one that a reader believes."""
    file = tmp_path / "schema.json"
    Schema([Categorical("item", ["a"])]).save(file)
    return Stored("schema", [file], lambda: Schema.load(file) and None)


def test_flips_are_counted_by_what_they_lead_to(schema):
    [file] = schema.files
    content = file.read_bytes()
    assert outcome(schema, "schema.json") == ("silent", "")  # It is whole.
    found = flips.flip(schema, file, 20)
    assert found == {"refused": 20, "told": 0, "unclear": 0, "silent": 0}
    believing = schema._replace(read=lambda: None)
    assert flips.flip(believing, file, 5)["silent"] == 5
    assert file.read_bytes() == content
    told = schema._replace(read=lambda: "something is wrong")
    assert outcome(told, "schema.json")[0] == "unclear"
    table = flips.report([{"kind": "schema", **found}, {"kind": "schema", **found}])
    assert "| schema | 40 | 0 | 0 | 0 |" in table


def test_kills_resume_and_a_second_start_repeats_nothing(tmp_path, capsys):
    arguments = ["--programs", "Parquet cache", "--points", "9"]
    arguments += ["--results", str(tmp_path / "kills.jsonl")]
    kills.main(arguments)
    assert "| Parquet cache | 9 | 0 | 0 | 0 | 0 |" in capsys.readouterr().out
    lines = ResultLines(tmp_path / "kills.jsonl").records
    assert len({(line["fault"], line["at"]) for line in lines}) == 9
    kills.main(arguments)
    assert "passed" not in capsys.readouterr().out  # No progress.


def test_a_program_that_does_not_resume_is_told(tmp_path, monkeypatch, capsys):
    def forgetful(root: pathlib.Path):
        """Writes a file in two parts, and believes the first one."""
        for name in ("a", "b"):
            if not (root / name).exists():
                (root / name).write_text(name)
        return {name: (root / name).read_text() for name in ("a", "b")}

    monkeypatch.setitem(programs.PROGRAMS, "Parquet cache", forgetful)
    kills.main(
        ["--programs", "Parquet cache", "--results", str(tmp_path / "kills.jsonl")]
    )
    found = {line["outcome"] for line in ResultLines(tmp_path / "kills.jsonl").records}
    assert found == {"equal", "different"}
