"""The levels of Progressive Layered Extraction."""

import keras
from keras import ops

from tf_ctr.backbones.pieces import penalty
from tf_ctr.layers import DomainDense, ParallelDense
from tf_ctr.layers.core.ops import vector_matrix


class Level:
    """Makes the levels of one PLE, which differ in name and width only.

    Args:
        count: Number of domains.
        domain_experts: Experts of each domain per level.
        shared_experts: Shared experts per level.
        activation: Activation of the experts.
        dropout: Dropout rate of the output.
        l2: L2 penalty on the kernels.
    """

    def __init__(self, count, domain_experts, shared_experts, activation, dropout, l2):
        self.count = count
        self.domain_experts = domain_experts
        self.shared_experts = shared_experts
        self.both = domain_experts + shared_experts
        self.activation = activation
        self.dropout = dropout
        self.kernel = {"kernel_regularizer": penalty(l2)}
        self.gate = {
            "activation": "softmax",
            "kernel_initializer": "zeros",
            **self.kernel,
        }

    def extract(self, own, shared, units, name):
        """Returns the next paths of all domains, `[B, domains, N]`, and the shared."""
        experts = ParallelDense(
            self.domain_experts * units,
            self.count,
            self.activation,
            name=f"{name}_domain_experts",
            **self.kernel,
        )(own)
        experts = ops.reshape(experts, (-1, self.count, self.domain_experts, units))
        of_shared = self._shared(shared, units, name)
        gates = ParallelDense(
            self.both, self.count, name=f"{name}_domain_gates", **self.gate
        )(own)
        mixed = ops.einsum(
            "bde,bden->bdn", gates[:, :, : self.domain_experts], experts
        ) + ops.matmul(gates[:, :, self.domain_experts :], of_shared)
        experts = ops.reshape(experts, (-1, self.count * self.domain_experts, units))
        everything = ops.concatenate([experts, of_shared], axis=1)
        gate = keras.layers.Dense(
            everything.shape[1], name=f"{name}_shared_gate", **self.gate
        )(shared)
        return (
            self._drop(mixed, name),
            self._drop(vector_matrix(gate, everything), f"{name}_shared"),
        )

    def extract_own(self, own, shared, domains, units, name):
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
            self.both, self.count, name=f"{name}_domain_gates", **self.gate
        )(own, domains)
        of_shared = self._shared(shared, units, name)
        everything = ops.concatenate([experts, of_shared], axis=1)
        return self._drop(vector_matrix(gate, everything), name)

    def _shared(self, x, units, name):
        return ParallelDense(
            units,
            self.shared_experts,
            self.activation,
            name=f"{name}_shared_experts",
            **self.kernel,
        )(x)

    def _drop(self, x, name):
        if not self.dropout:
            return x
        return keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(x)
