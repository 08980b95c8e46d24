"""Versions of strangers: nothing that they bring is run, and nothing is written."""

import shutil
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tests.support import hostile
from tests.support.frames import click_frame, click_schema
from tf_ctr import Categorical, Schema
from tf_ctr.serving import check, compare_ways, diff, sealing
from tf_ctr.serving.loaders.process import ProcessLoader, StoppedError
from tf_ctr.serving.loaders.run_signatures import write_tensors
from tf_ctr.serving.loaders.ways import in_fresh_process
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules import conformance
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.untrusted import limits, operations
from tf_ctr.serving.untrusted.graph import problems, require_harmless
from tf_ctr.serving.untrusted.limits import Limits, run_limited
from tf_ctr.serving.untrusted.trial import try_in_cpp, try_version
from tf_ctr.serving.version import load_schema
from tf_ctr.serving.wire.signatures import signature_inputs

# The one that a fixture replaces.
LOAD_LIMITED = conformance.load_limited
REQUEST = {"serving_default": {"user": np.array([b"ann"])}}


def mark(path):
    """Operations that would write a file, by name."""

    def by_python():
        return tf.numpy_function(lambda: path.write_text("ran") and 0, [], tf.int64)

    return {
        "PyFunc": by_python,
        "WriteFile": lambda: tf.io.write_file(str(path), "ran"),
        "SaveV2": lambda: tf.raw_ops.SaveV2(
            prefix=str(path), tensor_names=["x"], shape_and_slices=[""], tensors=[1.0]
        ),
        "PrintV2": lambda: tf.raw_ops.PrintV2(
            input="ran", output_stream=f"file://{path}"
        ),
    }


READS = {
    "ReadFile": lambda: tf.io.read_file("/etc/passwd"),
    "MatchingFiles": lambda: tf.io.matching_files("/etc/*"),
    "RestoreV2": lambda: tf.raw_ops.RestoreV2(
        prefix="/etc/x", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0],
    "ImmutableConst": lambda: tf.raw_ops.ImmutableConst(
        dtype=tf.float32, shape=[1], memory_region_name="/etc/passwd"
    ),
}


@pytest.mark.parametrize("op", ["PyFunc", "WriteFile", "SaveV2", "PrintV2", *READS])
def test_a_version_that_does_more_than_compute_is_refused_and_not_run(op, tmp_path):
    path = tmp_path / "marker"
    operation = {**mark(path), **READS}[op]
    version = hostile.save(tmp_path, hostile.after(operation))
    assert any(op in each for each in problems(version))
    found = check(version)
    wrong = [each for each in found if each.rule == "trust"]
    assert any(op in each.message and "--trust" in each.message for each in wrong)
    assert not {each.rule for each in found} & {"load", "rows", "requests"}
    with pytest.raises(ValueError, match=f"only computes[^$]*{op}[^$]*trust=True"):
        try_version(version, REQUEST)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1"]


def test_parity_and_diff_refuse_as_well(exported_rates, tmp_path):
    path = tmp_path / "marker"
    body = hostile.after(mark(path)["WriteFile"])
    version = hostile.save(tmp_path, body)
    extra = version / "assets.extra"
    extra.mkdir()
    for file in ("schema.json", "model.keras"):
        content = (exported_rates / "1" / "assets.extra" / file).read_bytes()
        (extra / file).write_bytes(content)
    with pytest.raises(ValueError, match="WriteFile"):
        compare_ways(version)
    with pytest.raises(ValueError, match="WriteFile"):
        diff(exported_rates / "1", version)
    assert not path.exists()
    trusted = compare_ways(version, ways=["this process"], trust=True)
    assert trusted.differences and path.exists()


def test_our_own_exports_are_harmless(exported_rates, exported_clicks):
    for version in (exported_rates / "1", exported_rates / "2", exported_clicks[1]):
        require_harmless(version)


def test_a_trial_gives_the_outputs(exported_clicks):
    version = exported_clicks[1]
    columns = raw_columns(click_schema(), click_frame(3))
    name = "serving_default"
    inputs = signature_inputs(name, columns, click_schema(), [])
    found = try_version(version, {name: inputs})
    assert found[name]["click"].shape == (3,)


def test_a_trial_in_cpp_runs_the_version_within_limits(tmp_path, monkeypatch):
    version = hostile.save(tmp_path, hostile.zeros)
    try_in_cpp(version, REQUEST)
    monkeypatch.setattr(limits, "LIMITS", Limits(seconds=1.0))
    endless = hostile.save(tmp_path / "endless", hostile.endless)
    with pytest.raises(RuntimeError, match="1 seconds[^$]*was stopped[^$]*--trust"):
        try_in_cpp(endless, REQUEST)


def test_the_rules_run_within_limits(exported_clicks, monkeypatch):
    monkeypatch.setattr(conformance, "load_limited", LOAD_LIMITED)
    assert errors(check(exported_clicks[1])) == []


