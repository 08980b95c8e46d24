"""How a model starts from others, and how it grows with new ids."""

import pandas as pd
import pytest

from tests.support.continual_world import (
    TRAINING,
    fitted,
    frame,
    network,
    open_schema,
    periods,
)
from tf_ctr.continual import methods
from tf_ctr.continual.methods import grown_model, grown_schema, with_ids
from tf_ctr.continual.store import Finished
from tf_ctr.evaluation import predict
from tf_ctr.features import Categorical, Schema
from tf_ctr.optimizers import SparseAdagrad, SparseAdam
from tf_ctr.transfer import ctnet


@pytest.mark.parametrize("optimizer, steps", [(SparseAdagrad, 1), (SparseAdam, 0)])
def test_new_weights_do_not_start_with_the_step_count_of_adam(optimizer, steps):
    model, added = (network(fitted(), seed) for seed in (1, 2))

    def compile(built):
        built.compile(optimizer(0.01), "binary_crossentropy", run_eagerly=True)

    compile(model)
    TRAINING.fit(model, fitted(), periods(0), seed=0)
    joined, slots = methods.start(ctnet, added, model, compile)
    assert int(joined.optimizer.iterations) == steps
    assert ("slots of" in slots) == bool(steps)
    copied, slots = methods.start(methods.target_only, None, model, compile)
    assert int(copied.optimizer.iterations) == 1 and "slots of" in slots


def test_the_ids_of_another_schema_follow_its_own():
    one, two = fitted((5, 6)), fitted((9, 6, 8))
    union = one.union(two)
    assert union.field("item").vocabulary[:2] == one.field("item").vocabulary
    assert set(union.field("item").vocabulary) == {5, 6, 8, 9}
    assert one.field("item").table_size == 4
    assert union.union(two).fields == union.fields
    later = union.extend(frame(items=(1, 5)))
    assert later.field("item").vocabulary[:4] == union.field("item").vocabulary


def test_further_ids_follow_the_known_ones():
    schema = fitted(items=(7, 5, 6))
    known = schema.field("item").vocabulary
    grown = with_ids(schema, {"item": [9, 5], "user": [], "other": ["x"]})
    assert grown.field("item").vocabulary == (*known, 9)
    assert grown.field("user") == schema.field("user")
    assert with_ids(schema, {}) is schema


def test_given_and_hashed_vocabularies_do_not_grow():
    fields = [
        Categorical("tab", vocabulary=[1]),
        Categorical("item", num_buckets=3, dtype="int64"),
    ]
    other = Schema([Categorical("tab"), Categorical("item")])
    other.fit(pd.DataFrame({"tab": [4], "item": [5]}))
    schema = Schema(fields)
    assert schema.union(other).fields == schema.fields


def test_ids_of_another_type_raise():
    one, two = (
        Schema([Categorical("item")]).fit(pd.DataFrame({"item": items}))
        for items in ([7], ["seven"])
    )
    with pytest.raises(TypeError):
        one.union(two)
    with pytest.raises(ValueError, match="a fitted schema"):
        one.union(Schema([Categorical("item")]))


def test_a_model_keeps_its_scores_under_another_order_of_ids():
    own, others = fitted((8, 7, 9)), fitted((5, 6))
    model = network(own)
    schema = grown_schema(others, [own], [frame(items=(4, 9))])
    rows = frame(seed=3, items=(7, 8, 9, 4, 5))
    grown = grown_model(Finished(model, own), schema)
    assert grown.get_layer("item_embedding").input_dim == 2 + 6
    assert predict(grown, rows, schema) == pytest.approx(
        predict(model, rows, own), abs=0
    )
    assert grown_model(Finished(model, own), own) is model


def test_the_larger_schema_can_have_further_fields():
    own = Schema([Categorical("user")]).fit(frame())
    schema = grown_schema(fitted(), [own], [frame()])
    model = network(own)
    finished = Finished(model, open_schema().fit(frame(items=(5,))))
    assert grown_model(Finished(model, own), schema) is model
    with pytest.raises(ValueError, match=r"fields \[.item.\] of the other model"):
        grown_model(finished, own)
