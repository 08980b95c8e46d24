"""The data sets of the experiments, with the sizes of the models for each.

Every data set that `tf_ctr.datasets` registers is included automatically, with the
small sizes. Only variants, and data sets that need large models, are listed here.
"""

import dataclasses
import functools
from collections.abc import Callable

from pipelines.harness.runs import Settings
from tf_ctr import datasets
from tf_ctr.datasets import TwoDomains

# AutoFT (arXiv 2106.04873), section 4: its DCN; its DeepFM has 400-400-400.
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
    """A data set of two domains.

    Attributes:
        load: `load(data_dir)` returns the `TwoDomains`.
        settings: The default `Settings`.
    """

    load: Callable[..., TwoDomains]
    settings: Settings


def _synthetic(data_dir):
    """Draws the synthetic world, which needs no folder."""
    return datasets.synthetic.generate()


_LOADERS = {
    **datasets.DATASETS,
    "synthetic": _synthetic,
    "movielens_history": functools.partial(datasets.movielens.load, history=True),
    **{
        f"kuairand_tab{tab}": functools.partial(datasets.kuairand.load, target_tab=tab)
        for tab in (0, 4, 6)
    },
}
_LARGE = ("movielens", "amazon")
DATASETS = {
    name: Dataset(load, PAPER if name.startswith(_LARGE) else SMALL)
    for name, load in _LOADERS.items()
}
SETTINGS = {name: dataset.settings for name, dataset in DATASETS.items()}
