"""The ways to load a version, two versions side by side, and the command line."""

import runpy
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.support.click_rates import RATES, rate_frame, rate_model
from tests.support.frames import click_frame, click_schema
from tf_ctr.serving import __main__, differences, parity
from tf_ctr.serving.differences import (
    Differences,
    Latency,
    diff,
    interleaved,
    served_bytes,
)
from tf_ctr.serving.loaders import cpp as cpp_loader
from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders import ways as loaders
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.parity import Parity, compare_ways
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules.conformance import check
from tf_ctr.serving.version import load_schema, load_served
from tf_ctr.serving.wire.signatures import rows_of, signature_inputs

GOOD = list(RATES.values())


@pytest.fixture
def rates(exported_rates, tmp_path):
    return shutil.copytree(exported_rates, tmp_path / "rates")


def odd_frame():
    """Missing, unseen, negative and huge values, and empty lists, below plain rows."""
    odd = pd.DataFrame(
        {
            "user": [None, "nobody", "", "u1"],
            "item": [-1, -(2**63), 2**63 - 1, 5],
            "device": ["", "d" * 1000, None, "\u00e9"],
            "tags": [[], ["zzz"], ["a", "", "b"], []],
            "price": [np.nan, -1e30, np.inf, 0.0],
            "age": [np.nan, -5.0, 1e30, np.nan],
            "history": [[], [-7, 2**62], [-1, 101], [100] * 9],
            "click": 0,
        }
    )
    return pd.concat([click_frame(6, seed=5), odd], ignore_index=True)


def test_every_signature_agrees_in_every_way(exported_clicks):
    model, version = exported_clicks
    found = compare_ways(version, odd_frame(), model)
    ways = {"reloaded .keras", "this process", "fresh process", "v1 session"}
    if cpp_loader.why_not() is None:
        ways.add("C++ loader")
    assert set(found.differences) == ways
    signatures = {"serving_default", "string_ids", "predict_examples", "regress"}
    signatures |= {"classify", "candidates"}
    assert all(set(each) == signatures for each in found.differences.values())
    assert found.agrees and found.largest <= 1e-6 and found.rows == 10


def test_a_wrong_dtype_is_an_error_in_every_way(rates):
    feeds = {"serving_default": {"user": np.array([1, 2])}}
    for run_in, error in [
        (loaders.in_this_process, (TypeError, tf.errors.InvalidArgumentError)),
        (loaders.in_session, ValueError),
    ]:
        with pytest.raises(error):
            run_in(rates / "1", feeds)
    if cpp_loader.why_not() is None:
        with pytest.raises(RuntimeError, match="INVALID_ARGUMENT"):
            loaders.in_cpp(rates / "1", feeds)


def test_an_unknown_input_is_an_error_in_every_way(rates):
    """The server refuses it; a session alone would leave it unread."""
    feeds = {"serving_default": {"user": np.array([b"ann"]), "usr": np.array([1])}}
    with pytest.raises(TypeError, match="usr"):
        loaders.in_this_process(rates / "1", feeds)
    with pytest.raises(ValueError, match="usr"):
        loaders.in_session(rates / "1", feeds)
    if cpp_loader.why_not() is None:
        with pytest.raises(RuntimeError, match="does not match signature") as caught:
            loaders.in_cpp(rates / "1", feeds)
        assert "log messages" not in str(caught.value)


def test_every_kind_of_field_keeps_the_rules(exported_clicks):
    [note] = check(exported_clicks[1])
    assert note.severity == "note" and "['history', 'tags']" in note.message


def test_the_rows_behind_candidates_repeat_the_user():
    schema = click_schema()
    columns = raw_columns(schema, click_frame(6))
    arguments = "candidates", columns
    inputs = signature_inputs(*arguments, schema, ["item"])
    assert inputs["item"].shape == (1, 6) and inputs["user"].shape == (1,)
    rows = rows_of(*arguments, ["item"])
    assert set(rows["user"].tolist()) == {columns["user"][0]}
    np.testing.assert_array_equal(rows["item"], columns["item"])


def test_a_difference_is_seen(rates):
    halved = rate_model([rate / 2 for rate in GOOD])
    found = compare_ways(rates / "1", rate_frame(), halved, ["this process"])
    of_way = found.differences["this process"]
    assert of_way["serving_default"] == pytest.approx(0.45)
    assert of_way["classify"] == pytest.approx(0.45)
    assert not found.agrees and "4.50e-01" in str(found)