def test_a_program_that_does_not_end_is_stopped():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(ValueError, match="this to run in 0.5 seconds[^$]*stopped"):
        run_limited(command, "this", Limits(seconds=0.5))


def test_memory_is_limited():
    command = [sys.executable, "-c", "bytearray(2**33)"]
    ended = run_limited(command, "this", Limits(bytes=2**30))
    assert ended.returncode != 0 and "MemoryError" in ended.stderr


HUGE = {
    "Fill": lambda _: tf.fill([10**12], 1.0),
    "BroadcastTo": lambda _: tf.broadcast_to(1.0, tf.constant([10**12], tf.int64)),
    "Tile": lambda user: tf.tile(hostile.zeros(user), [2**31 - 1]),
    "Range": lambda _: tf.range(0.0, 1e12),
    "RandomStandardNormal": lambda _: tf.random.normal([10**12]),
    "OneHot": lambda user: tf.one_hot(tf.size(user), 2**31 - 1)[:1],
}


@pytest.mark.parametrize("op", HUGE)
def test_an_array_of_a_constant_size_beyond_reason_is_refused(op, tmp_path):
    """Nothing allocates it: it is read in the graph."""
    version = hostile.save(tmp_path, lambda user: HUGE[op](user)[: tf.size(user)])
    found = " ".join(problems(version))
    assert f"{op}, which makes an array of" in found, found


def test_sizes_that_make_no_sense_are_read_without_an_error(tmp_path):
    version = hostile.save(tmp_path, HUGE["Fill"])

    def edit(meta_graph):
        nodes = meta_graph.graph_def.node
        nodes.add(name="range", op="Range")
        nodes.add(name="cast", op="Cast")
        nodes.add(name="fill", op="Fill", input=["cast", "cast"])
        size = nodes.add(name="size", op="Const").attr["value"].tensor
        size.CopyFrom(tf.make_tensor_proto([2**62] * 40))
        nodes.add(name="more", op="Fill", input=["size", "size"])
        value = nodes.add(name="value", op="Const").attr["value"].tensor
        value.dtype = 999
        for _ in range(40):
            value.tensor_shape.dim.add(size=2**62)

    hostile.change(version, edit)
    found = " ".join(problems(version))
    assert "an array of 1e+30 elements" in found and "GiB" in found


def test_a_constant_of_one_value_and_four_terabytes_is_refused(tmp_path):
    """Source: TensorFlow, core/framework/tensor.cc, Tensor::FromProto."""
    version = hostile.save(tmp_path, lambda user: hostile.zeros(user) + 0.25)

    def blow_up(meta_graph):
        library = meta_graph.graph_def.library.function
        nodes = [node for function in library for node in function.node_def]
        [value] = [
            node.attr["value"].tensor
            for node in nodes
            if list(node.attr["value"].tensor.float_val) == [0.25]
        ]
        value.tensor_shape.dim.add(size=10**12)

    hostile.change(version, blow_up)
    assert "constants of 3725.3 GiB" in " ".join(problems(version))
    assert any("constants of" in each.message for each in check(version))


def test_a_variable_that_its_files_cannot_hold_is_refused(exported_rates, tmp_path):
    """Its shape is in the index, and TensorFlow would allocate it before it reads."""
    version = shutil.copytree(exported_rates / "1", tmp_path / "1")
    tf.raw_ops.SaveV2(  # One element of many.
        prefix=str(version / "variables" / "variables"),
        tensor_names=["x"],
        shape_and_slices=["1000000000000 0,1"],
        tensors=[[1.0]],
    )
    for name in (sealing.FILE, sealing.FACTS):  # As a stranger may leave them out.
        (version / name).unlink()
    words = "the variable 'x' of 4,000,000,000,000 bytes, in files of 4 bytes"
    assert words in " ".join(problems(version))
    assert any(words in each.message for each in check(version))


def test_a_schema_whose_rows_are_beyond_reason_is_refused(exported_rates, tmp_path):
    version = shutil.copytree(exported_rates / "1", tmp_path / "1")
    users = Categorical("user", ["ann"], multivalent=True, max_length=10**9)
    Schema([users]).save(version / "assets.extra" / "schema.json")
    with pytest.raises(ValueError, match="values in a row(.|\n)*1,000,000,000"):
        load_schema(version)
    for name in (sealing.FILE, sealing.FACTS):  # As a stranger may leave them out.
        (version / name).unlink()
    assert any("values in a row" in each.message for each in check(version))


def test_a_layer_that_its_weights_cannot_fill_is_refused(exported_rates, tmp_path):
    version = shutil.copytree(exported_rates / "1", tmp_path / "1")
    archive = version / "assets.extra" / "model.keras"
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in files.items():
            content = content.replace(b'"input_dim": 6', b'"input_dim": 6000000000000')
            opened.writestr(name, content)
    found = " ".join(problems(version))
    assert "the layer 'user_embedding' of 6,000,000,000,000 numbers" in found
    with pytest.raises(ValueError, match="user_embedding"):
        require_harmless(version)


