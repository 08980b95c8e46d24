"""The commands for versions: what they print, and their exit status."""

import shutil

import pytest

from tests.support.click_rates import rate_frame
from tf_ctr.serving import __main__, parity
from tf_ctr.serving.loaders import ways as loaders


@pytest.fixture
def rates(exported_rates, tmp_path):
    return shutil.copytree(exported_rates, tmp_path / "rates")


def run(capsys, *arguments):
    status = __main__.main([str(each) for each in arguments])
    return status, capsys.readouterr()


def test_commands_exit_with_their_status(rates, tmp_path, capsys):
    assert run(capsys, "check", rates / "1") == (0, ("0 errors\n", ""))
    status, printed = run(capsys, "check", tmp_path)
    assert status == 1 and printed.out.startswith("error files: the version does not")
    status, printed = run(capsys, "check", rates)
    assert status == 1 and f"such as {rates / '2'}" in printed.out
    ways = ("--ways", "this process", "v1 session")
    status, printed = run(capsys, "parity", rates / "1", *ways)
    assert status == 0 and "Largest difference over 256 rows: 0.00e+00" in printed.out
    status, printed = run(capsys, "parity", tmp_path)
    assert status == 2 and printed.err.startswith("Expected a version directory")
    status, printed = run(capsys, "rollback", rates)
    assert status == 2 and "stable before" in printed.err


def test_a_damaged_version_ends_with_a_message_and_not_a_traceback(rates, capsys):
    archive = rates / "2" / "assets.extra" / "model.keras"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    status, printed = run(capsys, "parity", rates / "2", "--ways", "this process")
    assert status == 2 and printed.err.startswith("Expected version 2 in")
    weights = rates / "1" / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:9])
    for command in (
        ["parity", rates / "1", "--ways", "this process"],
        ["parity", rates / "1", "--ways", "v1 session"],
        ["diff", rates / "2", rates / "1"],
    ):
        status, printed = run(capsys, *command)
        assert status == 2 and "variables.data-00000-of-00001" in printed.err


def test_promote_and_rollback_work_by_command(rates, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    rate_frame().to_csv(rows, index=False)
    command = ["promote", rates, "--rows", rows, "--max-latency-ratio", "inf"]
    status, printed = run(capsys, *command)
    assert status == 1 and "FAILED calibration error: 0.5000" in printed.out
    status, printed = run(capsys, *command, "--max-calibration-error", "0.6")
    assert status == 0 and "stable: 1 -> 2" in printed.out
    status, printed = run(capsys, "rollback", rates)
    assert status == 0 and "stable: 2 -> 1" in printed.out


@pytest.mark.parametrize(
    "command, words",
    [
        (["status", "gone"], "gone, which does not exist"),
        (["drop", "gone", "1"], "gone, which does not exist"),
        (["rollback", "rates", "--label", "new"], "no version with the label new"),
        (
            ["promote", "rates", "--label", "canary", "--version", "9"],
            "versions [1, 2]",
        ),
        (["promote", "rates", "--label", "canary"], "2, which waits to be canary"),
    ],
)
def test_what_is_not_there_is_said(rates, monkeypatch, capsys, command, words):
    monkeypatch.chdir(rates.parent)
    status, printed = run(capsys, *command)
    assert status == 2 and words in printed.err, printed.err


def test_a_failing_parity_exits_with_status_1(rates, monkeypatch, capsys):
    def wrong(version, feeds):
        outputs = loaders.in_this_process(version, feeds)
        outputs["regress"]["outputs"] = outputs["regress"]["outputs"] + 0.01
        return outputs

    monkeypatch.setitem(parity.WAYS, "this process", wrong)
    status, printed = run(capsys, "parity", rates / "1", "--ways", "this process")
    assert status == 1 and "1.00e-02" in printed.out


def test_a_wrong_command_lists_the_valid_ones(capsys):
    with pytest.raises(SystemExit):
        __main__.main(["publish"])
    assert "check" in capsys.readouterr().err
