"""Progressive Layered Extraction."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_ctr.backbones.pieces import check_parts, concatenate, embed, penalty
from tf_ctr.errors import check_positive
from tf_ctr.features import Schema
from tf_ctr.joint.by_label import is_by_label, label_clicks
from tf_ctr.joint.pieces import domain_click, num_domains
from tf_ctr.layers import DomainDense, ParallelDense
from tf_ctr.layers.core.ops import vector_matrix


def ple(
    schema: Schema,
    domain: str | None = None,
    embedding_dim: int = 16,
    expert_units: Sequence[int] = (256, 128),
    domain_experts: int = 2,
    shared_experts: int = 2,
    tower_units: Sequence[int] = (64,),
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds PLE: experts of each domain or label and shared ones, level by level.

    A level has one path per domain and a shared one, and an expert is a dense layer
    on its path. The gate of a domain, a softmax on its path, mixes the domain's experts
    with the shared ones. The gate of the shared path mixes all experts; the last level
    has none. One level is CGC.

    With a schema of several labels and no `domain`, labels take the place of domains,
    as in the paper: an example runs through the paths and towers of all labels.

    The weights of domain experts, gates and towers grow with the number of domains.
    An example runs through the paths of all domains in all levels but the last, where
    only its own path is needed: with more than one level, the time grows as well.

    Gates start at zero, which gives all experts the same weight. The experts of the
    last level and the towers start equal for all domains. A missing domain has the
    weights 0, an unseen one has 1. These are trained only if the training rows have
    missing or unseen domains, except that every example trains all experts below the
    last level through the shared path.

    Source: Tang et al., Progressive Layered Extraction (RecSys 2020), with domains for
    tasks, as in the CTNet paper's Table 2.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field whose value selects the path. It is also a feature.
            `None` for a path per label.
        embedding_dim: Embedding dim D.
        expert_units: Width of the experts of each level.
        domain_experts: Experts of each domain, or label, per level.
        shared_experts: Shared experts per level.
        tower_units: Widths of the hidden layers of each tower; `()` for none.
        activation: Activation of experts and towers.
        dropout: Dropout rate of the towers and of each level's output.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `level_{l}_domain_experts`, `level_{l}_shared_experts`,
        `level_{l}_domain_gates`, `level_{l}_shared_gate`, `tower_{i}`, `logit`,
        `click`. By label, the output is `{label: probability [B, 1]}`, and the last
        layers are `{label}_tower_{i}`, `{label}_logit`, `{label}`.

    Raises:
        ValueError: If there is no level or no expert of a kind, `domain` is not a
            field with one id per example, or there is neither a domain nor several
            labels, or both.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import ple
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = ple(Schema(fields), domain="tab", expert_units=(8,))
    >>> model.get_layer("level_0_domain_experts").units  # 2 experts of width 8
    16
    """
    check_parts("at least one level of experts", expert_units=expert_units)
    check_positive(domain_experts=domain_experts, shared_experts=shared_experts)
    by_label = is_by_label(schema, domain)
    names = schema.label_names
    count = len(names) if domain is None else num_domains(schema, domain)
    inputs = schema.inputs()
    level = _Level(count, domain_experts, shared_experts, activation, dropout, l2)
    # All paths start at one input: ParallelDense takes `[B, N]` for `[B, domains, N]`.
    vectors = embed(schema, inputs, embedding_dim, embedding_l2, by_label)
    own = shared = concatenate(vectors.values())
    *below, last_units = expert_units
    for i, units in enumerate(below):
        own, shared = level.extract(own, shared, units, f"level_{i}")
    last = f"level_{len(below)}"
    output: Any
    if domain is None:
        own = level.extract_labels(own, shared, last_units, last)
        paths = {name: own[:, index] for index, name in enumerate(names)}
        output = label_clicks(paths, tower_units, activation, dropout, l2)
        return keras.Model(inputs, output, name="ple")
    domains = inputs[domain]
    if below:
        # From here on a row needs only the path of its domain, out of [B, domains, N].
        index = ops.reshape(domains, (-1, 1, 1))
        own = ops.squeeze(ops.take_along_axis(own, index, axis=1), axis=1)
    mixture = level.extract_own(own, shared, domains, last_units, last)
    output = domain_click(mixture, domains, count, tower_units, activation, dropout, l2)
    return keras.Model(inputs, output, name="ple")


