"""Keras layers that plug into functional models, one per file."""

from tf_ctr.layers.alignment import Alignment
from tf_ctr.layers.apg_dense import APGDense
from tf_ctr.layers.bias import Bias
from tf_ctr.layers.bilinear_fusion import BilinearFusion
from tf_ctr.layers.bilinear_interaction import BilinearInteraction
from tf_ctr.layers.branch_rows import BranchRows
from tf_ctr.layers.compressed_interaction import CompressedInteraction
from tf_ctr.layers.condition_attention import ConditionAttention
from tf_ctr.layers.cross import CrossLayer
from tf_ctr.layers.cross_v2 import CrossLayerV2
from tf_ctr.layers.din_attention import DINAttention
from tf_ctr.layers.domain_dense import DomainDense
from tf_ctr.layers.domain_gate import DomainGate
from tf_ctr.layers.domain_norm import DomainNorm
from tf_ctr.layers.dual_attention import DualAttention
from tf_ctr.layers.dual_logit import DualLogit
from tf_ctr.layers.embedding import Embedding
from tf_ctr.layers.eta_attention import ETAAttention
from tf_ctr.layers.field_attention import FieldAttention
from tf_ctr.layers.glu_adapter import GLUAdapter
from tf_ctr.layers.history_attention import HistoryAttention
from tf_ctr.layers.item_attention import ItemAttention
from tf_ctr.layers.lateral_adapter import LateralAdapter
from tf_ctr.layers.merge_branches import MergeBranches
from tf_ctr.layers.newest import Newest
from tf_ctr.layers.orthogonal_map import OrthogonalMap
from tf_ctr.layers.parallel_dense import ParallelDense
from tf_ctr.layers.pooling import MaskedPooling
from tf_ctr.layers.route import Route
from tf_ctr.layers.routed_cross import RoutedCross
from tf_ctr.layers.routed_ids import RoutedIds
from tf_ctr.layers.router import GumbelRouter
from tf_ctr.layers.sim_attention import SIMAttention
from tf_ctr.layers.snapshot_aggregation import SnapshotAggregation
from tf_ctr.layers.snapshot_table import SnapshotTable
from tf_ctr.layers.target_attention import TargetAttention
from tf_ctr.layers.transfer_unit import TransferUnit
from tf_ctr.layers.transformer_encoder import TransformerEncoder
from tf_ctr.layers.twin_embedding import TwinEmbedding

__all__ = [
    "APGDense",
    "Alignment",
    "Bias",
    "BilinearFusion",
    "BilinearInteraction",
    "BranchRows",
    "CompressedInteraction",
    "ConditionAttention",
    "CrossLayer",
    "CrossLayerV2",
    "DINAttention",
    "DomainDense",
    "DomainGate",
    "DomainNorm",
    "DualAttention",
    "DualLogit",
    "ETAAttention",
    "Embedding",
    "FieldAttention",
    "GLUAdapter",
    "GumbelRouter",
    "HistoryAttention",
    "ItemAttention",
    "LateralAdapter",
    "MaskedPooling",
    "MergeBranches",
    "Newest",
    "OrthogonalMap",
    "ParallelDense",
    "Route",
    "RoutedCross",
    "RoutedIds",
    "SIMAttention",
    "SnapshotAggregation",
    "SnapshotTable",
    "TargetAttention",
    "TransferUnit",
    "TransformerEncoder",
    "TwinEmbedding",
]
