"""Batches of two domains: their ratio, order, weights and errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.joint_models import two_domain_frame, two_domain_schema
from tf_ctr.data import from_frame
from tf_ctr.data.mixing import mix


def domain(ids, batch_size=2, **extra):
    ids = np.array(ids)
    features = {"item": ids, **extra}
    return tf.data.Dataset.from_tensor_slices((features, ids % 2.0)).batch(batch_size)


def items(dataset):
    return [batch[0]["item"].numpy().tolist() for batch in dataset]


def test_a_batch_mixes_both_domains_in_the_given_ratio():
    mixed = mix(domain(range(12)), domain(range(100, 104)), ratio=3, batch_size=4)
    assert items(mixed) == [
        [100, 0, 1, 2],
        [101, 3, 4, 5],
        [102, 6, 7, 8],
        [103, 9, 10, 11],
    ]
    features, labels = next(iter(mixed))
    np.testing.assert_array_equal(labels, features["item"] % 2)


def test_an_epoch_covers_the_target_once_and_repeats_the_source():
    target = domain(range(100, 105))
    assert items(mix(domain(range(3)), target, batch_size=4)) == [
        [100, 101, 0, 1],
        [102, 103, 2, 0],
        [104, 1, 2],
    ]


def test_the_same_call_repeats_its_batches_and_each_epoch_differs():
    frame, schema = two_domain_frame(), two_domain_schema()

    def epochs():
        keras.utils.set_random_seed(3)
        parts = [
            from_frame(frame[frame.tab == tab], schema, shuffle=True, seed=1)
            for tab in (1, 4)
        ]
        mixed = mix(*parts, batch_size=10)
        return [items(mixed) for _ in range(2)]

    first, second = epochs()
    assert first != second
    assert sorted(np.ravel(first)) == sorted(np.ravel(second))
    assert epochs() == [first, second]


def test_source_rows_have_the_source_weight_and_target_rows_weight_1():
    mixed = mix(domain(range(3)), domain([100]), 2, batch_size=3, source_weight=0.25)
    [(features, _, weights)] = mixed
    assert features["item"].numpy().tolist() == [100, 0, 1]
    assert weights.numpy().tolist() == [1.0, 0.25, 0.25]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 0}, "gives both domains some of the 4"),
        ({"ratio": -1}, "gives both domains some"),
        ({"ratio": 100}, "gives both domains some"),
        ({"batch_size": 1}, "`batch_size` to be a whole number of at least 2"),
        ({"source_weight": -0.5}, "source_weight >= 0"),
    ],
)
def test_bad_arguments_raise_errors_with_a_fix(arguments, message):
    with pytest.raises(ValueError, match=message):
        mix(domain([1]), domain([2]), **{"batch_size": 4, **arguments})


def test_datasets_of_two_schemas_are_refused():
    with pytest.raises(ValueError, match="two datasets of one schema"):
        mix(domain([1]), domain([2], price=np.array([2.0])))
    with pytest.raises(ValueError, match="two datasets of one schema"):
        mix(domain([1]), domain([2]).map(lambda features, label: features))


def test_an_endless_target_is_refused():
    with pytest.raises(ValueError, match="a target that ends"):
        mix(domain([1]), domain([2]).repeat())
