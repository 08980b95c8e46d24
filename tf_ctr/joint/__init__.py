"""Models that train on several domains, or several labels: functions like backbones.

Each takes a schema and the name of the field that distinguishes the *domains*, and
returns a functional `keras.Model`. There are two kinds:

- `share_bottom`, `mmoe`, `ple` and `star` take any number of domains and have weights
  per domain. A *tower* is a network of one domain; an *expert* is a network whose
  output a *gate* mixes with those of other experts.
- `mlp_plus_plus`, `ddtcdr`, `minet` and `dasl` take two domains: one value of the field
  is the *source* domain, and every other value the *target*.

Models *by label* take a schema with several labels, `Schema(labels=("click", "buy"))`,
and have one output per label: `share_bottom`, `mmoe` and `ple` without a domain; and
`esmm` and `aitm`, for labels of which each needs the one before it.

`JOINT` maps names to models by domain, `BY_LABEL` to models by label. `mix` makes
batches of two domains, and `evaluate` measures each domain. To add a model, write its
file and register it here: one import, one entry.
"""

from collections.abc import Callable

import keras

from tf_ctr.data.mixing import mix
from tf_ctr.joint.aitm import aitm
from tf_ctr.joint.by_domain import evaluate
from tf_ctr.joint.dasl import dasl
from tf_ctr.joint.ddtcdr import ddtcdr
from tf_ctr.joint.esmm import esmm
from tf_ctr.joint.minet import minet
from tf_ctr.joint.mlp_plus_plus import mlp_plus_plus
from tf_ctr.joint.mmoe import mmoe
from tf_ctr.joint.ple import ple
from tf_ctr.joint.share_bottom import share_bottom
from tf_ctr.joint.star import star

JOINT: dict[str, Callable[..., keras.Model]] = {
    "dasl": dasl,
    "ddtcdr": ddtcdr,
    "minet": minet,
    "mlp_plus_plus": mlp_plus_plus,
    "mmoe": mmoe,
    "ple": ple,
    "share_bottom": share_bottom,
    "star": star,
}

BY_LABEL: dict[str, Callable[..., keras.Model]] = {
    "aitm": aitm,
    "esmm": esmm,
    "mmoe": mmoe,
    "ple": ple,
    "share_bottom": share_bottom,
}

__all__ = ["BY_LABEL", "JOINT", *JOINT, "aitm", "esmm", "evaluate", "mix"]


def __dir__() -> list[str]:
    return [*__all__]
