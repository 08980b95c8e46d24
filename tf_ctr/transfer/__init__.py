"""Transfer methods: plain functions from a source to a target `keras.Model`."""

from tf_ctr.transfer.autoft import autoft
from tf_ctr.transfer.fine_tune import fine_tune
from tf_ctr.transfer.routes import gate_model, route_shares

METHODS = {"fine_tune": fine_tune, "autoft": autoft}

__all__ = ["METHODS", "autoft", "fine_tune", "gate_model", "route_shares"]
