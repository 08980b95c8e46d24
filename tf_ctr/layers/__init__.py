"""Keras layers for functional models: a folder per idea, a file per layer or two forms.

`core` has tables, pooling and dense layers; `interaction` has interactions between
fields, `history` attention over a user's behaviours, `routing` the choice between a
frozen and a fine-tuned branch, `generated` layers with weights generated for each
example, `adapters` connections between two towers, `domains` the layers of joint
models, `labels` those of models with several labels, and `snapshots` historical
embeddings. All layers are exported here, e.g. as `tf_ctr.layers.CrossLayer`.

In shapes, B is the batch size, F the number of fields, D the embedding dim, T the
length of a history, K a rank (or a number of snapshots), M and N other widths. Layers
are registered as `tf_ctr>Name`, so `keras.saving.load_model` finds them.

To add a layer, write one file, import the layer here, and add it to `__all__`.
`tests/layers/test_layers.py` then requires one case, on which it runs the contract.
"""

from tf_ctr.layers.adapters.domain_gate import DomainGate
from tf_ctr.layers.adapters.glu_adapter import GLUAdapter
from tf_ctr.layers.adapters.lateral_adapter import LateralAdapter
from tf_ctr.layers.adapters.transfer_unit import TransferUnit
from tf_ctr.layers.core.bias import Bias
from tf_ctr.layers.core.embedding import Embedding
from tf_ctr.layers.core.odds_scale import OddsScale
from tf_ctr.layers.core.parallel_dense import ParallelDense
from tf_ctr.layers.core.pooling import MaskedPooling
from tf_ctr.layers.core.sum import Sum
from tf_ctr.layers.domains.alignment import Alignment
from tf_ctr.layers.domains.domain_dense import DomainDense
from tf_ctr.layers.domains.domain_norm import DomainNorm
from tf_ctr.layers.domains.dual_attention import DualAttention
from tf_ctr.layers.domains.dual_logit import DualLogit
from tf_ctr.layers.domains.orthogonal_map import OrthogonalMap
from tf_ctr.layers.domains.personal_gate import PersonalGate
from tf_ctr.layers.generated.apg_dense import APGDense
from tf_ctr.layers.generated.condition_attention import ConditionAttention
from tf_ctr.layers.history.din_attention import DINAttention
from tf_ctr.layers.history.eta_attention import ETAAttention
from tf_ctr.layers.history.gru import InterestEvolution, InterestExtractor
from tf_ctr.layers.history.history_attention import HistoryAttention
from tf_ctr.layers.history.item_attention import ItemAttention
from tf_ctr.layers.history.newest import Newest
from tf_ctr.layers.history.sim_attention import SIMAttention
from tf_ctr.layers.history.target_attention import TargetAttention
from tf_ctr.layers.history.transformer_encoder import TransformerEncoder
from tf_ctr.layers.interaction.bilinear_fusion import BilinearFusion
from tf_ctr.layers.interaction.bilinear_interaction import BilinearInteraction
from tf_ctr.layers.interaction.compressed_interaction import CompressedInteraction
from tf_ctr.layers.interaction.cross import CrossLayer, CrossLayerV2
from tf_ctr.layers.interaction.field_attention import FieldAttention
from tf_ctr.layers.interaction.gated_cross import GatedCross
from tf_ctr.layers.interaction.mask_block import MaskBlock
from tf_ctr.layers.interaction.pair_attention import PairAttention
from tf_ctr.layers.interaction.wukong_layer import WukongLayer
from tf_ctr.layers.labels.information_transfer import InformationTransfer
from tf_ctr.layers.labels.order_penalty import OrderPenalty
from tf_ctr.layers.routing.branches import BranchRows, MergeBranches
from tf_ctr.layers.routing.route import Route
from tf_ctr.layers.routing.routed_cross import RoutedCross
from tf_ctr.layers.routing.router import GumbelRouter
from tf_ctr.layers.routing.twin_embedding import RoutedIds, TwinEmbedding
from tf_ctr.layers.snapshots.snapshot_aggregation import SnapshotAggregation
from tf_ctr.layers.snapshots.snapshot_table import SnapshotTable

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
    "GatedCross",
    "GumbelRouter",
    "HistoryAttention",
    "InformationTransfer",
    "InterestEvolution",
    "InterestExtractor",
    "ItemAttention",
    "LateralAdapter",
    "MaskBlock",
    "MaskedPooling",
    "MergeBranches",
    "Newest",
    "OddsScale",
    "OrderPenalty",
    "OrthogonalMap",
    "PairAttention",
    "ParallelDense",
    "PersonalGate",
    "Route",
    "RoutedCross",
    "RoutedIds",
    "SIMAttention",
    "SnapshotAggregation",
    "SnapshotTable",
    "Sum",
    "TargetAttention",
    "TransferUnit",
    "TransformerEncoder",
    "TwinEmbedding",
    "WukongLayer",
]


def __dir__() -> list[str]:
    """Returns the layers, without the folders that they are in."""
    return [*__all__]
