"""Criteo, Avazu and Taobao: their formats, published splits, and real samples."""

import gzip

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from tests.support.dataset_folders import real_folder
from tf_ctr import data
from tf_ctr.datasets import avazu, criteo, taobao
from tf_ctr.datasets.criteo.files import COLUMNS, IDS, NUMBERS
from tf_ctr.datasets.split_log import SEED, stratified_folds
from tf_ctr.datasets.taobao.files import LAST, LAST_BUT_ONE, OF_AD, OF_USER

ROWS = 60


def sizes(log):
    return [len(each.to_pandas()) for each in (log.train, log.validation, log.test)]


def test_the_folds_are_those_of_scikit_learn_0_19():
    """Its `StratifiedKFold._make_test_folds`: a KFold per class, of one generator."""
    labels = np.random.default_rng(0).integers(0, 2, 103)
    generator = np.random.RandomState(SEED)
    expected = np.empty(103, int)
    for label in (0, 1):
        of_label = np.flatnonzero(labels == label)
        folds = KFold(10, shuffle=True, random_state=generator)
        for fold, (_, test) in enumerate(folds.split(of_label)):
            expected[of_label[test]] = fold
    np.testing.assert_array_equal(stratified_folds(labels), expected)


@pytest.fixture
def criteo_rows():
    generator = np.random.default_rng(0)
    columns = {"label": np.arange(ROWS) % 3 == 0}
    for name in NUMBERS:
        columns[name] = generator.integers(0, 1000, ROWS)
    for name in IDS:
        columns[name] = generator.choice(["05db9164", "68fd1e64", ""], ROWS)
    return pd.DataFrame(columns).astype({"label": int})[COLUMNS]


def test_criteo_is_read_with_and_without_a_header(criteo_rows, tmp_path):
    (tmp_path / "criteo").mkdir()
    path = tmp_path / "criteo" / "train.txt"
    criteo_rows.to_csv(path, sep="\t", header=False, index=False)
    official = criteo.load(tmp_path, min_count=1)
    sample = tmp_path / "sample.txt"
    criteo_rows.to_csv(sample, index=False)
    with_header = criteo.load(path=sample, min_count=1)
    assert sizes(official) == sizes(with_header) == [48, 6, 6]
    folds = stratified_folds(criteo_rows["label"].to_numpy())
    for log in (official, with_header):
        found = log.test.to_pandas()
        own = criteo_rows[folds == 0].reset_index(drop=True)
        np.testing.assert_array_equal(found["I1"], own["I1"])
        assert found["C1"].fillna("").tolist() == own["C1"].tolist()
        assert found["label"].sum() == 2  # A third of 6: the folds are stratified.
    schema = official.schema.fit(official.train)
    assert schema.field("C1").vocabulary is not None
    features, label = next(iter(data.from_rows(official.train, schema, batch_size=48)))
    assert features["C26"].shape == (48,) and label.numpy().sum() == 16


def test_a_log_is_written_as_parquet_once(criteo_rows, tmp_path):
    path = tmp_path / "sample.txt"
    criteo_rows.to_csv(path, index=False)
    log = criteo.load(path=path)
    written = log.write(tmp_path / "parquet")
    assert written.train.count == 48
    for name in ("train", "validation", "test"):
        pd.testing.assert_frame_equal(
            getattr(written, name).to_pandas(), getattr(log, name).to_pandas()
        )


def test_avazu_has_the_hour_of_the_day_and_the_day_of_the_week(tmp_path):
    columns = {name: "a" for name in avazu.files.IDS}
    frame = pd.DataFrame({"id": range(20), "click": [0, 1] * 10, **columns})
    frame["hour"] = [14102100, 14102623] * 10  # A Tuesday and a Sunday.
    (tmp_path / "avazu").mkdir()
    with gzip.open(tmp_path / "avazu" / "train.gz", "wt") as file:
        frame.to_csv(file, index=False)
    log = avazu.load(tmp_path, min_count=1)
    assert sizes(log) == [16, 2, 2]
    train = log.train.to_pandas().sort_values("hour")
    assert train["weekday"].drop_duplicates().tolist() == [1, 6]
    assert train["hour_of_day"].drop_duplicates().tolist() == [0, 23]
    assert log.schema.fit(log.train).field("weekday").vocabulary == (1, 6)


def test_files_without_labels_or_enough_rows_are_explained(criteo_rows, tmp_path):
    path = tmp_path / "sample.txt"
    for label, words in ((None, "0 or 1"), (5, r"0 or 1(.|\n)*5")):
        criteo_rows.assign(label=pd.Series([label, 1] * 30, dtype="Int64")).to_csv(
            path, sep="\t", header=False, index=False
        )
        with pytest.raises(ValueError, match=words):
            criteo.load(path=path)
    # As the test set of the challenge.
    pd.DataFrame({"id": ["1"], "hour": [14102100]}).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"'click'(.|\n)*use one of"):
        avazu.load(path=path)
    criteo_rows[:2].to_csv(path, index=False)
    with pytest.raises(ValueError, match="rows in the split"):
        criteo.load(path=path).write(tmp_path)


def test_taobao_is_split_by_days_and_joined(tmp_path):
    folder = tmp_path / "taobao-ads"
    folder.mkdir()
    times = [LAST_BUT_ONE - 1, LAST_BUT_ONE, LAST - 1, LAST]
    log = pd.DataFrame(
        {"user": [1, 2, 1, 3], "time_stamp": times, "adgroup_id": [9, 8, 7, 8]}
    )
    log = log.assign(pid="430548_1007", nonclk=[1, 0, 1, 0], clk=[0, 1, 0, 1])
    log.to_csv(folder / "raw_sample.csv", index=False)
    # As in the file, an unknown brand is NULL.
    ads = pd.DataFrame({"adgroup_id": [7, 8, 9], **{n: [5, 6, 7] for n in OF_AD}})
    ads = ads.assign(brand=["5", "6", "NULL"], price=[9.5, 1.0, 2.0])
    ads.to_csv(folder / "ad_feature.csv", index=False)
    # As in the file, a name ends in a space, and a user has no profile.
    users = pd.DataFrame({"userid": [1, 2], **{f"{n} ": [3, 4] for n in OF_USER}})
    users.to_csv(folder / "user_profile.csv", index=False)
    found = taobao.load(tmp_path, min_count=1)
    assert sizes(found) == [1, 2, 1]
    assert found.train.to_pandas()["brand"].isna().all()
    assert found.validation.to_pandas()["brand"].tolist() == [6, 5]
    assert found.test.to_pandas()["age_level"].isna().all()
    schema = found.schema.fit(found.validation)
    [(features, label)] = data.from_rows(found.test, schema)
    assert features["age_level"].numpy() == [0] and label.numpy() == [1]
    assert (schema.label, schema.group) == ("clk", "user")


def test_a_missing_file_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    for load in (criteo.load, avazu.load, taobao.load):
        with pytest.raises(FileNotFoundError, match="download"):
            load()
        with pytest.raises(FileNotFoundError, match=r"no such file(.|\n)*download"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("load", "name", "count"),
    [(criteo.load, "criteo_sample.txt", 200), (avazu.load, "avazu_sample.txt", 100)],
)
def test_real_samples_are_read(load, name, count):
    path = f"{real_folder('samples')}/samples/{name}"
    log = load(path=path, min_count=1)
    assert sum(sizes(log)) == count
    schema = log.schema.fit(log.train)
    _, label = next(iter(data.from_rows(log.validation, schema)))
    assert set(label.numpy()) <= {0, 1}
