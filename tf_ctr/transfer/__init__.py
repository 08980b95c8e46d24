"""Transfer methods: plain functions from a source to a target `keras.Model`.

`METHODS` holds those whose target starts with the scores of its source. `apg` and
`natr` have their form, but start with new, untrained layers.
"""

from tf_ctr.inference.collapse import collapse
from tf_ctr.inference.grouped_routes import group_by_route
from tf_ctr.inference.merge_historical import merge_historical
from tf_ctr.inference.static_routes import fix_routes, static_route
from tf_ctr.surgery.grow import grow
from tf_ctr.surgery.names import freeze_layers, set_learning_rate_multipliers
from tf_ctr.surgery.routes import gate_model, route_shares
from tf_ctr.surgery.warm_start import warm_start
from tf_ctr.surgery.weights import WeightReport, summary
from tf_ctr.transfer.a_ctr import a_ctr
from tf_ctr.transfer.apg import apg
from tf_ctr.transfer.autoft import autoft
from tf_ctr.transfer.ctnet import ctnet
from tf_ctr.transfer.dual_embedding import dual_embedding
from tf_ctr.transfer.fine_tune import fine_tune
from tf_ctr.transfer.historical import add_historical, fill_historical
from tf_ctr.transfer.l2_sp import l2_sp
from tf_ctr.transfer.natr import natr
from tf_ctr.transfer.progressive_nn import progressive_nn
from tf_ctr.transfer.ptu import ptu
from tf_ctr.transfer.spottune import spottune

METHODS = {
    "fine_tune": fine_tune,
    "l2_sp": l2_sp,
    "spottune": spottune,
    "autoft": autoft,
    "ctnet": ctnet,
    "progressive_nn": progressive_nn,
    "ptu": ptu,
}

__all__ = [
    "METHODS",
    "WeightReport",
    "a_ctr",
    "add_historical",
    "apg",
    "autoft",
    "collapse",
    "ctnet",
    "dual_embedding",
    "fill_historical",
    "fine_tune",
    "fix_routes",
    "freeze_layers",
    "gate_model",
    "group_by_route",
    "grow",
    "l2_sp",
    "merge_historical",
    "natr",
    "progressive_nn",
    "ptu",
    "route_shares",
    "set_learning_rate_multipliers",
    "spottune",
    "static_route",
    "summary",
    "warm_start",
]
