"""The ways to load a version and run its signatures."""

import runpy
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support import hostile
from tests.support.damage import damaged
from tf_ctr.serving.loaders import process, run_signatures
from tf_ctr.serving.loaders import ways as loaders
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.version import load_schema, load_served


@pytest.fixture
def rates(exported_rates, tmp_path):
    return shutil.copytree(exported_rates, tmp_path / "rates")


LOADERS = [SessionLoader, process.ProcessLoader]


def test_a_wrong_request_is_an_error_in_this_process(rates):
    wrong = {"user": np.array([1, 2])}, {"user": np.array([b"a"]), "usr": np.array([1])}
    for feeds in wrong:
        with pytest.raises((TypeError, tf.errors.InvalidArgumentError)):
            loaders.in_this_process(rates / "1", {"serving_default": feeds})


@pytest.mark.parametrize("load", LOADERS)
def test_a_loader_refuses_the_requests_that_the_server_refuses(rates, load):
    with load(rates / "1") as loaded:
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
        # It still answers, among others with strings, and with no rows.
        example = {"inputs": np.array([tf.train.Example().SerializeToString()])}
        classes = loaded("classify", example)["classes"]
        assert classes.tolist() == [[b"no_click", b"click"]]
        assert loaded("serving_default", {"user": np.zeros(0, "S1")})["click"].size == 0


def test_text_passes_a_process_as_it_is(tmp_path):
    """Short strings lie inside TensorFlow's own, long ones beside it."""
    spec = tf.TensorSpec([None, None], tf.string, "user")
    version = hostile.save(tmp_path, lambda user: tf.transpose(user), spec)
    given = np.array(
        [[b"", b"a\0b\xff", b"x" * 23], [b"y" * 9000, b"\n", b"z"]], object
    )
    with process.ProcessLoader(version) as loaded:
        found = loaded("serving_default", {"user": given})["click"]
    assert found.tolist() == given.T.tolist()


@pytest.mark.parametrize("load", LOADERS)
def test_a_damaged_version_is_refused_by_every_loader(rates, load):
    damaged(rates / "1/variables/variables.data-00000-of-00001", keep=4)
    with pytest.raises(ValueError, match="a SavedModel that can be loaded"):
        load(rates / "1")


def test_a_process_that_ends_is_an_error_with_its_log(rates, tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, os; sys.stderr.write('no luck'); sys.stderr.flush(); os.abort()"
    )
    monkeypatch.setattr(process.c_program, "__file__", str(script))
    with pytest.raises(process.StoppedError, match="signal 6\\). no luck"):
        process.ProcessLoader(rates / "1")


def test_without_the_libraries_the_process_says_so(rates, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_lib", lambda: str(tmp_path))
    assert "libtensorflow_cc.so.2" in process.why_not()
    with pytest.raises(RuntimeError, match="or use the v1 session"):
        process.ProcessLoader(rates / "1")


def test_a_program_that_fails_is_an_error(rates):
    with pytest.raises(RuntimeError, match="to load and run in a process"):
        loaders.in_program(["false"], rates / "1", {}, "a process")


def test_tensors_survive_a_round_trip_through_files(tmp_path):
    tensors = {"text": np.array([[b"a", b"\xff"]], object), "id": np.array([2**40])}
    run_signatures.write_tensors(tmp_path, tensors, ".in")
    back = run_signatures.read_tensors(tmp_path, ".in")
    assert back["text"].tolist() == [[b"a", b"\xff"]]
    assert back["id"].dtype == np.int64 and back["id"].tolist() == [2**40]


def test_the_script_may_not_import_keras_or_tf_ctr(rates, monkeypatch):
    for name in ("keras", "tf_ctr"):
        monkeypatch.setitem(sys.modules, name, sys.modules[name])  # Put back later.
    script = run_signatures.__file__
    monkeypatch.setattr(sys, "argv", [script, str(rates / "1")])
    runpy.run_path(script, run_name="__main__")
    assert sys.modules["keras"] is sys.modules["tf_ctr"] is None


def test_a_missing_schema_or_model_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    for load in (load_schema, load_served):
        with pytest.raises(ValueError, match="beside the version"):
            load(tmp_path)
