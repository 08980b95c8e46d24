"""The untrained models of the E-CDCTR experiment."""

import functools

import keras

from pipelines.harness.periods import DOMAIN
from tf_ctr.backbones import BACKBONES
from tf_ctr.joint import JOINT
from tf_ctr.transfer import add_historical


def backbone(schema, settings, seed, batch_norm=True):
    """Returns a model of CPM's and A-CTR's architecture.

    Args:
        schema: Its `Schema`.
        settings: The `Settings`.
        seed: Of its weights.
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
    data,
    settings,
    seed,
    aggregation,
    num_snapshots,
    time_embedding,
    batch_norm=True,
):
    """Returns the same with historical embeddings.

    Args:
        data: The `LevelData`.
        settings: The `Settings`.
        seed: Of its weights.
        aggregation: As of `tf_ctr.transfer.add_historical`.
        num_snapshots: Likewise.
        time_embedding: Likewise.
        batch_norm: As of `backbone`.
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


def joint_model(name, schema, settings, seed):
    """Returns a model of both kinds of data, without BatchNorm in its towers.

    Args:
        name: Of `tf_ctr.joint.JOINT`.
        schema: A `Schema` with the domain.
        settings: The `Settings`.
        seed: Of its weights.
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
