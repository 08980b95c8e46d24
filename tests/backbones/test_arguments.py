"""The arguments of backbones: one name and default for one thing, errors that guide."""

import inspect
import re

import numpy as np
import pytest

from tests.support.frames import click_frame, click_schema
from tests.support.golden import SIZES
from tf_ctr import backbones
from tf_ctr.backbones import BACKBONES
from tf_ctr.data import from_frame
from tf_ctr.features import Categorical, Schema
from tf_ctr.layers import Embedding
from tf_ctr.surgery import Graph

# They also work without hidden layers, by their other part.
CAN_BE_SHALLOW = {
    "afm",
    "autoint",
    "dcn",
    "dcn_v2",
    "fm",
    "fwfm",
    "gdcn",
    "masknet",
    "xdeepfm",
}
OWN_DEFAULTS = {
    # As in their papers, they have no deep part.
    ("afm", "hidden_units"): (),
    ("fm", "hidden_units"): (),
    ("fwfm", "hidden_units"): (),
    # CTNet's paper states the sizes of its model.
    ("taobao", "hidden_units"): (1024, 512, 256),
    ("taobao", "activation"): "leaky_relu",
    ("taobao", "batch_norm"): True,
}


@pytest.fixture(scope="module")
def schema():
    return click_schema()


@pytest.fixture(scope="module")
def features(schema):
    return next(iter(from_frame(click_frame(), schema, batch_size=30)))[0]


@pytest.mark.parametrize("build", BACKBONES.values(), ids=BACKBONES.keys())
def test_common_arguments_have_one_name_and_default(build):
    common = inspect.signature(backbones.dnn).parameters
    own = inspect.signature(build).parameters
    assert list(own)[:3] == ["schema", "embedding_dim", "hidden_units"]
    for name in common:
        expected = OWN_DEFAULTS.get((build.__name__, name), common[name].default)
        assert own[name].default == expected
    with pytest.raises(TypeError, match="hidden_unit"):
        build(None, hidden_unit=(8,))


@pytest.mark.parametrize("build", BACKBONES.values(), ids=BACKBONES.keys())
def test_penalties_cover_kernels_and_the_table_rows_of_the_batch(
    build, schema, features
):
    assert build(schema, **SIZES).losses == []
    model = build(schema, **SIZES, l2=0.1, embedding_l2=0.1)
    model(features)
    kernels = [w for w in model.weights if "kernel" in w.name]
    linear_tables = [
        layer
        for layer in model.layers
        if layer.name.endswith("_linear") and isinstance(layer, Embedding)
    ]
    lookups = len(Graph(model).tables_by_field) + len(linear_tables)
    assert len(model.losses) == len(kernels) + lookups


@pytest.mark.parametrize("name", sorted(BACKBONES.keys() - CAN_BE_SHALLOW))
def test_no_hidden_layer_is_an_error(name, schema):
    with pytest.raises(ValueError, match="at least one hidden layer"):
        BACKBONES[name](schema, hidden_units=())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("autoint", {"num_attention_layers": 0}, "an attention or a deep part"),
        ("dcn", {"num_cross_layers": 0}, "a cross or a deep part"),
        ("dcn_v2", {"num_cross_layers": 0}, "a cross or a deep part"),
        ("gdcn", {"num_cross_layers": 0}, "a cross or a deep part"),
        ("xdeepfm", {"cin_units": ()}, "an interaction or a deep part"),
    ],
)
def test_a_part_can_be_left_out_but_not_all(name, arguments, message, schema):
    model = BACKBONES[name](schema, embedding_dim=4, hidden_units=())
    assert not [layer.name for layer in model.layers if layer.name[:5] == "deep_"]
    assert BACKBONES[name](schema, embedding_dim=4, **arguments)
    with pytest.raises(ValueError, match=message):
        BACKBONES[name](schema, hidden_units=(), **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("pnn", {"product": "cross"}, "to be one of 'inner', 'outer', 'both'"),
        ("fibinet", {"bilinear": "some"}, "one of 'interaction', 'each', 'all'"),
        ("fibinet", {"reduction_ratio": 0}, "`reduction_ratio` to be a whole number"),
        ("dcn_v2", {"structure": "mixed"}, "to be one of 'stacked', 'parallel'"),
        ("gdcn", {"structure": "mixed"}, "to be one of 'parallel', 'stacked'"),
        ("masknet", {"structure": "mixed"}, "to be one of 'parallel', 'serial'"),
        ("masknet", {"block_units": ()}, "at least one block"),
        ("masknet", {"reduction_ratio": 0}, "a `reduction_ratio` above 0"),
        ("afm", {"attention_units": 0}, "`units` to be a whole number"),
        ("pepnet", {"domain_fields": ["usr"]}, "use one of: age, device, history"),
        ("pepnet", {"personal_fields": []}, "at least one personal field"),
        ("wukong", {"num_layers": 0}, "`num_layers` to be a whole number"),
        ("bst", {"pooling": "last"}, "to be one of 'concat', 'mean', 'candidate'"),
        ("finalmlp", {"gate_fields": ["usr"]}, "use one of: age, device, history"),
        ("finalmlp", {"num_heads": 5}, "5 heads dividing M and N"),
    ],
)
def test_a_bad_option_raises_an_error_with_a_fix(name, arguments, message, schema):
    with pytest.raises(ValueError, match=message):
        BACKBONES[name](schema, **SIZES, **arguments)


def test_parallel_dcn_v2_without_crosses_is_a_dnn(schema, features):
    model = backbones.dcn_v2(schema, **SIZES, num_cross_layers=0, structure="parallel")
    twin = backbones.dnn(schema, **SIZES)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(features), twin(features))


@pytest.mark.parametrize("field", ["click", "deep_0", "bottom_1", "item_embedding"])
def test_a_field_with_the_name_of_a_layer_is_an_error(field):
    schema = Schema([Categorical(field, vocabulary=["a", "b"])], label="clicked")
    with pytest.raises(ValueError, match=f"the field '{field}'.\nFix: rename"):
        backbones.dcn(schema)


# Keras itself warns of attention over one field.
@pytest.mark.parametrize("name", sorted(BACKBONES.keys() - {"autoint", "difm"}))
def test_one_field_is_enough_or_the_error_says_which_field_is_missing(name):
    schema = Schema([Categorical("user", ["ann", "bob"])])
    try:
        model = BACKBONES[name](schema, **SIZES)
    except ValueError as error:
        assert re.search("at least 2 fields|a history", str(error))
    else:
        assert model({"user": np.array([2, 0])}).shape == (2, 1)
