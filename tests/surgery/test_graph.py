"""What `Graph` reads of a model: depths, tables, and what it refuses."""

import keras
import pytest

from tests.support.models import small_dcn
from tf_ctr.surgery import Graph
from tf_ctr.transfer import autoft

DEPTHS = ["cross_0", "deep_0", "cross_1", "deep_1"]


def test_depths_leave_out_tables_and_the_prediction_layer():
    assert sorted(Graph(small_dcn()).depths) == sorted(DEPTHS)


def test_depths_keep_the_order_of_each_component():
    depths = Graph(small_dcn()).depths
    assert depths.index("deep_0") < depths.index("deep_1")
    assert depths.index("cross_0") < depths.index("cross_1")


def test_graph_names_the_shared_table_of_each_field():
    assert Graph(small_dcn()).tables_by_field == {
        "user": "user_embedding",
        "item": "item_embedding",
        "history": "item_embedding",
    }


def test_graph_facts_survive_saving(tmp_path):
    model = small_dcn()
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert Graph(reloaded).depths == Graph(model).depths
    assert Graph(reloaded).tables_by_field == Graph(model).tables_by_field


def test_a_depth_that_is_called_twice_is_refused():
    inputs = {"x": keras.Input((3,), name="x")}
    shared = keras.layers.Dense(3, name="deep_0")
    x = shared(shared(inputs["x"]))
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(x))
    with pytest.raises(ValueError, match="called once.*\n.*deep_0"):
        _ = Graph(model).depths


def test_an_operation_on_ids_is_refused():
    inputs = {"id": keras.Input((), dtype="int64", name="id")}
    x = keras.layers.Embedding(4, 2, name="id_embedding")(inputs["id"] + 1)
    model = keras.Model(inputs, keras.layers.Dense(1, name="click")(x))
    with pytest.raises(ValueError, match="out of the model, into tf.data"):
        _ = Graph(model).tables_by_field


def test_tables_know_their_fields_and_the_inputs_before_them():
    inputs = {name: keras.Input((), dtype="int64", name=name) for name in ("a", "b")}
    shared = keras.layers.Embedding(4, 2, name="a_embedding")
    x = keras.layers.Add(name="sum")([shared(inputs["a"]), shared(inputs["b"])])
    linear = keras.layers.Embedding(4, 1, name="a_linear")(inputs["a"])
    graph = Graph(keras.Model(inputs, keras.layers.Dense(1, name="click")(x) + linear))
    assert graph.fields_by_table == {"a_embedding": ["a", "b"], "a_linear": ["a"]}
    assert graph.inputs_by_table == graph.fields_by_table
    assert graph.tables_by_field == {"a": "a_embedding", "b": "a_embedding"}


def test_graph_finds_the_routes_and_branches_of_autoft():
    graph = Graph(autoft(small_dcn(), which="deep"))
    assert graph.branches == {
        "deep_0_route": ("deep_0_frozen", "deep_0"),
        "deep_1_route": ("deep_1_frozen", "deep_1"),
    }
    assert set(graph.routes) == set(graph.branches)
    assert Graph(small_dcn()).routes == {}


def test_components_group_the_depths_by_name_without_number():
    assert Graph(small_dcn()).components == {
        "cross": ["cross_0", "cross_1"],
        "deep": ["deep_0", "deep_1"],
    }


def test_a_graph_reads_its_model_only_once(monkeypatch):
    model, reads = small_dcn(), []
    get_config = type(model).get_config
    monkeypatch.setattr(
        type(model), "get_config", lambda self: reads.append(1) or get_config(self)
    )
    graph = Graph(model)
    for _ in range(2):
        assert graph.depths and graph.embeddings and graph.fields_by_table
    assert len(reads) == 1


def test_every_model_can_be_asked_for_its_routes():
    assert Graph(keras.Sequential([keras.layers.Dense(1)])).routes == {}
