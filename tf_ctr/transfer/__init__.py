"""Transfer methods: functions from a source to a target model, with a file per paper.

A method copies its source, never shares or changes it, and returns an uncompiled
model. It declares itself as a `Method`: its arguments besides the source, the suffixes
of its frozen layers, and the losses that it adds. `METHODS` holds, by name, the methods
that take any source and start with its scores. Of the others, `apg`, `natr` and `a_ctr`
start with new layers, and `dual_embedding` needs fields of ids. `add_historical` adds
features to a backbone's model.

A *site* is a layer to which a method adds something. A *tower* is a whole copy of a
model inside another. A *route* chooses between a frozen and a tuned layer.

Methods are made of parts of `tf_ctr.surgery`, such as `warm_start`, `grow` and
`freeze_layers`, which are exported here too. The rewrites for inference are in
`tf_ctr.inference`; their names of version 0.1 still work here, with a
`DeprecationWarning`.
"""

import importlib
import warnings
from collections.abc import Callable

import keras

from tf_ctr.surgery import (
    WeightReport,
    freeze_layers,
    gate_model,
    grow,
    route_shares,
    set_learning_rate_multipliers,
    summary,
    warm_start,
)
from tf_ctr.transfer.a_ctr import a_ctr
from tf_ctr.transfer.apg import apg
from tf_ctr.transfer.autoft import autoft
from tf_ctr.transfer.ctnet import ctnet
from tf_ctr.transfer.dual_embedding import dual_embedding
from tf_ctr.transfer.fine_tune import fine_tune
from tf_ctr.transfer.historical import add_historical, fill_historical
from tf_ctr.transfer.l2_sp import l2_sp
from tf_ctr.transfer.method import Method, apply
from tf_ctr.transfer.natr import natr
from tf_ctr.transfer.progressive_nn import progressive_nn
from tf_ctr.transfer.ptu import ptu
from tf_ctr.transfer.spottune import spottune

# Collected from the declarations, so that a new method needs only an import and its
# name in `__all__`.
METHODS: dict[str, Callable[..., keras.Model]] = {
    name: function
    for name, function in sorted(globals().items())
    if Method.of(function).starts_as_source
}

__all__ = [
    "METHODS",
    "Method",
    "WeightReport",
    "a_ctr",
    "add_historical",
    "apg",
    "apply",
    "autoft",
    "ctnet",
    "dual_embedding",
    "fill_historical",
    "fine_tune",
    "freeze_layers",
    "gate_model",
    "grow",
    "l2_sp",
    "natr",
    "progressive_nn",
    "ptu",
    "route_shares",
    "set_learning_rate_multipliers",
    "spottune",
    "summary",
    "warm_start",
]

_MOVED_TO_INFERENCE = (
    "collapse",
    "fix_routes",
    "group_by_route",
    "merge_historical",
    "static_route",
)


def __getattr__(name: str) -> Callable[..., keras.Model]:
    if name not in _MOVED_TO_INFERENCE:
        raise AttributeError(f"module 'tf_ctr.transfer' has no attribute '{name}'")
    warnings.warn(
        f"tf_ctr.transfer.{name} is now tf_ctr.inference.{name}; version 0.3 removes "
        "the old name.",
        DeprecationWarning,
        stacklevel=2,
    )
    # Imported at run time, because transfer and inference must not import each other.
    return getattr(importlib.import_module("tf_ctr.inference"), name)


def __dir__() -> list[str]:
    return __all__
