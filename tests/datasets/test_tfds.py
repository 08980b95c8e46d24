import sys

import numpy as np
import pandas as pd
import pytest

from tests.support import dataset_folders as folders
from tf_ctr.datasets import amazon, kuairand, tfds_rows
from tf_ctr.datasets.amazon import reviews as amazon_reviews

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def tfds():
    pytest.importorskip("importlib_resources", reason="tensorflow_datasets needs it")
    return pytest.importorskip("tensorflow_datasets")


@pytest.fixture(scope="module")
def manual_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("manual")
    folders.write_kuairand(root, folders.kuairand_tables(num_rows=300))
    folders.write_amazon(root, folders.amazon_interactions())
    rng = np.random.default_rng(0)
    reviews = [folders.review(i, rng) for i in range(40)]
    folders.write_reviews(root, "Video_Games", reviews)
    return root


@pytest.fixture
def build(tfds, manual_dir, tmp_path, monkeypatch):
    """Builds by `tfds.load`, which then finds the dataset in its default folder."""
    load = tfds.load
    config = tfds.download.DownloadConfig(
        manual_dir=manual_dir, register_checksums=False
    )

    def from_tmp(name, **arguments):
        return load(
            name,
            data_dir=tmp_path / "tfds",
            download_and_prepare_kwargs={"download_config": config},
            **arguments,
        )

    monkeypatch.setattr(tfds, "load", from_tmp)
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    return from_tmp


def test_kuairand_gives_the_same_domains_as_the_folder(build, manual_dir):
    folders.assert_same_domains(kuairand.load(), kuairand.load(manual_dir))
    rows, info = build("kuairand_pure", split="train", with_info=True)
    assert info.splits["train"].num_examples == len(list(rows))
    assert "is_click" in info.features
    assert "play_time_ms" not in info.features


def test_amazon_gives_the_same_domains_as_the_folder(build, manual_dir):
    folders.assert_same_domains(amazon.load(), amazon.load(manual_dir))


def test_published_reviews_have_a_configuration_per_category(build, manual_dir):
    from tf_ctr.datasets.amazon import tfds as amazon_tfds

    assert amazon_tfds.AmazonReviews2018.name == "amazon_reviews2018"
    rows = tfds_rows.to_frame(build("amazon_reviews2018/video_games", split="train"))
    path = manual_dir / "amazon-2018" / "Video_Games.json.gz"
    expected = amazon_reviews.read_reviews(path)
    assert set(rows.columns) == set(amazon_reviews.KINDS)

    def content(frame):
        return sorted(
            (row.reviewerID, row.asin, row.reviewTime, row.vote, row.overall)
            for row in frame.itertuples()
        )

    for name in ("reviewerID", "asin", "reviewTime"):
        rows[name] = rows[name].str.decode("utf-8")
    assert content(rows) == content(expected)


def test_tfds_build_finds_the_builder_by_its_module(tfds, manual_dir, tmp_path):
    # The command itself imports packages that building does not need.
    build = pytest.importorskip("tensorflow_datasets.scripts.cli.build")
    from tensorflow_datasets.scripts.cli import cli_utils

    parse = cli_utils.make_flags_parser(build.Args, description="tfds build")
    out = tmp_path / "out"
    options = ["--manual_dir", str(manual_dir), "--data_dir", str(out)]
    imports = ["--imports", "tf_ctr.datasets.amazon.tfds"]
    parse(["tfds build", "amazon_toys_games", *imports, *options]).execute()
    info = tfds.builder("amazon_toys_games", data_dir=out).info
    expected = len(folders.amazon_interactions())
    assert info.splits["train"].num_examples == expected


def test_every_kind_of_column_survives(tfds):
    kinds = {
        "number": "float64",
        "id": "int64",
        "word": "str",
        "ids": "int64[]",
        "words": "str[]",
    }
    frame = pd.DataFrame(
        {
            "number": [0.1, np.nan],
            "id": [9_155_697_141, -1],
            "word": ["Zoë", ""],
            "ids": [np.array([3, 1]), np.array([], np.int64)],
            "words": [["a", "b"], []],
        }
    )
    features = tfds_rows.features(tfds, kinds)
    assert features["ids"].dtype == np.int64
    assert features["words"].feature.dtype == features["word"].dtype
    pairs = list(tfds_rows.examples(frame, start=5))
    assert [key for key, _ in pairs] == [5, 6]
    encoded = [features.encode_example(example) for _, example in pairs]
    assert [example["id"] for example in encoded] == [9_155_697_141, -1]


def test_without_folder_and_tfds_the_error_names_both_ways(monkeypatch):
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(RuntimeError, match="TF_CTR_DATA; or run(.|\n)*tfds build kuai"):
        kuairand.load()


def test_without_files_tfds_says_what_it_needs(tfds, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    load = tfds.load
    monkeypatch.setattr(
        tfds, "load", lambda name, **kwargs: load(name, data_dir=tmp_path, **kwargs)
    )
    with pytest.raises(RuntimeError, match="manual_dir is the folder(.|\n)*Fix"):
        amazon.load()
