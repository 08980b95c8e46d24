"""CTR models: plain functions from a schema to a functional `keras.Model`."""

from tf_ctr.backbones.autoint import autoint
from tf_ctr.backbones.dcn import dcn
from tf_ctr.backbones.dcn_v2 import dcn_v2
from tf_ctr.backbones.deepfm import deepfm
from tf_ctr.backbones.difm import difm
from tf_ctr.backbones.din import din
from tf_ctr.backbones.dnn import dnn
from tf_ctr.backbones.fibinet import fibinet
from tf_ctr.backbones.finalmlp import finalmlp
from tf_ctr.backbones.pnn import pnn
from tf_ctr.backbones.taobao import taobao
from tf_ctr.backbones.wide_deep import wide_deep
from tf_ctr.backbones.xdeepfm import xdeepfm

BACKBONES = {
    "autoint": autoint,
    "dcn": dcn,
    "dcn_v2": dcn_v2,
    "deepfm": deepfm,
    "difm": difm,
    "din": din,
    "dnn": dnn,
    "fibinet": fibinet,
    "finalmlp": finalmlp,
    "pnn": pnn,
    "taobao": taobao,
    "wide_deep": wide_deep,
    "xdeepfm": xdeepfm,
}

__all__ = ["BACKBONES", *BACKBONES]
