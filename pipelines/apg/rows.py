"""The rows of the APG experiment: backbones, versions, controls."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras

from pipelines.harness.runs import Settings
from tf_ctr import joint, transfer
from tf_ctr.backbones import BACKBONES
from tf_ctr.features import Schema
from tf_ctr.surgery import copy_layer, copy_weights, inputs_like, rebuild

SETTINGS = Settings(
    embedding_dim=16,
    hidden_units=(256, 128, 64),
    num_cross_layers=3,
    batch_size=8192,
    epochs=15,
    patience=2,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(4e-3,),
)
# The columns of the paper's table 2.
PAPER_BACKBONES = {
    "WDL": "wide_deep",
    "PNN": "pnn",
    "FiBiNET": "fibinet",
    "DIFM": "difm",
    "DeepFM": "deepfm",
    "DCN": "dcn",
    "AutoInt": "autoint",
}
# AutoInt's default is 32, which takes four times as long.
NARROW_HEADS = {"autoint": {"head_dim": 8}}
# For rows without APG, too: all rows may try the same number of settings.
TRAINING = {"learning_rate": (4e-3, 2e-3)}
RANKS = {"rank": (4, 16)}
CONDITIONS = {"condition": ("user_id", "self")}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: Name of the row.
        build: `build(schema, settings, **arguments)` returns an uncompiled model.
        space: The values to try; see `pipelines.harness.trials.candidates`.
        schema: Name of the schema, `"plain"` or `"genre_string"`.
        settings: Fields of `Settings` that differ from the experiment's.
    """

    name: str
    build: Callable[..., keras.Model]
    space: dict[str, tuple]
    schema: str = "plain"
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


def backbone_rows() -> list[Row]:
    """Returns two rows per backbone: table 2 of the paper."""
    rows = []
    for name, backbone in PAPER_BACKBONES.items():
        rows.append(_base(name, backbone))
        rows.append(_adaptive(f"{name} + APG", backbone))
    return rows


def control_rows() -> list[Row]:
    """Returns controls that the paper lacks: layers as small as APG's, not adaptive."""
    static = functools.partial(_static_low_rank, "wide_deep")
    matched = functools.partial(_as_many_parameters, "wide_deep")
    space = {**TRAINING, **RANKS}
    return [
        Row("WDL, static low-rank", static, space),
        Row("WDL, as many parameters", matched, space),
    ]


def version_rows(hidden_units: Sequence[int] = (32, 16, 8)) -> list[Row]:
    """Returns the versions on Wide & Deep: table 4, on narrower layers.

    v1 and v2 generate whole kernels, the largest from a layer's own input, so here all
    versions have the user as the condition.
    """
    narrow = {"hidden_units": hidden_units}
    user = {"condition": ("user_id",), "rank": (4, min(hidden_units))}
    rows = [_base("WDL narrow", "wide_deep", narrow)]
    for version in ("v1", "v2", "v4", "v5"):
        name = f"WDL narrow + {version}"
        rows.append(_adaptive(name, "wide_deep", narrow, space=user, version=version))
    return rows


def start_rows() -> list[Row]:
    """Returns the ablation of the generator's initial weights."""
    return [
        _adaptive(f"WDL + APG, {start} start", "wide_deep", generator_start=start)
        for start in ("identity", "glorot")
    ]


def coarse_rows() -> list[Row]:
    """Returns the models with their own parameters per genre string: table 6."""
    domain = "genre_string"
    names = {"MMoE": joint.mmoe, "STAR": joint.star}
    rows = [
        Row(f"{name}, per {domain}", functools.partial(_joint, model), TRAINING, domain)
        for name, model in names.items()
    ]
    coarse = {"condition": (domain,)}
    fine = {"condition": ("movie_id",)}
    return [
        _base("WDL, with genre_string", "wide_deep", schema=domain),
        *rows,
        _adaptive("APG, per genre_string", "wide_deep", schema=domain, space=coarse),
        _adaptive("APG, per movie", "wide_deep", schema=domain, space=fine),
    ]


TABLES = {
    "backbones": backbone_rows,
    "controls": control_rows,
    "versions": version_rows,
    "starts": start_rows,
    "coarse": coarse_rows,
}


def _base(name, backbone, settings=None, schema="plain"):
    build = functools.partial(_backbone, backbone)
    return Row(name, build, TRAINING, schema, settings or {})


def _adaptive(name, backbone, settings=None, schema="plain", space=None, **options):
    build = functools.partial(_apg, backbone, **options)
    space = {**TRAINING, **CONDITIONS, **RANKS, **(space or {})}
    return Row(name, build, space, schema, settings or {})


def _backbone(name, schema, settings):
    arguments = settings.model_arguments()
    if name != "dcn":
        del arguments["num_cross_layers"]
    return BACKBONES[name](schema, **arguments, **NARROW_HEADS.get(name, {}))


def _apg(backbone, schema, settings, condition, rank, **options):
    model = _backbone(backbone, schema, settings)
    return transfer.apg(model, condition, rank, **options)


def _joint(model, schema, settings):
    return model(
        schema,
        domain="genre_string",
        embedding_dim=settings.embedding_dim,
    )


def _static_low_rank(backbone, schema, settings, rank):
    """Returns APG with one S for all examples: `x V U`, with V of K columns."""
    model = _backbone(backbone, schema, settings)
    hidden = [each.name for each in model.layers if each.name.startswith("deep_")]

    def call(layer, *args, **kwargs):
        if layer.name not in hidden:
            return layer(*args, **kwargs)
        parts = layer.layers if isinstance(layer, keras.Sequential) else [layer]
        narrow = keras.layers.Dense(rank, use_bias=False, name="v")
        parts = [narrow, *(copy_layer(part) for part in parts)]
        return keras.Sequential(parts, name=layer.name)(*args)

    low = rebuild(model, inputs_like(model), call)
    copy_weights(model, low, skip=tuple(hidden))
    return low


def _as_many_parameters(backbone, schema, settings, rank):
    """Returns the static model, narrowed to as many hidden parameters as APG."""
    widths = matched_units(schema, settings, rank)
    narrow = dataclasses.replace(settings, hidden_units=widths)
    return _backbone(backbone, schema, narrow)


def matched_units(schema: Schema, settings: Settings, rank: int) -> tuple[int, ...]:
    """Returns hidden widths, all scaled alike, with about as many parameters as APG.

    Args:
        schema: The schema of the model.
        settings: Widths and embedding dim.
        rank: Rank K of that APG, as served, with U and V multiplied out.

    Returns:
        The widths.
    """
    input_width = len(schema.fields) * settings.embedding_dim
    units = settings.hidden_units

    def shapes(widths):
        return zip((input_width, *widths[:-1]), widths, strict=True)

    generator = (settings.embedding_dim + 1) * rank**2
    wanted = sum((m + n) * rank + n + generator for m, n in shapes(units))
    options = [
        tuple(max(1, round(width * step / 256)) for width in units)
        for step in range(1, 257)
    ]
    return min(
        options, key=lambda w: abs(sum(m * n + n for m, n in shapes(w)) - wanted)
    )
