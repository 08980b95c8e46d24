"""The models of the experiment: with and without historical embeddings, and joint."""

import functools

import keras

from pipelines.ecdctr.data import LevelData
from pipelines.harness.period_options import ModelSettings
from pipelines.harness.periods import DOMAIN
from tf_ctr.backbones import BACKBONES
from tf_ctr.features import Schema
from tf_ctr.joint import JOINT
from tf_ctr.transfer import add_historical


def backbone(
    schema: Schema, settings: ModelSettings, seed: int, batch_norm: bool = True
) -> keras.Model:
    """Returns a model of CPM's and A-CTR's architecture.

    Args:
        schema: Its `Schema`.
        settings: The `Settings`.
        seed: Seed of its weights.
        batch_norm: Whether it has BatchNorm.
    """
    keras.utils.set_random_seed(seed)
    return BACKBONES[settings.backbone](
        schema,
        embedding_dim=settings.embedding_dim,
        hidden_units=settings.hidden_units,
        batch_norm=batch_norm,
    )


def with_historical(
    data: LevelData,
    settings: ModelSettings,
    seed: int,
    aggregation: str,
    num_snapshots: int,
    time_embedding: bool,
    batch_norm: bool = True,
) -> keras.Model:
    """Returns a model like `backbone`, with historical embeddings.

    Args:
        data: The `LevelData`.
        settings: The `Settings`.
        seed: Seed of its weights.
        aggregation: As in `tf_ctr.transfer.add_historical`.
        num_snapshots: As in `tf_ctr.transfer.add_historical`.
        time_embedding: As in `tf_ctr.transfer.add_historical`.
        batch_norm: Whether it has BatchNorm.
    """
    build = functools.partial(
        backbone, settings=settings, seed=seed, batch_norm=batch_norm
    )
    return add_historical(
        build,
        data.schemas["plain"],
        data.historical,
        settings.tpm_dim,
        num_snapshots,
        aggregation,
        time_embedding,
    )


def joint_model(
    name: str, schema: Schema, settings: ModelSettings, seed: int
) -> keras.Model:
    """Returns a model of both kinds of data, without BatchNorm in its towers.

    Args:
        name: A name of `tf_ctr.joint.JOINT`.
        schema: A `Schema` with the domain.
        settings: The `Settings`.
        seed: Seed of its weights.
    """
    units = settings.hidden_units
    if name == "share_bottom":
        widths = {"tower_units": units}
    elif name == "star":
        widths = {"hidden_units": units}
    else:
        widths = {"expert_units": units[:-1] or units, "tower_units": units[-1:]}
    keras.utils.set_random_seed(seed)
    return JOINT[name](schema, DOMAIN, embedding_dim=settings.embedding_dim, **widths)
