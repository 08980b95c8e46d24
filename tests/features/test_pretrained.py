"""Tables that start from vectors trained elsewhere."""

import numpy as np
import pandas as pd
import pytest

from tests.features.test_errors import fails
from tf_ctr import Categorical, Schema, Sequence
from tf_ctr.backbones import deepfm, din, dnn
from tf_ctr.data import rows
from tf_ctr.surgery import grow, warm_start

FRAME = pd.DataFrame({"item": [7, 9, 7, 5], "click": [0, 1, 1, 0]})
VECTORS = pd.DataFrame({"item": [5, 7, 8], "v": [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]})


def fitted(pretrained=VECTORS, frame=FRAME, **options):
    return Schema([Categorical("item", pretrained=pretrained, **options)]).fit(frame)


def table(schema, build=dnn, **arguments):
    return build(schema, hidden_units=(3,), **arguments).get_layer("item_embedding")


def test_known_ids_start_from_their_vectors_and_a_line_says_how_many(capsys):
    layer = table(fitted())
    assert capsys.readouterr().out == (
        "item: 2 of 3 ids (66.7%) start from pretrained vectors of 3 numbers, 1 as "
        "usual\n"
    )
    # Rows: missing, unseen, 7, 5, 9.
    weights = layer.embeddings.numpy()
    assert weights[2:4].tolist() == [[4, 5, 6], [1, 2, 3]]
    assert np.abs(weights[[0, 1, 4]]).max() < 1e-2
    assert layer.trainable


def test_rows_come_from_files_of_any_size_and_text(tmp_path):
    text = VECTORS.assign(item=["e", "g", "h"]).rename(columns={"item": "id"})
    text.to_parquet(tmp_path / "v.parquet", row_group_size=1)
    frame = FRAME.assign(item=list("gigef"[:4]))
    for source in (tmp_path / "v.parquet", rows(tmp_path / "v.parquet")):
        weights = table(fitted(source, frame)).embeddings.numpy()
        vocabulary = fitted(source, frame).field("item").vocabulary
        assert weights[2 + vocabulary.index("g")].tolist() == [4, 5, 6]


def test_the_first_rows_may_have_no_vector():
    none = VECTORS.assign(v=None)
    weights = table(fitted(lambda: iter([none, VECTORS]))).embeddings.numpy()
    assert weights[2:4].tolist() == [[4, 5, 6], [1, 2, 3]]
    fails(lambda: dnn(fitted(none)), "none of the 3 ids")


def test_a_frozen_table_is_not_trained():
    schema = fitted(trainable=False)
    model = dnn(schema, hidden_units=(3,))
    before = model.get_layer("item_embedding").embeddings.numpy()
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    batch = schema.encode(schema.raw_columns(FRAME))
    model.train_on_batch(batch, FRAME["click"].to_numpy())
    after = model.get_layer("item_embedding").embeddings.numpy()
    np.testing.assert_array_equal(after, before)


def test_the_width_is_that_of_the_vectors_and_is_projected_where_dims_are_equal():
    schema = Schema(
        [
            Categorical("item", [7, 9], pretrained=VECTORS),
            Sequence("history", of="item", max_length=2),
            Categorical("user", [1]),
        ]
    )
    assert table(schema, din, embedding_dim=8).output_dim == 3
    model = deepfm(schema, embedding_dim=8, hidden_units=(3,))
    assert model.get_layer("item_projection").kernel.shape == (3, 8)
    assert model.get_layer("user_embedding").output_dim == 8
    fails(lambda: dnn(schema, {"item": 8}), "'item'", "use one of: user")


def test_a_schema_file_keeps_the_path_only(tmp_path):
    VECTORS.to_parquet(tmp_path / "v.parquet")
    for source in (str(tmp_path / "v.parquet"), VECTORS):
        schema = fitted(source, trainable=False)
        schema.save(tmp_path / "schema.json")
        loaded = Schema.load(tmp_path / "schema.json")
        assert loaded.fields == schema.fields
        loaded.save(tmp_path / "again.json")
        if source is VECTORS:
            fails(lambda s=loaded: dnn(s), "'item'", "rows in memory", "Parquet")
        else:
            assert not table(loaded).trainable


@pytest.mark.parametrize(
    ("pretrained", "words"),
    [
        (VECTORS.assign(item=[1, 2, 3]), ["none of the 3 ids", "7"]),
        (VECTORS.assign(item=[7, 7, 8]), ["2 for 7"]),
        (VECTORS.assign(more=1), ["two columns", "['item', 'v', 'more']"]),
        (VECTORS.rename(columns={"item": "key"}), ["two columns", "'key'"]),
        (VECTORS.assign(v=[[1.0, 2], [1, 2, 3], [1, 2]]), ["2 numbers", "'v'"]),
    ],
)
def test_rows_that_do_not_fit_are_refused(pretrained, words):
    fails(lambda: dnn(fitted(pretrained)), *words)


def test_ids_of_another_type_and_wrong_arguments_are_refused():
    text = VECTORS.assign(item=["a", "b", "c"])
    with pytest.raises(TypeError, match="dtype int64"):
        dnn(fitted(text))
    fails(lambda: Categorical("c", num_buckets=3, pretrained=VECTORS), "num_buckets")
    fails(lambda: Categorical("c", trainable=False), "`pretrained`")
    fails(lambda: Categorical("c", table="d", pretrained=VECTORS), "`pretrained`")


def test_new_ids_start_from_their_vectors_in_a_new_model_that_is_warm_started():
    old = fitted(frame=FRAME[:3], trainable=False)
    new = old.extend(FRAME)
    model = dnn(old, hidden_units=(3,))
    # Row 4 is the new id 5, row 1 that of unseen ids.
    grown = grow(model, old, new).get_layer("item_embedding").embeddings.numpy()
    assert grown[4].tolist() == grown[1].tolist()
    fresh = dnn(new, hidden_units=(3,))
    warm_start(model, fresh, old, new)
    assert fresh.get_layer("item_embedding").embeddings.numpy()[4].tolist() == [1, 2, 3]
    kernels = [each.get_layer("deep_0").get_weights()[0] for each in (model, fresh)]
    np.testing.assert_array_equal(*kernels)
