"""Aggregates the historical embeddings of an id into one vector."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from tf_ctr.errors import check_choice, explain
from tf_ctr.layers.core.layer import Layer, Shape, Tensor
from tf_ctr.layers.generated.condition_attention import add_attention
from tf_ctr.layers.history.histories import masked_softmax

Mode = Literal["self_attention", "mean", "concatenation", "attention_pooling"]
MODES: tuple[Mode, ...] = get_args(Mode)


@keras.saving.register_keras_serializable("tf_ctr")
class SnapshotAggregation(Layer):
    """Aggregates the K historical embeddings `H [B, K, D]` of an id.

    * `"self_attention"`: `mean_t(softmax(H Q (H R)^T / sqrt(D)) H V)`.
    * `"mean"`: `mean_t(H)`.
    * `"concatenation"`: `[h_1; ...; h_K]`.
    * `"attention_pooling"`: `sum_t a_t h_t`, `a = softmax_t(q . tanh(h_t W))`.

    All modes leave out the snapshots that do not have the id. If no snapshot has it,
    the result is zero.

    Source: E-CDCTR (arXiv 2408.16238), whose abstract names no aggregation. One
    write-up of the paper reports self-attention and mean, another one attention
    pooling, for which we use the usual additive attention.

    Args:
        mode: One of the modes above.
        time_embedding: Whether to add a learned vector per snapshot, `T [K, D]`, which
            starts at zero. We do not know whether the paper does.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        snapshots: Output of a `SnapshotTable`, `[B, K, D + 1]`: the embedding, then 1
            if the snapshot has the id, 0 if it does not.

    Output shape:
        `[B, D]`, or `[B, K D]` for `"concatenation"`.

    Raises:
        ValueError: If `mode` is unknown, or `snapshots` does not have three axes.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import SnapshotAggregation
    >>> snapshots = np.array([[[2.0, 1.0], [4.0, 1.0], [0.0, 0.0]]])
    >>> SnapshotAggregation("mean")(snapshots).numpy()
    array([[3.]], dtype=float32)
    """

    def __init__(
        self, mode: Mode = "self_attention", time_embedding: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_choice("mode", mode, MODES)
        self.mode = mode
        self.time_embedding = time_embedding

    def build(self, snapshots_shape: Shape) -> None:
        """Creates the weights that the mode needs."""
        if len(snapshots_shape) != 3 or snapshots_shape[-1] < 2:
            raise ValueError(
                explain(
                    "historical embeddings of shape [B, K, D + 1]",
                    tuple(snapshots_shape),
                    "look them up in a tf_ctr.layers.SnapshotTable",
                )
            )
        count, width = snapshots_shape[1], snapshots_shape[2] - 1
        if self.time_embedding:
            self._times = self.add_weight(
                name="time_embedding", shape=(count, width), initializer="zeros"
            )
        if self.mode == "self_attention":
            self._query, self._key, self._value = [
                self.add_weight(
                    name=f"{name}_kernel",
                    shape=(width, width),
                    initializer="glorot_normal",
                )
                for name in ("query", "key", "value")
            ]
        if self.mode == "attention_pooling":
            self._kernel, self._pooling = add_attention(self, width)

    def call(self, snapshots: Tensor) -> Tensor:
        """Aggregates over K."""
        h, known = snapshots[..., :-1], snapshots[..., -1:]
        if self.time_embedding:
            # Times `known`, because a snapshot without the id must stay zero.
            h = (h + self._times) * known
        if self.mode == "concatenation":
            return ops.reshape(h, (-1, h.shape[1] * h.shape[2]))
        if self.mode == "attention_pooling":
            scores = ops.matmul(ops.tanh(ops.matmul(h, self._kernel)), self._pooling)
            weights = masked_softmax(scores[..., 0], known[..., 0] > 0)
            return ops.sum(weights[..., None] * h, axis=1)
        if self.mode == "self_attention":
            h = self._attend(h, known) * known
        return ops.sum(h, axis=1) / ops.maximum(ops.sum(known, axis=1), 1)

    def _attend(self, h, known):
        query, key, value = (
            ops.matmul(h, kernel) for kernel in (self._query, self._key, self._value)
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 2, 1))) / h.shape[2] ** 0.5
        weights = masked_softmax(scores, ops.transpose(known, (0, 2, 1)) > 0)
        return ops.matmul(weights, value)

    def compute_output_shape(self, snapshots_shape: Shape) -> Shape:
        """Drops K, or multiplies D with it."""
        batch, count, width = snapshots_shape
        joined = self.mode == "concatenation"
        return (batch, (width - 1) * (count if joined else 1))
