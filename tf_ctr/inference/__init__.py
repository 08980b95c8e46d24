"""Rewrites of a model that give the same scores by less work.

Each takes a functional `keras.Model`, leaves it as it is, and returns a new, uncompiled
model with weights of its own, or the model itself if there is nothing to do. "Same"
means equal but for rounding, except for `static_route`, which is an approximation and
says so. `tf_ctr.export.export` applies them; call one yourself to measure or to serve
its model by other means. Train on the model that you had.

* `merged`: all rewrites below that suit the model and cost nothing.
* `collapse` (APG): multiplies the factors of over-parameterised layers out.
* `merge_historical` (E-CDCTR): tabulates the historical vector of every id.
* `fix_routes` (AutoFT): makes equal copies one; fixes the sites that you name.
* `merge_equal_layers` (CTNet): calls layers that compute the same once.
* `fold_batch_norm`: multiplies a BatchNorm into the `Dense` before it.
* `group_by_route` (AutoFT): runs each example through one branch per site.
* `static_route` (AutoFT): runs all examples through the branch that most take.
* `candidate_model`: computes what depends on the user once for many candidates.
"""

from tf_ctr.inference.batch_norm import fold_batch_norm
from tf_ctr.inference.candidates import candidate_model
from tf_ctr.inference.collapse import collapse
from tf_ctr.inference.equal_layers import merge_equal_layers
from tf_ctr.inference.grouped_routes import group_by_route
from tf_ctr.inference.merge_historical import merge_historical
from tf_ctr.inference.merged import merged
from tf_ctr.inference.static_routes import fix_routes, static_route

__all__ = [
    "candidate_model",
    "collapse",
    "fix_routes",
    "fold_batch_norm",
    "group_by_route",
    "merge_equal_layers",
    "merge_historical",
    "merged",
    "static_route",
]


def __dir__() -> list[str]:
    """Lists the public names."""
    return [*__all__]
