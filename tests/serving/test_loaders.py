"""The ways to load a version and run its signatures."""

import runpy
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf_ctr.serving.loaders import cpp as cpp_loader
from tf_ctr.serving.loaders import run_signatures
from tf_ctr.serving.loaders import ways as loaders
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.version import load_schema, load_served


@pytest.fixture
def rates(exported_rates, tmp_path):
    return shutil.copytree(exported_rates, tmp_path / "rates")


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
    """The server refuses it; a session would leave it unread."""
    feeds = {"serving_default": {"user": np.array([b"ann"]), "usr": np.array([1])}}
    with pytest.raises(TypeError, match="usr"):
        loaders.in_this_process(rates / "1", feeds)
    with pytest.raises(ValueError, match="usr"):
        loaders.in_session(rates / "1", feeds)
    if cpp_loader.why_not() is None:
        with pytest.raises(RuntimeError, match="does not match signature") as caught:
            loaders.in_cpp(rates / "1", feeds)
        assert "log messages" not in str(caught.value)


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


def test_a_session_refuses_the_requests_that_the_server_refuses(rates):
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


def test_a_missing_schema_or_model_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    for load in (load_schema, load_served):
        with pytest.raises(ValueError, match="beside the version"):
            load(tmp_path)
