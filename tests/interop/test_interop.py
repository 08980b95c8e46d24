"""Schemas from DeepCTR and FuxiCTR, whose descriptions are imitated here."""

import collections

import numpy as np
import pandas as pd
import pytest

from tf_ctr import Categorical, Numeric, Sequence, Vector
from tf_ctr.backbones import dnn
from tf_ctr.interop import from_deepctr, from_fuxictr

# The attributes of deepctr/feature_column.py, version 0.9.3.
DenseFeat = collections.namedtuple(
    "DenseFeat",
    ["name", "dimension", "dtype", "transform_fn"],
    defaults=[1, "float32", None],
)
_Sparse = collections.namedtuple(
    "SparseFeat",
    "name vocabulary_size embedding_dim use_hash dtype embedding_name trainable",
    defaults=[4, False, "int32", None, True],
)
_VarLen = collections.namedtuple(
    "VarLenSparseFeat",
    "sparsefeat maxlen combiner length_name weight_name weight_norm",
    defaults=["mean", None, None, True],
)


def sparse(name, size=10, **values):
    values.setdefault("embedding_name", name)
    return _Sparse(name, size, **values)


class VarLenSparseFeat(_VarLen):
    def __getattr__(self, name):
        return getattr(self.sparsefeat, name)


@pytest.fixture(scope="module")
def deepctr():
    return from_deepctr(
        [
            sparse("user", embedding_dim=8),
            sparse("item"),
            sparse("last_item", embedding_name="item"),
            sparse("ip", 1000, use_hash=True, dtype="string"),
            VarLenSparseFeat(sparse("hist_item", embedding_name="item"), 20, "sum"),
            VarLenSparseFeat(sparse("tags"), 5, "max", "tags_length", "tags_weight"),
            DenseFeat("price"),
            DenseFeat("image", 3, transform_fn=np.sqrt),
            sparse("user", embedding_dim=8),  # Again, in the linear part.
        ],
        label=("click", "buy"),
        group="user",
    )


def test_feature_columns_of_deepctr_become_fields(deepctr):
    schema = deepctr.schema
    # The weights of a list are an input of their own.
    assert [f for f in schema.fields if f.name != "tags_weight"] == [
        Categorical("user", dtype="int64"),
        Categorical("item", dtype="int64"),
        schema.field("last_item"),
        Categorical("ip", num_buckets=1000, dtype="string"),
        schema.field("hist_item"),
        Categorical(
            "tags",
            dtype="int64",
            multivalent=True,
            max_length=5,
            padding=0,
            weights="tags_weight",
        ),
        Numeric("price"),
        Vector("image", dim=3),
    ]
    assert schema.field("last_item").table == "item"
    history = schema.field("hist_item")
    assert (history.of, history.max_length, history.pooling) == ("item", 20, "sum")
    assert isinstance(history, Sequence)
    assert (schema.label_names, schema.group) == (("click", "buy"), "user")
    assert deepctr.embedding_dim == {"user": 8, "item": 4, "ip": 4, "tags": 4}


def test_what_has_no_counterpart_in_deepctr_is_said(deepctr):
    text = str(deepctr)
    for words in (
        "fields: user: Categorical",
        "tags, length_name='tags_length': lists are as long as they are",
        "tags, combiner='max': pooled by the mean",
        "tags, weight_norm=True: weights count as they are",
        "tags, combiner='mean': divided by the sum of the weights",
        "image, transform_fn: compute it before",
        "hist_item, id 0: an id here",
    ):
        assert words in text


def test_columns_that_are_none_are_refused():
    with pytest.raises(TypeError, match="SparseFeat, VarLenSparseFeat, DenseFeat"):
        from_deepctr(["user"])
    with pytest.raises(ValueError, match="at least one field"):
        from_deepctr([])


