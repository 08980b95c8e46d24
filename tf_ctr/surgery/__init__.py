"""Reads the graph of a functional model, rebuilds it, and copies its weights.

Every transfer method and every rewrite for inference uses these parts:

* Read: `Graph(model)` finds the calls, tables, depths and routes of a model.
* Rebuild: `rebuild` runs the graph again with new layers, and calls a hook in place of
  each layer; `inputs_like` makes the inputs, `copy_layer` a layer with the same
  configuration. The names of added layers end in the suffixes of
  `tf_ctr.surgery.names`.
* Copy: `copy_weights` copies weights by layer name between models of one schema;
  `warm_start` also between schemas, row by row, with the optimizer's slots; `grow`
  copies a model for a schema with more ids. A `WeightReport` lists the outcome for
  every layer.
* Train: `freeze_layers` and `set_learning_rate_multipliers` choose layers by name;
  `summary` lists how every layer starts and is trained.

A *path* names a layer or a weight: `"deep_0"`; `"deep_0/norm"` in a `Sequential`; the
weight `"deep_0/norm/gamma"`. A *pattern* is a shell pattern of paths. A *depth* is a
hidden layer at which methods adapt a model.
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
