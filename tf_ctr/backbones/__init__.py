"""CTR models: plain functions from a schema to a functional `keras.Model`.

A *backbone* has one input per field of the schema, with the field's name, and outputs
the click probability. It is independent of transfer: the methods of `tf_ctr.transfer`
find its parts by the names of its layers:

- `{field}_embedding` is a *table*, with a row per id of a field; `{field}_pooling`
  makes one vector of several values of a field.
- `cross_{i}`, `deep_{i}` and the like are *depths*: one layer each, counted from 0.
- `logit` is the *prediction layer*, and `click` its sigmoid.

All backbones take `embedding_dim`, `hidden_units`, `activation`, `dropout`,
`batch_norm`, `l2` and `embedding_l2`, documented in `dnn`. `BACKBONES` maps names to
backbones. To add one, write its file and register it here: one import, one entry.
"""

from collections.abc import Callable

import keras

from tf_ctr.backbones.afm import afm
from tf_ctr.backbones.autoint import autoint
from tf_ctr.backbones.bst import bst
from tf_ctr.backbones.dcn import dcn
from tf_ctr.backbones.dcn_v2 import dcn_v2
from tf_ctr.backbones.deepfm import deepfm
from tf_ctr.backbones.dien import dien
from tf_ctr.backbones.difm import difm
from tf_ctr.backbones.din import din
from tf_ctr.backbones.dlrm import dlrm
from tf_ctr.backbones.dnn import dnn
from tf_ctr.backbones.fibinet import fibinet
from tf_ctr.backbones.finalmlp import finalmlp
from tf_ctr.backbones.fm import fm
from tf_ctr.backbones.fwfm import fwfm
from tf_ctr.backbones.gdcn import gdcn
from tf_ctr.backbones.masknet import masknet
from tf_ctr.backbones.nfm import nfm
from tf_ctr.backbones.pepnet import pepnet
from tf_ctr.backbones.pnn import pnn
from tf_ctr.backbones.taobao import taobao
from tf_ctr.backbones.wide_deep import wide_deep
from tf_ctr.backbones.wukong import wukong
from tf_ctr.backbones.xdeepfm import xdeepfm

BACKBONES: dict[str, Callable[..., keras.Model]] = {
    "afm": afm,
    "autoint": autoint,
    "bst": bst,
    "dcn": dcn,
    "dcn_v2": dcn_v2,
    "deepfm": deepfm,
    "dien": dien,
    "difm": difm,
    "din": din,
    "dlrm": dlrm,
    "dnn": dnn,
    "fibinet": fibinet,
    "finalmlp": finalmlp,
    "fm": fm,
    "fwfm": fwfm,
    "gdcn": gdcn,
    "masknet": masknet,
    "nfm": nfm,
    "pepnet": pepnet,
    "pnn": pnn,
    "taobao": taobao,
    "wide_deep": wide_deep,
    "wukong": wukong,
    "xdeepfm": xdeepfm,
}

__all__ = ["BACKBONES", *BACKBONES]


def __dir__() -> list[str]:
    return [*__all__]
