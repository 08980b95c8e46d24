"""Keras layers that plug into functional models, one per file."""

from tf_ctr.layers.apg_dense import APGDense
from tf_ctr.layers.bias import Bias
from tf_ctr.layers.bilinear_fusion import BilinearFusion
from tf_ctr.layers.bilinear_interaction import BilinearInteraction
from tf_ctr.layers.compressed_interaction import CompressedInteraction
from tf_ctr.layers.condition_attention import ConditionAttention
from tf_ctr.layers.cross import CrossLayer
from tf_ctr.layers.cross_v2 import CrossLayerV2
from tf_ctr.layers.embedding import Embedding
from tf_ctr.layers.field_attention import FieldAttention
from tf_ctr.layers.pooling import MaskedPooling
from tf_ctr.layers.route import Route
from tf_ctr.layers.router import GumbelRouter

__all__ = [
    "APGDense",
    "Bias",
    "BilinearFusion",
    "BilinearInteraction",
    "CompressedInteraction",
    "ConditionAttention",
    "CrossLayer",
    "CrossLayerV2",
    "Embedding",
    "FieldAttention",
    "GumbelRouter",
    "MaskedPooling",
    "Route",
]