def test_nan_agrees_with_nothing():
    assert not Parity(1, {"way": {"signature": float("nan")}}, {}).agrees


def test_nothing_that_was_run_agrees_with_nothing():
    found = Parity(1, {}, {"C++ loader": "no compiler"})
    assert not found.agrees and "skipped: no compiler" in str(found)


def test_without_a_compiler_the_loader_is_skipped_with_the_reason(rates, monkeypatch):
    monkeypatch.setattr(cpp_loader.shutil, "which", lambda _: None)
    found = compare_ways(rates / "1", ways=["this process", "C++ loader"])
    assert "no C++ compiler" in found.skipped["C++ loader"]
    assert set(found.differences) == {"this process"}
    assert "skipped: no C++ compiler" in str(found)
    with pytest.raises(RuntimeError, match="no C\\+\\+ compiler"):
        cpp_loader.cpp_loader()


def test_a_compiler_that_fails_leaves_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr(cpp_loader, "compiler", lambda: "false")
    with pytest.raises(RuntimeError, match="the C\\+\\+ loader to compile"):
        cpp_loader.cpp_loader(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_each_installation_of_tensorflow_has_its_own_program(tmp_path, monkeypatch):
    """A program finds its libraries by their folder, which may be gone elsewhere."""
    monkeypatch.setattr(cpp_loader, "why_not", lambda: None)
    monkeypatch.setattr(cpp_loader, "_build", lambda path: path.touch())
    programs = set()
    for library in ("/one/tensorflow", "/other/tensorflow"):
        monkeypatch.setattr(tf.sysconfig, "get_lib", lambda library=library: library)
        programs.add(cpp_loader.cpp_loader(tmp_path))
    assert len(programs) == 2


def test_a_program_that_fails_is_an_error(rates):
    with pytest.raises(RuntimeError, match="to load and run in the C\\+\\+ loader"):
        loaders.in_cpp(rates / "1", {}, program="false")


def test_tensors_go_through_files(tmp_path):
    tensors = {"text": np.array([[b"a", b"\xff"]], object), "id": np.array([2**40])}
    run_signatures.write_tensors(tmp_path, tensors, ".in")
    back = run_signatures.read_tensors(tmp_path, ".in")
    assert back["text"].tolist() == [[b"a", b"\xff"]]
    assert back["id"].dtype == np.int64 and back["id"].tolist() == [2**40]


def test_the_script_may_not_import_keras_or_tf_ctr(rates, monkeypatch):
    for name in ("keras", "tf_ctr"):
        monkeypatch.setitem(sys.modules, name, sys.modules[name])  # Put back after it.
    script = run_signatures.__file__
    monkeypatch.setattr(sys, "argv", [script, str(rates / "1")])
    runpy.run_path(script, run_name="__main__")
    assert sys.modules["keras"] is sys.modules["tf_ctr"] is None


def test_a_session_refuses_what_the_server_refuses(rates):
    with SessionLoader(rates / "1") as loaded:
        scores = loaded("serving_default", {"user": np.array([b"bob", b"who"])})
        np.testing.assert_allclose(scores["click"], [0.3, 0.4], rtol=1e-6)
        for name, feeds, words in [
            ("serve", {"user": [b"bob"]}, "signature"),
            ("serving_default", {"item": [b"bob"]}, "the inputs"),
            ("serving_default", {"user": [1]}, "'user' as string"),
            ("regress", {"inputs": [b"no example"]}, "values that 'regress' takes"),
        ]:
            with pytest.raises(ValueError, match=words):
                loaded(name, feeds)


def test_diff_by_hand(rates):
    found = diff(rates / "1", rates / "2", rate_frame(), batch_sizes=())
    np.testing.assert_allclose(found.scores[0][::10], GOOD, rtol=1e-6)
    np.testing.assert_allclose(found.scores[1][::10], np.divide(GOOD, 2), rtol=1e-6)
    assert found.largest == pytest.approx(0.45)
    text = str(found)
    assert "rank correlation 1.0000" in text and "0.4500 -> 0.2250" in text
    # What lies beside the model is not served.
    (rates / "1" / "assets.extra" / "notes").write_text("x" * 1000)
    assert served_bytes(rates / "1") == found.bytes[0]


def test_diff_times_the_first_version_twice(rates, monkeypatch):
    timed = []

    def record(calls, rounds):
        timed.append((sorted(calls), rounds))
        return {"first": 1.0, "second": 3.0, "again": 1.1}

    monkeypatch.setattr(differences, "interleaved", record)
    found = diff(rates / "1", rates / "2", None, batch_sizes=(2,), rounds=7)
    assert timed == [(["again", "first", "second"], 7)]
    assert found.latency[2].ratio == 3.0 and found.latency[2].noise == 1.1


def test_rows_that_lack_a_field_are_refused(rates, exported_clicks):
    with pytest.raises(ValueError, match="Expected the name of a column"):
        diff(rates / "1", exported_clicks[1], rate_frame())


def test_scores_without_spread_have_no_rank_correlation():
    flat = np.full(3, 0.5)
    assert "correlation nan" in str(Differences(3, (flat, flat), (1, 1), {}))


def test_calls_take_turns_in_changing_order():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    seconds = interleaved(calls, rounds=20)
    rounds = ["".join(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert all(sorted(each) == list("abc") for each in rounds)
    assert len(set(rounds)) > 1 and set(seconds) == set("abc")
    assert Latency(2.0, 3.0, 2.0).ratio == 1.5


def test_what_lies_beside_a_version_can_be_missing(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    for load in (load_schema, load_served):
        with pytest.raises(ValueError, match="beside the version"):
            load(tmp_path)


def run(capsys, *arguments):
    status = __main__.main([str(each) for each in arguments])
    return status, capsys.readouterr()


def test_commands_end_with_their_status(rates, tmp_path, capsys):
    assert run(capsys, "check", rates / "1") == (0, ("0 errors\n", ""))
    status, printed = run(capsys, "check", tmp_path)
    assert status == 1 and "error files" in printed.out
    ways = ("--ways", "this process", "v1 session")
    status, printed = run(capsys, "parity", rates / "1", *ways)
    assert status == 0 and "Largest difference over 256 rows: 0.00e+00" in printed.out
    status, printed = run(capsys, "parity", tmp_path)
    assert status == 2 and printed.err.startswith("Expected a version directory")
    status, printed = run(capsys, "rollback", rates)
    assert status == 2 and "stable before" in printed.err


def test_a_damaged_version_is_a_message_and_not_a_crash(rates, capsys):
    archive = rates / "2" / "assets.extra" / "model.keras"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    status, printed = run(capsys, "parity", rates / "2", "--ways", "this process")
    assert status == 2 and printed.err.startswith("Expected a Keras model in")
    weights = rates / "1" / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:9])
    for command in (
        ["parity", rates / "1", "--ways", "this process"],
        ["parity", rates / "1", "--ways", "v1 session"],
        ["diff", rates / "2", rates / "1"],
    ):
        status, printed = run(capsys, *command)
        assert status == 2
        assert printed.err.startswith("Expected a SavedModel that can be loaded")


def test_promote_and_rollback_by_command(rates, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    rate_frame().to_csv(rows, index=False)
    command = ["promote", rates, "--rows", rows, "--max-latency-ratio", "inf"]
    status, printed = run(capsys, *command)
    assert status == 1 and "FAILED calibration error: 0.5000" in printed.out
    status, printed = run(capsys, *command, "--max-calibration-error", "0.6")
    assert status == 0 and "stable: 1 -> 2" in printed.out
    status, printed = run(capsys, "rollback", rates)
    assert status == 0 and "stable: 2 -> 1" in printed.out


def test_a_parity_that_fails_ends_with_one(rates, monkeypatch, capsys):
    def wrong(version, feeds):
        outputs = loaders.in_this_process(version, feeds)
        outputs["regress"]["outputs"] = outputs["regress"]["outputs"] + 0.01
        return outputs

    monkeypatch.setitem(parity.WAYS, "this process", wrong)
    status, printed = run(capsys, "parity", rates / "1", "--ways", "this process")
    assert status == 1 and "1.00e-02" in printed.out


def test_a_wrong_command_lists_the_right_ones(capsys):
    with pytest.raises(SystemExit):
        __main__.main(["publish"])
    assert "check" in capsys.readouterr().err
