"""Models that train on several domains at once: plain functions, as the backbones."""

from tf_ctr.data.mixing import mix
from tf_ctr.joint.by_domain import evaluate
from tf_ctr.joint.dasl import dasl
from tf_ctr.joint.ddtcdr import ddtcdr
from tf_ctr.joint.minet import minet
from tf_ctr.joint.mlp_plus_plus import mlp_plus_plus
from tf_ctr.joint.mmoe import mmoe
from tf_ctr.joint.ple import ple
from tf_ctr.joint.share_bottom import share_bottom
from tf_ctr.joint.star import star

JOINT = {
    "dasl": dasl,
    "ddtcdr": ddtcdr,
    "minet": minet,
    "mlp_plus_plus": mlp_plus_plus,
    "mmoe": mmoe,
    "ple": ple,
    "share_bottom": share_bottom,
    "star": star,
}

__all__ = ["JOINT", *JOINT, "evaluate", "mix"]
