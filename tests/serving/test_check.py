"""The rules of TF Serving: an export follows them, and each departure is found."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import prediction_log_pb2

import tf_ctr
from tests.support.damage import (
    check_as_exported,
    damaged,
    replaced,
    write,
    write_records,
)
from tests.support.meta_graphs import signature_def, tensor_info
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.rules import rows
from tf_ctr.serving.rules.batching import parse_batching_parameters
from tf_ctr.serving.rules.conformance import check, require_conformant
from tf_ctr.serving.rules.files import check_files
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.rules.graph import check_graph
from tf_ctr.serving.rules.signatures import check_signatures
from tf_ctr.serving.wire import protos


@pytest.fixture(scope="module")
def exported(exported_rates):
    return exported_rates / "1"


@pytest.fixture
def version(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "1")


def test_a_fresh_export_follows_all_rules(exported):
    assert check(exported) == []


DATA = "variables/variables.data-00000-of-00001"
SAMPLES = "assets.extra/requests"


@pytest.mark.parametrize(
    "damage, rule, words",
    [
        (lambda v: (v / "saved_model.pb").unlink(), "files", "version directory"),
        (lambda v: damaged(v / "saved_model.pb", keep=0), "files", "tag 'serve'"),
        (lambda v: damaged(v / DATA, keep=4), "files", "variables/ cannot be read"),
        (lambda v: (v / DATA).unlink(), "files", "variables/ cannot be read"),
        (lambda v: write(v / "fingerprint.pb", b"x"), "files", "cannot be compared"),
        (
            lambda v: damaged(v / "assets.extra" / "model.keras", keep=50),
            "files",
            "model.keras is damaged",
        ),
        (
            lambda v: write(v / "assets.extra" / "served.keras", b"x"),
            "files",
            "served.keras is damaged",
        ),
        (
            lambda v: replaced(
                v / SAMPLES / "serving_default_row.json", '"user"', '"u"'
            ),
            "requests",
            "serving_default_row.json fails",
        ),
        (
            lambda v: replaced(v / SAMPLES / "regress.json", '"examples"', '"rows"'),
            "requests",
            "regress.json fails",
        ),
        (
            lambda v: replaced(
                v / SAMPLES / "serving_default.pbtxt", "STRING", "FLOAT"
            ),
            "requests",
            "serving_default.pbtxt fails",
        ),
        (
            lambda v: write(v / "assets.extra/schema.json", "{}"),
            "rows",
            "schema",
        ),
    ],
)
def test_damage_is_found(version, damage, rule, words):
    damage(version)
    found = errors(check_as_exported(version))
    assert found and rule in {each.rule for each in found}
    assert any(words in each.message for each in found), found
    with pytest.raises(ValueError, match="by the rules of TF Serving"):
        require_conformant(version)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_flipped_bit_of_the_graph_is_found(version, share):
    """Pins TensorFlow's own computation of fingerprints, which is not public."""
    file = version / "saved_model.pb"
    damaged(file, flip=int(share * file.stat().st_size))
    assert errors(check(version))


def test_files_of_two_versions_must_not_be_mixed(version, exported_rates):
    other = exported_rates / "2" / "variables"
    shutil.copytree(other, version / "variables", dirs_exist_ok=True)
    [found] = errors(check_as_exported(version))
    assert "checkpoint_hash differs" in found.message


@pytest.mark.parametrize("name", ["latest", "1.bak", "-1"])
def test_a_name_that_the_server_skips_is_found(version, name):
    [found] = errors(check(version.rename(version.parent / name)))
    assert "named by an integer" in found.message
    assert check(version.parent / name, published=False) == []


def test_leading_zeros_are_dropped_by_the_server(version):
    """Source: file_system_storage_path_source.cc, ParseVersionNumber; seen."""
    [found] = check(version.rename(version.parent / "007"))
    assert found.severity == "note" and "version 7" in found.message


def test_each_batch_size_should_be_warmed_up(version):
    log = prediction_log_pb2.PredictionLog()
    users = np.array([b"ann"], object)
    log.predict_log.request.inputs["user"].CopyFrom(tf.make_tensor_proto(users))
    write_records(version, [log.SerializeToString()])
    [found] = check_as_exported(version)
    # A version's own sizes are 1, 4 and 32; no batch of more than 4 rows is executed.
    assert found.severity == "note" and "batch sizes [4]" in found.message


def test_a_warm_up_request_without_a_row_is_found(version):
    """Source: util.cc, InputToSerializedExampleTensor."""
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.signature_name = "regress"
    log.regress_log.request.input.example_list.SetInParent()
    write_records(version, [log.SerializeToString()])
    [found] = errors(check(version))
    assert "no row" in found.message


def test_a_warm_up_request_must_fit_the_signature_that_it_names(version):
    """Source: regressor.cc, PreProcessRegression."""
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.signature_name = "classify"
    log.regress_log.request.input.example_list.examples.add()
    write_records(version, [log.SerializeToString()])
    [found] = errors(check(version))
    assert "does not load" in found.message and "'outputs'" in found.message


def graph_of(name, inputs, outputs, method="predict"):
    """A graph with one signature, and a proper default beside it."""
    x, y = tensor_info(tf.string, None), tensor_info(tf.float32, None)
    made = {
        "serving_default": signature_def({"y": y}, x=x),
        name: signature_def(outputs, method, **inputs),
    }
    graph = meta_graph_pb2.MetaGraphDef()
    for key, signature in made.items():
        graph.signature_def[key].CopyFrom(signature)
    return graph


IDS, FLOATS, STRINGS = (
    tensor_info(dtype, None) for dtype in (tf.int64, tf.float32, tf.string)
)
PAIRS = tensor_info(tf.float32, None, 2)
EXAMPLES = {"inputs": STRINGS}
SCORE = {"click": FLOATS}