def fuxictr(**changes):
    """As in FuxiCTR's dataset_config.yaml."""
    columns = [
        {
            "name": ["user", "item"],
            "active": True,
            "dtype": "str",
            "type": "categorical",
        },
        {
            "name": "last_item",
            "active": True,
            "dtype": "str",
            "type": "categorical",
            "share_embedding": "item",
        },
        {
            "name": "clicks",
            "active": True,
            "dtype": "str",
            "type": "sequence",
            "splitter": "^",
            "max_len": 3,
            "share_embedding": "item",
            "feature_encoder": None,
        },
        {
            "name": "tags",
            "active": True,
            "dtype": "int",
            "type": "sequence",
            "max_len": 2,
            "feature_encoder": "layers.MaskedSumPooling()",
            "embedding_dim": 6,
        },
        {
            "name": "age",
            "active": True,
            "dtype": "float",
            "type": "numeric",
            "normalizer": "StandardScaler",
            "fill_na": 0,
        },
        {
            "name": "views",
            "active": True,
            "dtype": "int",
            "type": "categorical",
            "category_processor": "quantile_bucket",
            "num_buckets": 4,
        },
        {
            "name": "ip",
            "active": True,
            "dtype": "str",
            "type": "categorical",
            "category_processor": "hash_bucket",
            "num_buckets": 50,
            "preprocess": "convert_ip",
        },
        {
            "name": "image",
            "active": True,
            "dtype": "str",
            "type": "embedding",
            "pretrain_dim": 4,
        },
        {"name": "request", "active": True, "dtype": "str", "type": "meta"},
        {"name": "old", "active": False, "dtype": "str", "type": "categorical"},
    ]
    config = {
        "data_format": "csv",
        "min_categr_count": 2,
        "feature_cols": columns,
        "label_col": [{"name": "click", "dtype": "float"}, {"name": "buy"}],
        "group_id": "user",
    }
    return {**config, **changes}


def test_a_dataset_config_of_fuxictr_becomes_a_schema():
    found = from_fuxictr(fuxictr())
    schema = found.schema
    tags = {"dtype": "int64", "multivalent": True, "max_length": 2, "pooling": "sum"}
    assert schema.fields == [
        Categorical("user", dtype="string", min_count=2),
        Categorical("item", dtype="string", min_count=2),
        schema.field("last_item"),
        schema.field("clicks"),
        Categorical("tags", min_count=2, **tags),
        Numeric("age"),
        Numeric("views", transform="quantile", num_bins=4),
        Categorical("ip", dtype="string", num_buckets=50),
        Vector("image", dim=4),
    ]
    assert schema.field("last_item").table == "item"
    assert (schema.field("clicks").of, schema.field("clicks").max_length) == ("item", 3)
    assert (schema.label_names, schema.group) == (("click", "buy"), "user")
    assert found.embedding_dim == {"tags": 6}
    text = str(found)
    for words in (
        "old, active=False: left out",
        "ip, preprocess='convert_ip': compute it before",
        "age, fill_na=0: a missing value has a row of its own",
        "clicks, splitter='^': tf_ctr.data.rows(path, separator=...)",
        "clicks, feature_encoder='None': the backbone decides",
    ):
        assert words in text


def test_an_imported_schema_is_fitted_and_builds_a_model():
    config = fuxictr()
    config["feature_cols"] = config["feature_cols"][:3]
    config |= {"label_col": {"name": "click"}, "min_categr_count": 1}
    found = from_fuxictr(config)
    frame = pd.DataFrame(
        {
            "user": ["u", "v"],
            "item": ["a", "b"],
            "last_item": "a",
            "clicks": [["a"], []],
        }
    )
    schema = found.schema.fit(frame)
    model = dnn(schema, embedding_dim=2, hidden_units=(3,))
    assert model.output.shape == (None, 1)


def test_a_list_of_a_column_that_is_left_out_has_a_table_of_its_own():
    item = {"name": "item", "type": "categorical", "active": False}
    clicks = {"name": "clicks", "type": "sequence", "share_embedding": "item"}
    found = from_fuxictr({"feature_cols": [item, clicks], "label_col": "buy"})
    assert [field.kind for field in found.schema.fields] == ["Categorical"]
    assert "no such field; a table of its own" in str(found)
    assert found.schema.label == "buy"


@pytest.mark.parametrize(
    ("config", "kind", "words"),
    [
        ([], TypeError, "a dict with 'feature_cols'"),
        ({"data_root": "."}, TypeError, "with data_root"),
        (
            fuxictr(feature_cols=[{"name": "a", "type": "text"}]),
            ValueError,
            "use one of",
        ),
        (fuxictr(feature_cols=[{"type": "numeric"}]), TypeError, "dicts with 'name'"),
        (fuxictr(feature_cols=None), TypeError, "dicts with 'name'"),
        (
            fuxictr(feature_cols=[{"name": "a", "type": "embedding"}]),
            ValueError,
            "add pretrain_dim",
        ),
        (
            fuxictr(
                feature_cols=[
                    {"name": "a", "type": "categorical", "share_embedding": "b"}
                ]
            ),
            ValueError,
            "column to share the table of",
        ),
    ],
)
def test_wrong_configurations_are_refused(config, kind, words):
    with pytest.raises(kind, match=words):
        from_fuxictr(config)
