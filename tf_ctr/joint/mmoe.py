"""Multi-gate Mixture-of-Experts."""

from collections.abc import Sequence
from typing import Any

import keras

from tf_ctr.backbones.pieces import check_parts, concatenate, embed, mlp, penalty
from tf_ctr.errors import check_positive
from tf_ctr.features import Schema
from tf_ctr.joint.by_label import is_by_label, label_clicks
from tf_ctr.joint.pieces import domain_click, num_domains
from tf_ctr.layers import DomainDense
from tf_ctr.layers.core.ops import vector_matrix


def mmoe(
    schema: Schema,
    domain: str | None = None,
    embedding_dim: int = 16,
    num_experts: int = 4,
    expert_units: Sequence[int] = (256, 128),
    tower_units: Sequence[int] = (64,),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds MMoE: shared experts, and a gate and a tower for each domain or label.

    `e_i = mlp_i(x)`, `g = softmax(x G_d + c_d)`,
    `click = sigmoid(tower_d(sum_i g_i e_i))` for an example of domain `d`.

    With a schema of several labels and no `domain`, there are a gate and a tower for
    each label, as in the paper, and an example runs through all of them.

    The weights of gates and towers grow with the number of domains; those of the
    experts do not. The gates start at zero, which gives all experts the same weight.
    The towers of all domains start equal. A missing domain has gate and tower 0, an
    unseen one has 1. These are trained only if the training rows have missing or unseen
    domains; the field's `min_count` makes rare domains unseen.

    Source: Ma et al., Modeling Task Relationships in Multi-task Learning with
    Multi-gate Mixture-of-Experts (KDD 2018), with domains for tasks, as in the CTNet
    paper's Table 2 and the APG paper's Table 6.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field whose value selects gate and tower. It is also a
            feature. `None` for a gate and a tower per label.
        embedding_dim: Embedding dim D.
        num_experts: Number of experts; a single one has no gate.
        expert_units: Widths of the layers of each expert.
        tower_units: Widths of the hidden layers of each tower; `()` for none.
        activation: Activation of experts and towers.
        dropout: Dropout rate of experts and towers.
        batch_norm: Whether the experts have BatchNorm.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `expert_{e}_{i}`, `gate`, `tower_{i}`, `logit`, `click`. By label,
        the output is `{label: probability [B, 1]}`, and the last layers are
        `{label}_gate`, `{label}_tower_{i}`, `{label}_logit`, `{label}`.

    Raises:
        ValueError: If there is no expert, an expert has no layer, `domain` is not a
            field with one id per example, or there is neither a domain nor several
            labels, or both.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import mmoe
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = mmoe(Schema(fields), domain="tab", num_experts=2)
    >>> model.get_layer("gate").kernel.shape  # missing, unseen, 0 and 1
    TensorShape([4, 32, 2])
    """
    check_positive(num_experts=num_experts)
    check_parts("at least one layer per expert", expert_units=expert_units)
    by_label = is_by_label(schema, domain)
    inputs = schema.inputs()
    vectors = embed(schema, inputs, embedding_dim, embedding_l2, by_label)
    x = concatenate(vectors.values())
    experts = [
        mlp(x, expert_units, activation, dropout, batch_norm, l2, name=f"expert_{e}")
        for e in range(num_experts)
    ]
    zero: dict[str, Any] = {
        "activation": "softmax",
        "kernel_initializer": "zeros",
        "kernel_regularizer": penalty(l2),
    }

    def mixture(gate, *inputs):
        if num_experts == 1:
            return experts[0]
        return vector_matrix(gate(*inputs), keras.ops.stack(experts, axis=1))

    output: Any
    if domain is None:
        mixtures = {
            label: mixture(
                keras.layers.Dense(num_experts, name=f"{label}_gate", **zero), x
            )
            for label in schema.label_names
        }
        output = label_clicks(mixtures, tower_units, activation, dropout, l2)
    else:
        count, domains = num_domains(schema, domain), inputs[domain]
        gate = DomainDense(num_experts, count, name="gate", **zero)
        output = domain_click(
            mixture(gate, x, domains),
            domains,
            count,
            tower_units,
            activation,
            dropout,
            l2,
        )
    return keras.Model(inputs, output, name="mmoe")
