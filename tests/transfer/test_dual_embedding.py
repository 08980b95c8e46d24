"""Dual embedding: the first hidden layer sees the source's vectors, too."""

import keras
import numpy as np
import pytest

from tests.support.models import ROWS, batch, small_dcn, weights_by_layer
from tf_ctr.transfer import dual_embedding

SITE = "deep_0"


def of(model, features):
    return np.array(model(features))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_dual_embedding_starts_with_the_scores_of_the_target(batch_norm):
    source, target = small_dcn(batch_norm), small_dcn(batch_norm, seed=5)
    features, _ = batch()
    model = dual_embedding(source, target)
    np.testing.assert_allclose(of(model, features), of(target, features), atol=1e-6)


def test_the_added_term_equals_a_wider_layer():
    source, target = small_dcn(), small_dcn(seed=5)
    model = dual_embedding(source, target, ["user"])
    kernel = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    model.get_layer("deep_0_dual").set_weights([kernel])
    features, _ = batch()

    def output(model, layer):
        return np.array(
            keras.Model(model.input, model.get_layer(layer).output)(features)
        )

    vectors = source.get_layer("user_embedding").get_weights()[0][features["user"]]
    x = output(target, "embeddings")
    weight, bias = target.get_layer(SITE).get_weights()
    wide = np.concatenate([x, vectors], axis=1) @ np.concatenate([weight, kernel])
    expected = np.maximum(wide + bias, 0)
    got = output(model, "deep_0_activation")
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_dual_embedding_is_trained_and_its_source_is_not():
    source, target = small_dcn(), small_dcn(seed=5)
    before = [model.get_weights() for model in (source, target)]
    model = dual_embedding(source, target)
    start = weights_by_layer(model)
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy", run_eagerly=True)
    features, labels = batch()
    model.fit(features, labels, epochs=2, shuffle=False, verbose=0)
    for name in ROWS:
        table = f"{name}_embedding_dual"
        np.testing.assert_array_equal(
            start[table][0], source.get_layer(f"{name}_embedding").get_weights()[0]
        )
        assert not np.array_equal(start[table], model.get_layer(table).get_weights())
    for old, each in zip(before, (source, target), strict=True):
        for one, two in zip(old, each.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)


def test_dual_embedding_is_the_same_after_reloading(tmp_path):
    model = dual_embedding(small_dcn(), small_dcn(seed=5))
    model.get_layer("deep_0_dual").set_weights([np.ones((8, 5))])
    model.save(tmp_path / "model.keras")
    features, _ = batch()
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(of(again, features), of(model, features))


def test_fields_with_several_ids_and_unknown_ones_are_refused():
    with pytest.raises(ValueError, match="(?s)one id in both.*'history'.*item, user"):
        dual_embedding(small_dcn(), fields=["history"])
