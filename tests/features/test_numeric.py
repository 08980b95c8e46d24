"""Numbers: their logarithm, the limit of their distance, and an indicator."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tests.support.frames import click_frame, click_schema
from tf_ctr import data
from tf_ctr.backbones import deepfm
from tf_ctr.features import Categorical, Numeric, Schema

# Mostly zero, and one value of 101 standard deviations, as the counts of real logs.
COUNTS = np.where(np.arange(20_000) == 7, 5000.0, 0.1 * (np.arange(20_000) % 10 == 0))
NUMBERS = [-50.0, -1.0, 0.0, 0.5, 3.0, np.nan, 1000.0]


def frame_of(values):
    return pd.DataFrame({"n": values})


def encoded(field, values=NUMBERS):
    schema = Schema([field]).fit(frame_of(values))
    return schema.encode(schema.raw_columns(frame_of(values)))["n"].numpy()


def test_the_logarithm_is_standardised_as_scikit_learn_does():
    column = np.array(NUMBERS)[:, np.newaxis]
    log = FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x)))
    expected = StandardScaler().fit_transform(log.fit_transform(column))
    found = encoded(Numeric("n", transform="log"))
    np.testing.assert_allclose(found, np.nan_to_num(expected), rtol=1e-6)


def test_numbers_are_cut_at_ten_standard_deviations_unless_told_otherwise():
    expected = StandardScaler().fit_transform(COUNTS[:, np.newaxis])
    assert expected.max() > 100
    for arguments, limit in (({}, 10), ({"clip": 3}, 3), ({"clip": None}, np.inf)):
        found = encoded(Numeric("n", **arguments), COUNTS)
        np.testing.assert_allclose(found, np.clip(expected, -limit, limit), rtol=1e-5)
    # A field that is given its moments is cut alike.
    given = Numeric("n", mean=0, std=1, clip=2)
    assert given.encode([-9.0, 1.0, 9.0]).numpy().ravel().tolist() == [-2, 1, 2]


def test_the_summary_warns_of_far_numbers_and_names_the_fix():
    schema = Schema([Numeric("n"), Categorical("c")])
    schema.fit(frame_of(COUNTS).assign(c=1))
    with pytest.warns(UserWarning, match=r"'n' within 20(.|\n)*cut at 10(.|\n)*log"):
        largest = schema.summary()["largest"]
    exact = StandardScaler().fit_transform(COUNTS[:, np.newaxis]).max()
    assert largest["n"] == pytest.approx(exact, rel=1e-6)
    assert np.isnan(largest["c"])
    free = Schema([Numeric("n", clip=None)]).fit(frame_of(COUNTS))
    with pytest.warns(UserWarning, match="which nothing cuts"):
        free.summary()
    # Nothing to say of the fixes.
    values = np.random.default_rng(0).lognormal(sigma=3, size=2000)
    for fix in (Numeric("n", "log"), Numeric("n", "quantile", num_bins=4)):
        Schema([fix]).fit(frame_of(values)).summary()


def test_a_missing_number_has_an_indicator_where_asked():
    plain = encoded(Numeric("n"))
    found = encoded(Numeric("n", missing_indicator=True))
    np.testing.assert_array_equal(found[:, :1], plain)
    np.testing.assert_array_equal(found[:, 1], np.isnan(NUMBERS))


def test_a_saved_schema_keeps_all_and_an_old_file_its_old_behaviour(tmp_path):
    path = tmp_path / "schema.json"
    fields = [Numeric("n", "log", clip=2, missing_indicator=True), Numeric("m")]
    frame = frame_of(COUNTS).assign(m=COUNTS)
    schema = Schema(fields).fit(frame)
    schema.save(path)
    loaded = Schema.load(path)
    assert loaded.fields == schema.fields
    assert loaded.field("m").largest == schema.field("m").largest
    record = json.loads(path.read_text())
    del record["sha256"]  # As version 0.2 wrote it.
    for field in record["fields"]:
        for argument in ("clip", "missing_indicator", "extent"):
            del field[argument]
        field["learned"] = ["mean", "std"]
    path.write_text(json.dumps(record))
    old = Schema.load(path)
    assert [field.clip for field in old.fields] == [None, None]
    assert old.encode({"n": [0.0], "m": [5000.0]})["m"] > 100
    # The same after a second fit: an old field has no limit.
    assert old.fit(frame).field("m").clip is None


def test_more_data_changes_the_extent_only():
    schema = Schema([Numeric("n")]).fit(frame_of([1.0, 3.0]))
    more = schema.extend(frame_of([0.0, 9.0]))
    assert more.fields == schema.fields
    assert (schema.field("n").extent, more.field("n").extent) == ((1, 3), (0, 9))
    assert schema.field("n").unfitted() == Numeric("n")
    assert schema.field("n").unfitted().extent is None


def test_an_indicator_is_a_second_input_of_a_number():
    fields = [
        Numeric("price", "log", missing_indicator=True) if f.name == "price" else f
        for f in click_schema().fields
    ]
    frame = click_frame(20)
    frame.loc[3, "price"] = np.nan
    schema = Schema(fields, label="click").fit(frame)
    [(features, _)] = data.from_frame(frame, schema, batch_size=20)
    assert features["price"].shape == (20, 2)
    assert features["price"][3].numpy().tolist() == [0, 1]
    model = deepfm(schema, embedding_dim=2, hidden_units=(3,))
    direct = model(schema.encode(schema.raw_columns(frame)))
    np.testing.assert_array_equal(model(features), direct)
    assert model.get_layer("price_embedding").kernel.shape == (2, 2)