class _Level:
    """Builds the levels of a PLE, which differ only in name and width."""

    def __init__(
        self,
        count: int,
        domain_experts: int,
        shared_experts: int,
        activation: str,
        dropout: float,
        l2: float,
    ):
        self.count = count
        self.domain_experts = domain_experts
        self.shared_experts = shared_experts
        self.activation = activation
        self.dropout = dropout
        self.kernel: dict[str, Any] = {"kernel_regularizer": penalty(l2)}
        self.gate: dict[str, Any] = {
            "activation": "softmax",
            "kernel_initializer": "zeros",
            **self.kernel,
        }

    def extract(
        self, own: keras.KerasTensor, shared: keras.KerasTensor, units: int, name: str
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the next domain paths, `[B, domains, N]`, and the shared path."""
        mixed, everything = self._mixed(own, shared, units, name)
        gate = keras.layers.Dense(
            everything.shape[1], name=f"{name}_shared_gate", **self.gate
        )(shared)
        return (
            self._drop(mixed, name),
            self._drop(vector_matrix(gate, everything), f"{name}_shared"),
        )

    def extract_labels(
        self, own: keras.KerasTensor, shared: keras.KerasTensor, units: int, name: str
    ) -> keras.KerasTensor:
        """Returns the last paths of all labels, `[B, labels, N]`."""
        mixed, _ = self._mixed(own, shared, units, name)
        return self._drop(mixed, name)

    def _mixed(
        self, own: keras.KerasTensor, shared: keras.KerasTensor, units: int, name: str
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the mixture of each path, and all experts."""
        # The experts of a domain are the columns of one layer.
        experts = ParallelDense(
            self.domain_experts * units,
            self.count,
            self.activation,
            name=f"{name}_domain_experts",
            **self.kernel,
        )(own)
        experts = ops.reshape(experts, (-1, self.count, self.domain_experts, units))
        common = self._shared_experts(shared, units, name)
        gates = ParallelDense(
            self.domain_experts + self.shared_experts,
            self.count,
            name=f"{name}_domain_gates",
            **self.gate,
        )(own)
        mixed = ops.einsum(
            "bde,bden->bdn", gates[:, :, : self.domain_experts], experts
        ) + ops.matmul(gates[:, :, self.domain_experts :], common)
        experts = ops.reshape(experts, (-1, self.count * self.domain_experts, units))
        return mixed, ops.concatenate([experts, common], axis=1)

    def extract_own(
        self,
        own: keras.KerasTensor,
        shared: keras.KerasTensor,
        domains: keras.KerasTensor,
        units: int,
        name: str,
    ) -> keras.KerasTensor:
        """Returns the next path of each row's own domain, `[B, N]`."""
        experts = DomainDense(
            self.domain_experts * units,
            self.count,
            self.activation,
            name=f"{name}_domain_experts",
            **self.kernel,
        )(own, domains)
        experts = ops.reshape(experts, (-1, self.domain_experts, units))
        gate = DomainDense(
            self.domain_experts + self.shared_experts,
            self.count,
            name=f"{name}_domain_gates",
            **self.gate,
        )(own, domains)
        common = self._shared_experts(shared, units, name)
        everything = ops.concatenate([experts, common], axis=1)
        return self._drop(vector_matrix(gate, everything), name)

    def _shared_experts(
        self, x: keras.KerasTensor, units: int, name: str
    ) -> keras.KerasTensor:
        return ParallelDense(
            units,
            self.shared_experts,
            self.activation,
            name=f"{name}_shared_experts",
            **self.kernel,
        )(x)

    def _drop(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        if not self.dropout:
            return x
        return keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(x)