def test_a_size_that_a_request_makes_meets_the_limit_of_memory(tmp_path):
    version = hostile.save(tmp_path, hostile.many)
    require_harmless(version)  # No constant says so.
    with ProcessLoader(version, Limits(bytes=4 * 2**30)) as loaded:
        with pytest.raises(StoppedError, match="4.0 GiB of memory(.|\n)*--trust"):
            loaded("serving_default", REQUEST["serving_default"])


def test_a_large_version_may_take_more_memory(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"x" * 1000)
    assert limits.limits_of(tmp_path).bytes == 16 * 2**30 + 8000


def test_the_memory_of_the_machine_is_a_limit(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 10 * 2**30)
    assert Limits().memory == 8 * 2**30
    assert Limits(bytes=2**20).memory == 2**20


def test_an_output_named_as_a_path_is_not_written(tmp_path):
    version = hostile.save(tmp_path, hostile.zeros)

    def rename(meta_graph):
        outputs = meta_graph.signature_def["serving_default"].outputs
        outputs["../../x"].CopyFrom(outputs["click"])

    hostile.change(version, rename)
    assert "the name '../../x'" in next(problems(version))
    # Not even if it is trusted: a name is never a path.
    with pytest.raises(ValueError, match="no path"):
        in_fresh_process(version, REQUEST)
    with pytest.raises(ValueError, match="is a path"):
        write_tensors(tmp_path, {"../x": np.zeros(1)}, ".out")
    assert not list(tmp_path.parent.glob("x*"))


def test_links_and_other_forms_of_a_graph_are_refused(tmp_path):
    version = hostile.save(tmp_path, hostile.zeros)
    assert list(problems(version)) == []
    (version / "saved_model.pbtxt").write_text("")
    (version / "assets" / "words").symlink_to("/etc/passwd")
    found = " ".join(problems(version))
    assert "saved_model.pbtxt" in found and "the link assets/words" in found


def test_a_function_may_not_be_called_by_the_name_of_an_operation(tmp_path):
    version = hostile.save(tmp_path, hostile.zeros)

    def call(meta_graph):
        node = meta_graph.graph_def.node.add(name="call", op="PartitionedCall")
        node.attr["f"].func.name = "WriteFile"

    hostile.change(version, call)
    assert "calls 'WriteFile'" in " ".join(problems(version))


class Words(tf.Module):
    """A table filled from a file, which is saved as an asset."""

    def __init__(self, file):
        super().__init__()
        line = tf.lookup.TextFileIndex
        columns = tf.string, line.WHOLE_LINE, tf.int64, line.LINE_NUMBER
        filled = tf.lookup.TextFileInitializer(file, *columns)
        self.table = tf.lookup.StaticHashTable(filled, -1)

    @tf.function(input_signature=[hostile.SPEC], autograph=False)
    def score(self, user):
        return {"click": self.table.lookup(user)}


@pytest.fixture
def words(tmp_path):
    """A version whose vocabulary is an asset."""
    file = tmp_path / "words.txt"
    file.write_text("ann\nbob\n")
    module = Words(str(file))
    version = tmp_path / "1"
    signatures = {"serving_default": module.score}
    tf.saved_model.save(module, str(version), signatures=signatures)
    return version


def test_a_vocabulary_may_be_an_asset_of_the_version(words):
    assert [each.name for each in (words / "assets").iterdir()] == ["words.txt"]
    assert list(problems(words)) == []


@pytest.mark.parametrize("how", ["no asset", "other object", "a path", "by signature"])
def test_no_other_file_may_be_read(words, how):
    def edit(meta_graph):
        objects = meta_graph.object_graph_def
        if how == "no asset":
            del meta_graph.asset_file_def[:]
        elif how == "a path":
            meta_graph.asset_file_def[0].filename = "../../etc/passwd"
        elif how == "by signature":
            outputs = meta_graph.signature_def["serving_default"].outputs
            call = next(
                node
                for node in meta_graph.graph_def.node
                if "initializer" in node.attr["f"].func.name
            )
            outputs["more"].name = f"{call.name}:0"
        else:
            for each in objects.nodes:
                if each.WhichOneof("kind") == "asset":
                    each.constant.operation = "Const"

    hostile.change(words, edit)
    assert list(problems(words))


def test_the_list_of_operations_is_that_of_the_registry():
    for name in operations.ALLOWED:
        registered = op_def_registry.get(name)
        assert registered is not None, name
        assert registered.is_stateful == (name in operations.STATEFUL), name
    for name in ("File", "PyFunc", "Dataset", "Custom", "Print", "Restore", "Save"):
        assert not [each for each in operations.ALLOWED if name in each]
