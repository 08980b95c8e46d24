"""Progressive Layered Extraction."""

import keras
from keras import ops

from tf_ctr.backbones.pieces import check_parts, concatenate, embed
from tf_ctr.errors import explain
from tf_ctr.joint.levels import Level
from tf_ctr.joint.pieces import domain_click, num_domains


def ple(
    schema,
    domain,
    embedding_dim=16,
    expert_units=(256, 128),
    domain_experts=2,
    shared_experts=2,
    tower_units=(64,),
    activation="relu",
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
):
    """Builds PLE: experts of each domain and shared ones, mixed level by level.

    A level has one path per domain and a shared one, and an expert is a dense layer
    on its path. The gate of a domain, a softmax on its path, mixes the domain's experts
    with the shared ones; the gate of the shared path mixes all experts, and is left
    out of the last level. One level is CGC.

    The weights of domain experts, gates and towers grow with the number of domains.
    An example runs through the paths of all domains in all levels but the last, where
    only its own is needed: with more than one level, the time grows, too.

    Gates start at zero: all experts weigh alike. Those of the last level and the
    towers start alike for all domains. A missing domain has the weights 0, an unseen
    one 1: they are trained if the training rows have such, and else stay as they
    started, but for experts below the last level, which every example trains by the
    shared path.

    Source: Tang et al., Progressive Layered Extraction (RecSys 2020), with domains for
    tasks, as in the CTNet paper's Table 2.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field whose value selects the path. It is a feature, too.
        embedding_dim: Embedding dim D.
        expert_units: Width of the experts of each level.
        domain_experts: Experts of each domain per level.
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
        `click`.

    Raises:
        ValueError: If there is no level or no expert of a kind, or `domain` is no
            field with one id per example.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import ple
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = ple(Schema(fields), domain="tab", expert_units=(8,))
    >>> model.get_layer("level_0_domain_experts").units  # 2 experts of width 8
    16
    """
    check_parts("at least one level of experts", expert_units=expert_units)
    if min(domain_experts, shared_experts) < 1:
        raise ValueError(
            explain(
                "domain_experts and shared_experts of at least 1",
                f"domain_experts={domain_experts}, shared_experts={shared_experts}",
                "use share_bottom or mmoe for a model with one kind only",
            )
        )
    count = num_domains(schema, domain)
    inputs = schema.inputs()
    domains = inputs[domain]
    level = Level(count, domain_experts, shared_experts, activation, dropout, l2)
    # All paths start at one input: `[B, N]` stands for `[B, domains, N]`.
    own = shared = concatenate(
        embed(schema, inputs, embedding_dim, embedding_l2).values()
    )
    for i, units in enumerate(expert_units[:-1]):
        own, shared = level.extract(own, shared, units, f"level_{i}")
    if len(expert_units) > 1:
        own = _row(own, domains)
    last = f"level_{len(expert_units) - 1}"
    mixture = level.extract_own(own, shared, domains, expert_units[-1], last)
    output = domain_click(mixture, domains, count, tower_units, activation, dropout, l2)
    return keras.Model(inputs, output, name="ple")


def _row(paths, domains):
    """Takes the path of each row's domain from `[B, domains, N]`."""
    index = ops.reshape(domains, (-1, 1, 1))
    return ops.squeeze(ops.take_along_axis(paths, index, axis=1), axis=1)
