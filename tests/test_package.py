"""The wheel and the sdist hold what they should, and the metadata is complete."""

import email
import tarfile
import zipfile

import pytest
import yaml

from tests.support.built import ROOT, build, committed_files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    with zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    library = {str(path) for path in committed_files() if path.parts[0] == "tf_ctr"}
    commands = {name for name in names if "/" not in name}
    assert names - commands == library
    assert "tf_ctr/py.typed" in names
    assert commands == {"tf_ctr_command.py"}
    (path,) = (n for n in wheel.namelist() if n.endswith("/entry_points.txt"))
    assert b"tf_ctr = tf_ctr_command:main\n" in wheel.read(path)


def test_the_metadata_is_complete(wheel):
    (path,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = email.message_from_bytes(wheel.read(path))
    assert metadata["Author"] and metadata["Keywords"] and metadata["License-File"]
    assert len(metadata.get_all("Project-URL")) >= 3
    classifiers = metadata.get_all("Classifier")
    for version in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {version}" in classifiers
    # An index shows the README by itself: a relative link leads nowhere there.
    assert "](http" in metadata.get_payload()
    assert not [
        line
        for line in metadata.get_payload().splitlines()
        if "](" in line and "](http" not in line and "](#" not in line
    ]


def test_the_changelog_has_the_version(wheel):
    (path,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    version = email.message_from_bytes(wheel.read(path))["Version"]
    assert f"## {version} (20" in (ROOT / "CHANGELOG.md").read_text()


def test_the_sdist_holds_what_its_tests_need(tmp_path):
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    left_out = {".gitignore"}
    assert {str(path) for path in committed_files()} - names <= left_out


def test_commit_hooks_run_the_checks_of_ci():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    before_commit = [hook["entry"] for hook in hooks["repos"][0]["hooks"]]
    ci = (ROOT / ".ci" / "run").read_text()
    linters = ci[ci.index("== style") :].splitlines()[1:]
    in_ci = [line.removeprefix(".venv/bin/") for line in linters if line]
    assert sorted(before_commit) == sorted(in_ci)
