"""Rewrites of a model that compute the same scores with less work.

Each takes a functional `keras.Model`, does not change it, and returns a new, uncompiled
model with its own weights, or the given model if there is nothing to rewrite. Scores
are equal except for rounding. There are four exceptions: `static_route`
approximates, `choose_routes` and `calibrate` change the scores on purpose, and
`candidate_model` shares the weights of its model. `tf_ctr.export.export` applies
rewrites; call one yourself to measure it. For further training keep the given model.

* `merged`: `collapse`, `merge_historical`, `fix_routes` and `merge_equal_layers`.
* `collapse` (APG): multiplies out the factors of over-parameterised layers.
* `merge_historical` (E-CDCTR): stores the historical vector of every id in a table.
* `fix_routes` (AutoFT): merges equal copies, and fixes the routes of given sites.
* `merge_equal_layers` (CTNet): calls only one of several layers that compute the same.
* `fold_batch_norm`: multiplies a BatchNorm into the `Dense` before it.
* `group_by_route` (AutoFT): runs each example through one branch per site.
* `static_route` (AutoFT): runs all examples through the branch that most of them take.
* `choose_routes` (`fine_tune`, AutoFT): puts layers back to their source where that
  raises the AUC on unseen rows.
* `calibrate`: corrects for rows without a click that were down-sampled in training.
* `candidate_model`: computes the user's part of the model once for all candidates.
"""

from tf_ctr.inference.batch_norm import fold_batch_norm
from tf_ctr.inference.calibrate import calibrate
from tf_ctr.inference.candidates import candidate_model
from tf_ctr.inference.chosen_routes import ChosenRoutes, choose_routes
from tf_ctr.inference.collapse import collapse
from tf_ctr.inference.equal_layers import merge_equal_layers
from tf_ctr.inference.grouped_routes import group_by_route
from tf_ctr.inference.merge_historical import merge_historical
from tf_ctr.inference.merged import merged
from tf_ctr.inference.static_routes import fix_routes, static_route

__all__ = [
    "ChosenRoutes",
    "calibrate",
    "candidate_model",
    "choose_routes",
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
    """Returns the rewrites, without the modules that they are in."""
    return [*__all__]
