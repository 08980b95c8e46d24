"""Transfer methods: plain functions from a source to a target `keras.Model`.

`METHODS` holds those whose target starts with the scores of its source. `apg` is none
of them, although it has their form: it replaces layers by new, untrained ones.
"""

from tf_ctr.layers.collapse import collapse
from tf_ctr.transfer.apg import apg
from tf_ctr.transfer.autoft import autoft
from tf_ctr.transfer.fine_tune import fine_tune
from tf_ctr.transfer.routes import gate_model, route_shares

METHODS = {"fine_tune": fine_tune, "autoft": autoft}

__all__ = [
    "METHODS",
    "apg",
    "autoft",
    "collapse",
    "fine_tune",
    "gate_model",
    "route_shares",
]
