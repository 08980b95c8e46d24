"""Layers that choose between two branches for each example: AutoFT, SpotTune.

A *site* is a layer of the source model that exists twice: *frozen*, with the source's
weights, and *fine-tuned*. A `GumbelRouter` (the policy) decides for all sites of a
group: its *gates* `[B, N]` have one column per site, the *decision*, in which 1 takes
the frozen branch. In training a `Route` mixes the two branches by the gate. For
inference, `BranchRows`, `MergeBranches`, `RoutedCross`, `TwinEmbedding` and `RoutedIds`
run each example through one branch only; `tf_ctr.inference.group_by_route` puts them
in place of the routes.
"""