@pytest.mark.parametrize(
    "name, inputs, outputs, words",
    [
        ("serving_default", {"x": IDS}, SCORE, None),
        ("serving_default", {"x": tensor_info(tf.complex64, None)}, SCORE, "JSON"),
        ("serving_default", {}, SCORE, "lacks inputs or outputs"),
        ("regress", EXAMPLES, {"outputs": FLOATS}, None),
        ("regress", EXAMPLES, {"outputs": tensor_info(tf.float32, None, 1)}, None),
        ("regress", EXAMPLES, SCORE, "the one output 'outputs'"),
        ("classify", EXAMPLES, {"scores": PAIRS}, None),
        ("classify", EXAMPLES, {"classes": tensor_info(tf.int64, None, 2)}, "string"),
    ],
)
def test_wrong_signatures_of_every_kind_are_found(name, inputs, outputs, words):
    method = name if name in ("regress", "classify") else "predict"
    found = errors(check_signatures(graph_of(name, inputs, outputs, method)))
    if words is None:
        assert found == []
    else:
        assert any(words in each.message for each in found), found


def test_a_signature_is_of_the_kind_of_its_method():
    graph = graph_of("scorer", EXAMPLES, SCORE, "regress")
    [found] = errors(check_signatures(graph))
    assert "the one output 'outputs'" in found.message


@pytest.mark.parametrize("method", ["predict", "regres"])
def test_another_method_is_only_refused_by_a_server_that_checks_it(method):
    """Source: predict_util.cc, VerifySignature; regressor.cc, PreProcessRegression."""
    outputs = {"outputs": FLOATS}
    [found] = check_signatures(graph_of("regress", EXAMPLES, outputs, method))
    assert found.severity == "note" and "enable_signature_method_name" in found.message


def served_graph(op="Identity", **attributes):
    """Output `x` calls `f`, whose one node is of `op`; `dead` is not reached."""
    graph = graph_of("serving_default", EXAMPLES, SCORE)
    call = graph.graph_def.node.add(name="x", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "f"
    graph.graph_def.node.add(name="dead", op="RandomUniform")
    function = graph.graph_def.library.function.add()
    function.signature.name = "f"
    node = function.node_def.add(name="node", op=op)
    for key, value in attributes.items():
        node.attr[key].b = value
    return graph


def test_forbidden_operations_are_found_where_a_signature_reaches_them():
    def messages(graph):
        return " ".join(each.message for each in check_graph(graph))

    assert messages(served_graph()) == ""  # The dead node does not count.
    assert "['FusedMagic']" in messages(served_graph("FusedMagic"))
    assert "['RandomUniform']" in messages(served_graph("RandomUniform"))
    assert "['AssignVariableOp']" in messages(served_graph("AssignVariableOp"))
    assert "XLA" in messages(served_graph(_XlaMustCompile=True))
    assert "to fill them" in messages(served_graph("HashTableV2"))
    unused = served_graph()
    slot = unused.graph_def.node.add(name="slot", op="VarHandleOp")
    slot.attr["shared_name"].s = b"adam/momentum"
    assert "['adam/momentum']" in messages(unused)


class Centred(tf.Module):
    """Scores that depend on the rest of the batch."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "user")])
    def score(self, user):
        length = tf.cast(tf.strings.length(user), tf.float32)
        return {"click": tf.nn.sigmoid(length - tf.reduce_mean(length))}


def test_scores_that_depend_on_other_rows_are_found(tmp_path):
    module = Centred()
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.score})
    with SessionLoader(tmp_path / "1") as loaded:
        found = list(rows.check_rows(loaded, {"user": np.array([b"a", b"bob"])}))
        assert "depends on its batch" in found[0].message
        assert list(rows.check_rows(loaded, {"user": np.array([b"a", b"b"])})) == []
        [found] = rows.check_rows(loaded, {"user": np.array([1, 2])})
        assert "real rows fail" in found.message
    assert errors(check_files(tmp_path / "1", loaded.meta_graph)) == []


def test_batching_parameters_are_read_by_name():
    text = "max_batch_size { value: 64 } allowed_batch_sizes: 8 allowed_batch_sizes: 64"
    parsed = parse_batching_parameters(text + " pad_variable_length_inputs: true")
    assert parsed.max_batch_size.value == 64
    assert list(parsed.allowed_batch_sizes) == [8, 64]
    assert parsed.pad_variable_length_inputs


def test_the_signature_must_have_the_fields_of_the_schema():
    schema = tf_ctr.Schema([tf_ctr.Categorical("item", vocabulary=[2**60])])
    graph = graph_of("serving_default", {"item": IDS}, SCORE)
    [found] = rows.check_schema(schema, graph)
    assert found.severity == "note" and "beyond 2^53 in ['item']" in found.message
    graph.signature_def["string_ids"].SetInParent()
    assert list(rows.check_schema(schema, graph)) == []
    graph = graph_of("serving_default", {"item": tensor_info(tf.int32, None)}, SCORE)
    assert "differ in ['item']" in errors(rows.check_schema(schema, graph))[0].message


def test_without_the_serving_package_requests_are_not_run(exported, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(protos.importlib, "import_module", missing)
    found = check(exported)
    assert {each.severity for each in found} == {"note"}
    assert {each.rule for each in found} == {"warm-up", "requests"}
    assert all("tf_ctr[serving]" in each.message for each in found)


def test_a_request_sample_is_json(exported):
    samples = exported / SAMPLES
    body = json.loads((samples / "serving_default_column.json").read_text())
    assert set(body["inputs"]) == {"user"}
