"""The datasets of the comparison, with the sizes of their models."""

import dataclasses
import functools

from pipelines.harness.runs import Settings
from tf_ctr import datasets

# AutoFT (arXiv 2106.04873), section 4: DCN; its DeepFM has 400-400-400.
PAPER = Settings(
    embedding_dim=80,
    hidden_units=(1024, 512, 256, 128),
    num_cross_layers=3,
    batch_size=8000,
    epochs=30,
    patience=3,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(5e-4, 1e-3, 2e-4),
)
SMALL = dataclasses.replace(
    PAPER,
    embedding_dim=16,
    hidden_units=(128, 64),
    batch_size=1024,
    epochs=20,
    patience=2,
    learning_rates=(1e-3, 3e-3, 3e-4),
)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A dataset of the comparison.

    Attributes:
        load: `load(data_dir)` returns its `TwoDomains`.
        settings: The default `Settings`.
    """

    load: callable
    settings: Settings


def _synthetic(data_dir):
    """The synthetic world, which needs no folder."""
    return datasets.synthetic.generate()


DATASETS = {
    "synthetic": Dataset(_synthetic, SMALL),
    "movielens": Dataset(datasets.movielens.load, PAPER),
    "movielens_history": Dataset(
        functools.partial(datasets.movielens.load, history=True), PAPER
    ),
    "movielens_age": Dataset(datasets.DATASETS["movielens_age"], PAPER),
    **{
        f"kuairand_tab{tab}": Dataset(
            functools.partial(datasets.kuairand.load, target_tab=tab), SMALL
        )
        for tab in (0, 4, 6)
    },
    "amazon": Dataset(datasets.amazon.load, PAPER),
    "amazon_full": Dataset(datasets.amazon.load_full, PAPER),
}
PRESETS = {name: dataset.settings for name, dataset in DATASETS.items()}
