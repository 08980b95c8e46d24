"""CTR models: plain functions from a schema to a functional `keras.Model`."""

from tf_ctr.backbones.dcn import dcn

BACKBONES = {"dcn": dcn}

__all__ = ["BACKBONES", "dcn"]
