import gzip
import json

import numpy as np
import pandas as pd
import pytest

from tests.support.dataset_folders import review, rows, write_reviews
from tf_ctr.datasets import amazon
from tf_ctr.datasets.amazon import reviews as amazon_reviews

COUNTS = {"Toys_and_Games": 500, "Video_Games": 100}


def records(category):
    rng = np.random.default_rng(len(category))
    return [review(i, rng) for i in range(COUNTS[category])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for category in COUNTS:
        write_reviews(root, category, records(category))
    return root


def test_each_file_is_split_8_1_1_into_a_domain(folder):
    data = amazon.load_full(folder)
    summary = data.summary()["rows"]
    assert summary["source"].tolist() == [400, 50, 50]
    assert summary["target"].tolist() == [80, 10, 10]
    for domain, category in zip((data.source, data.target), COUNTS, strict=True):
        expected = [r["overall"] for r in records(category)]
        frame = rows(domain)
        assert sorted(frame["overall"]) == sorted(expected)
        assert (frame["label"] == (frame["overall"] == 5)).all()


def test_split_is_shuffled_by_the_seed(folder):
    first, again, other = (amazon.load_full(folder, seed=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(first.source.test, again.source.test)
    assert not first.source.test.equals(other.source.test)
    assert not first.source.train["reviewTime"].is_monotonic_increasing


def test_schema_follows_the_paper(folder):
    data = amazon.load_full(folder, min_count=1)
    names = [field.name for field in data.schema.fields]
    assert names == ["reviewerID", "asin", "vote", "style", "reviewTime"]
    styles = {"Color: Red", "Format: Hardcover"}
    assert set(data.schema.field("style").vocabulary) == styles
    frequent = amazon.load_full(folder, min_count=12).schema
    train = pd.concat([data.source.train, data.target.train])
    for name in ("reviewerID", "asin"):
        counts = train[name].value_counts()
        assert set(frequent.field(name).vocabulary) == set(counts[counts >= 12].index)
    assert data.schema.encode(data.schema.raw_columns(data.target.test))


def test_reading_keeps_the_order_and_normalises(folder):
    path = folder / "amazon-2018" / "Toys_and_Games.json.gz"
    frame = amazon_reviews.read_reviews(path)
    source = records("Toys_and_Games")
    assert frame["reviewerID"].tolist() == [r["reviewerID"] for r in source]
    assert frame["vote"].tolist()[:4] == [1000, 0, 1002, 0]
    assert list(frame["style"][0]) == ["Color: Red", "Format: Hardcover"]
    assert list(frame["style"][1]) == []
    # "01 1, 2010" and "02 2, 2011".
    assert frame["reviewTime"].tolist()[:2] == ["2010-01-01", "2011-02-02"]


def test_file_is_read_in_chunks(folder):
    path = folder / "amazon-2018" / "Toys_and_Games.json.gz"
    chunks = list(amazon_reviews.chunks(path, rows=200))
    assert [len(chunk) for chunk in chunks] == [200, 200, 100]
    whole = pd.concat(chunks, ignore_index=True)
    pd.testing.assert_frame_equal(whole, amazon_reviews.read_reviews(path))


def changed(**values):
    return review(0, np.random.default_rng(0)) | values


def without(name):
    record = review(0, np.random.default_rng(0))
    del record[name]
    return record


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'overall': 5}", "Expecting property name"),
        ('{"overall": 5.0, "rev', "control character"),
        ("", "Expecting value"),
        ("[1, 2]", "no .'reviewerID'"),
        ("7", "int"),
        (without("asin"), "no .'asin'"),
        (changed(reviewerID=""), "reviewerID ''"),
        (changed(asin=12), "asin 12"),
        (changed(overall="5"), "'<='"),
        (changed(overall=6.0), "overall 6.0"),
        (changed(overall=True), "overall True"),
        (changed(reviewTime="13 1, 2014"), "reviewTime '13 1, 2014'"),
        (changed(reviewTime="02 30, 2014"), "reviewTime '02 30, 2014'"),
        (changed(reviewTime="2014-09-20"), "invalid literal|unpack"),
        (changed(vote="many"), "'many'"),
        (changed(style=["Red"]), "'items'"),
    ],
)
def test_malformed_line_is_named_by_its_number(tmp_path, line, message):
    good = review(0, np.random.default_rng(0))
    path = write_reviews(tmp_path, "Video_Games", [good, good, line, good])
    with pytest.raises(ValueError, match="one JSON object per line(.|\n)*line 3: "):
        amazon_reviews.read_reviews(path)
    with pytest.raises(ValueError, match=message):
        amazon_reviews.read_reviews(path)


def test_broken_archives_are_refused(tmp_path):
    path = write_reviews(tmp_path, "Video_Games", records("Video_Games"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="complete gzip file(.|\n)*after line"):
        amazon_reviews.read_reviews(path)
    path.write_text(json.dumps(review(0, np.random.default_rng(0))))
    with pytest.raises(ValueError, match="complete gzip file(.|\n)*download it again"):
        amazon_reviews.read_reviews(path)
    path.write_bytes(gzip.compress(b'{"asin": "\xff"}\n'))
    with pytest.raises(ValueError, match="UTF-8(.|\n)*after line 0"):
        amazon_reviews.read_reviews(path)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(ValueError, match="reviews in(.|\n)*no line"):
        amazon_reviews.read_reviews(path)


def test_missing_folder_or_file_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="TF_CTR_DATA(.|\n)*nijianmo"):
        amazon.load_full()
    with pytest.raises(FileNotFoundError, match="Toys_and_Games.json.gz"):
        amazon.load_full(tmp_path)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="two different categories"):
        amazon.load_full("nowhere", source="Video_Games")
    with pytest.raises(ValueError, match="`min_count`"):
        amazon.load_full("nowhere", min_count=0)
    with pytest.raises(ValueError, match="`seed`"):
        amazon.load_full("nowhere", seed=-1)
