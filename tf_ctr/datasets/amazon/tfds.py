"""Amazon's interactions as TFDS data sets; importing this module registers them.

`tfds build amazon_toys_games --imports tf_ctr.datasets.amazon.tfds --manual_dir DIR`
"""

import tensorflow_datasets as tfds

from tf_ctr.datasets import tfds_rows
from tf_ctr.datasets.amazon import reviews, sample

CITATION = (
    "Ni, Li and McAuley, Justifying Recommendations using Distantly-Labeled Reviews "
    "and Fine-Grained Aspects, EMNLP 2019."
)
HOMEPAGE = "https://nijianmo.github.io/amazon"


class AmazonToysGames(tfds.core.GeneratorBasedBuilder):
    """The sample of toys and games: positive interactions of users of both domains."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "197,358 interactions of 7,996 users."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "manual_dir is the folder that holds amazon-toys-games/interactions.parquet."
    )

    def _info(self):
        return self.dataset_info_from_configs(
            description="Reviews in two domains by users of both; no ratings.",
            features=tfds_rows.features(tfds, sample.KINDS),
            supervised_keys=None,
            homepage=HOMEPAGE,
            citation=CITATION,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "amazon-toys-games"
        return {"train": self._generate_examples(folder)}

    def _generate_examples(self, folder):
        yield from tfds_rows.examples(sample.from_folder(folder))


class AmazonReviews2018(tfds.core.GeneratorBasedBuilder):
    """The published reviews, one configuration per category."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The fields of the AutoFT paper."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"manual_dir is the folder that holds amazon-2018/<category>.json.gz of "
        f"{HOMEPAGE}."
    )
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="toys_and_games", description="Toys_and_Games"),
        tfds.core.BuilderConfig(name="video_games", description="Video_Games"),
    ]

    def _info(self):
        return self.dataset_info_from_configs(
            description="Ratings with votes, style and day, without texts.",
            features=tfds_rows.features(tfds, reviews.KINDS),
            supervised_keys=None,
            homepage=HOMEPAGE,
            citation=CITATION,
        )

    def _split_generators(self, dl_manager):
        category = self.builder_config.description
        path = dl_manager.manual_dir / "amazon-2018" / f"{category}.json.gz"
        return {"train": self._generate_examples(path)}

    def _generate_examples(self, path):
        start = 0
        for chunk in reviews.chunks(path):
            yield from tfds_rows.examples(chunk, start)
            start += len(chunk)
