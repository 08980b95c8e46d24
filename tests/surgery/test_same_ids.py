"""Models keep fingerprints of their ids, and refuse schemas of other ids."""

import keras
import numpy as np
import pandas as pd
import pytest

from tf_ctr import Categorical, Numeric, Schema, Sequence, evaluation, joint
from tf_ctr.backbones import dnn
from tf_ctr.export import export
from tf_ctr.layers import Embedding
from tf_ctr.surgery import grow, warm_start
from tf_ctr.transfer import autoft, fine_tune


def schema_of(*items):
    fields = [
        Categorical("item"),
        Sequence("history", of="item", max_length=2),
        Numeric("price", transform="quantile", boundaries=(0.0, 1.0)),
    ]
    frame = pd.DataFrame({"item": items, "history": [[items[0]]] * len(items)})
    return Schema(fields).fit(frame.assign(price=0.5))


def rows():
    return pd.DataFrame(
        {"item": ["a", "b"], "history": [["a"], []], "price": 0.5, "click": [0, 1]}
    )


@pytest.fixture(scope="module")
def schema():
    return schema_of("a", "a", "b")


@pytest.fixture(scope="module")
def other():
    """Of equal sizes, with the ids in another order: the most frequent is first."""
    return schema_of("b", "b", "a")


@pytest.fixture(scope="module")
def model(schema):
    return dnn(schema, embedding_dim=2, hidden_units=(3,))


REFUSED = "the schema that 'dnn.*' was built with, whose ids of 'item'"


def test_every_table_keeps_the_fingerprint_of_its_field(model, schema, other, tmp_path):
    assert schema.fingerprints["item"] != other.fingerprints["item"]
    assert schema.fingerprints["price"] == other.fingerprints["price"]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    schema.save(tmp_path / "schema.json")
    again = Schema.load(tmp_path / "schema.json")
    for each in (model, loaded, autoft(model), fine_tune(model)):
        for field in ("item", "price"):
            layer = each.get_layer(f"{field}_embedding")
            assert layer.ids == again.fingerprints[field]


def test_scoring_and_export_with_other_ids_are_refused(model, other, tmp_path):
    for use in (
        lambda: evaluation.predict(model, rows(), other),
        lambda: evaluation.evaluate(autoft(model), rows(), other),
        lambda: evaluation.importance(model, rows(), other),
        lambda: export(model, other, tmp_path / "dnn", verbose=False),
    ):
        with pytest.raises(ValueError, match=REFUSED):
            use()


def test_a_grown_model_has_the_ids_of_the_new_schema(model, schema):
    larger = schema.extend(rows().assign(item=["c", "c"], history=[["c"]] * 2))
    grown = grow(model, schema, larger)
    scores = evaluation.predict(grown, rows(), larger)
    np.testing.assert_array_equal(scores, evaluation.predict(model, rows(), schema))


def test_rows_of_other_ids_are_matched_by_number_with_a_warning(model, schema, other):
    target = dnn(other, embedding_dim=2, hidden_units=(3,))
    with pytest.warns(UserWarning, match="by number, which are of other ids"):
        fine_tune(model, target=target)
    # By id, or the same ids, or a table that is left out: no warning.
    fine_tune(model, target=target, source_schema=schema, target_schema=other)
    fine_tune(model, target=dnn(schema, embedding_dim=2, hidden_units=(3,)))
    warm_start(model, target, skip=["item_embedding"])
    with pytest.raises(ValueError, match="a schema of other ids in 4 rows"):
        fine_tune(model, target=target, source_schema=other, target_schema=schema)


def test_a_joint_model_with_a_table_per_domain_is_checked():
    fields = [Categorical("user", ["a"]), Categorical("tab", [0, 1])]
    schema = Schema(fields)
    other = Schema([Categorical("user", ["b"]), Categorical("tab", [0, 1])])
    model = joint.mlp_plus_plus(schema, "tab", 1, ["tab"], hidden_units=(3,))
    frame = pd.DataFrame({"user": ["a"], "tab": [0]})
    assert len(evaluation.predict(model, frame, schema)) == 1
    with pytest.raises(ValueError, match="whose ids of 'user'"):
        evaluation.predict(model, frame, other)


def test_a_model_without_fingerprints_scores_as_before(schema, other):
    """A model of the user's own, or one of an older release."""
    inputs = schema.inputs()
    table = Embedding(4, 1, name="item_embedding")
    click = keras.layers.Activation("sigmoid")(table(inputs["item"]))
    model = keras.Model(inputs, click)
    assert len(evaluation.predict(model, rows(), other)) == 2
