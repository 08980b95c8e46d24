"""The pieces that backbones are made of."""

import keras
import keras_rs
import numpy as np
import pytest

from tests.support.frames import click_frame, click_schema
from tests.support.golden import SIZES
from tf_ctr import backbones
from tf_ctr.backbones import factorization, pieces
from tf_ctr.data import from_frame


@pytest.fixture(scope="module")
def schema():
    return click_schema()


def test_embed_pools_sequences_with_the_table_of_their_field(schema):
    vectors = pieces.embed(schema, inputs := schema.inputs(), embedding_dim=4)
    model = keras.Model(inputs, vectors)
    features, _ = next(iter(from_frame(click_frame(), schema, batch_size=30)))
    table = model.get_layer("item_embedding").embeddings.numpy()
    ids = features["history"].numpy()
    expected = [table[row[row > 0]].mean(0) if any(row) else np.zeros(4) for row in ids]
    output = model(features)
    np.testing.assert_allclose(output["history"], expected, atol=1e-7)
    np.testing.assert_array_equal(output["item"], table[features["item"]])
    np.testing.assert_array_equal(output["price"], features["price"])


def test_a_depth_is_one_layer_even_with_batch_norm_or_dropout():
    x = keras.Input((3,))
    for arguments in ({}, {"batch_norm": True}, {"dropout": 0.5}):
        model = keras.Model(x, pieces.mlp(x, (4, 2), **arguments))
        assert [layer.name for layer in model.layers[1:]] == ["deep_0", "deep_1"]


def test_products_agree_with_keras_rs():
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    layer = keras_rs.layers.DotInteraction()
    expected = np.array(layer([x[:, i] for i in range(4)]))
    np.testing.assert_allclose(
        factorization.factorization_machine(x)[:, 0], expected.sum(1), rtol=1e-4
    )
    # The upper triangle row by row is the lower one column by column.
    order = [0, 1, 3, 2, 4, 5]
    np.testing.assert_allclose(
        factorization.inner_products(x), expected[:, order], rtol=1e-4
    )
    squares = factorization.inner_products(x, self_interaction=True)
    np.testing.assert_allclose(
        np.array(squares)[:, [0, 4, 7, 9]], (x**2).sum(axis=2), rtol=1e-4
    )


def test_history_and_item_share_embeddings_but_not_linear_weights(schema):
    names = {layer.name for layer in backbones.deepfm(schema, **SIZES).layers}
    assert {"history_linear", "item_linear", "item_embedding"} <= names
    assert "history_embedding" not in names
