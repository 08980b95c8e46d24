"""How a functional model is read, cut and refilled.

Every transfer method and every rewrite for inference is made of these parts:

* Read: `Graph(model)` knows the calls, tables, depths and routes of a model.
* Cut: `rebuild` runs the graph again with new layers, and asks a hook at each call what
  to do there; `inputs_like` makes the inputs, `copy_layer` a layer of the same
  configuration. Added layers get the suffixes of `tf_ctr.surgery.names`.
* Refill: `copy_weights` copies weights by layer name between models of one schema;
  `warm_start` also between schemas, row by row, with the optimizer's slots; `grow`
  makes a copy of a model for a schema with more ids. A `WeightReport` says what became
  of every layer.
* Train: `freeze_layers` and `set_learning_rate_multipliers` choose layers by name;
  `summary` says how every layer started and is trained.

A *path* names a layer or a weight: `"deep_0"`, inside a `Sequential` `"deep_0/norm"`,
a weight `"deep_0/norm/gamma"`. A *pattern* is a shell pattern of paths. A *depth* is a
hidden layer, the place where methods adapt a model.
"""

from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.grow import grow
from tf_ctr.surgery.rebuild import copy_layer, inputs_like, rebuild
from tf_ctr.surgery.report import WeightReport, summary
from tf_ctr.surgery.routes import gate_model, route_shares
from tf_ctr.surgery.tuning import freeze_layers, set_learning_rate_multipliers
from tf_ctr.surgery.warm_start import warm_start
from tf_ctr.surgery.weights import copy_weights

__all__ = [
    "Graph",
    "WeightReport",
    "copy_layer",
    "copy_weights",
    "freeze_layers",
    "gate_model",
    "grow",
    "inputs_like",
    "rebuild",
    "route_shares",
    "set_learning_rate_multipliers",
    "summary",
    "warm_start",
]


def __dir__() -> list[str]:
    return __all__
