"""A policy network that decides for each example, with the Gumbel-softmax trick."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Initializer, Layer, Shape, Tensor


@keras.saving.register_keras_serializable("tf_ctr")
class GumbelRouter(Layer):
    """Decides N times per example between two branches, hard but with a gradient.

    A small ReLU network gives two logits per decision: category 0 is the frozen
    branch, category 1 the fine-tuned one. In training a gate is the argmax of
    `logits + Gumbel noise`; its gradient is that of
    `softmax((logits + noise) / temperature)` (straight-through). At inference, and in
    a frozen router, a gate is the argmax of the logits, without noise.

    Source: AutoFT (arXiv 2106.04873), section 3.3, Eqs. 9 to 13. The paper puts a
    ReLU before the sampler and then takes its logarithm, which may be log 0. We take
    the linear output as the logits, unless `literal_relu`.

    Args:
        num_decisions: Number N of decisions.
        hidden_units: Widths of the hidden ReLU layers. The paper has two fully
            connected layers and states no width; `(64,)` and the output layer is ours.
        temperature: Temperature of the softmax. The paper states none; SpotTune's
            authors have 5. `tf_ctr.training.TemperatureAnnealing` lowers it.
        sample_at_eval: Whether to sample with noise at inference too, as SpotTune's
            code does. Such a model cannot be exported.
        literal_relu: Whether the logits are `log(relu(output) + 1e-8)`, as in Eqs. 9
            and 13.
        stop_gradient: Whether to cut the gradient from the policy into its input. The
            paper's equations do not.
        learning_rate_multiplier: Factor on the learning rate of the policy's weights,
            applied by `tf_ctr.optimizers`; Keras's own optimizers ignore it. The
            default is ours, for Adam. SpotTune's code has 0.1 for SGD; with Adam, 0.1
            leaves the policy near an even chance for hundreds of steps, and the
            layers that are routed at random learn badly (see
            `pipelines.compare.autoft_study`).
        seed: Seed of the noise.
        initial_frozen_probability: Probability, in (0, 1), of the frozen branch in
            every decision before training; the last kernel then starts at zero. From
            0.5 upwards, all examples take the frozen branch at inference before
            training. Defaults to random logits around an even chance.
        entropy_weight: Weight of the mean entropy of the decisions, which is subtracted
            from the training loss. Above 0 it keeps the policy undecided, below 0 it
            makes it decide.
        budget: Share, in [0, 1], of the decisions that should take the frozen branch.
            Adds `budget_weight * (mean probability - budget) ** 2` to the training
            loss. Defaults to no budget.
        budget_weight: Weight of the budget.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Features of the example, `[B, M]`.
        training: Whether to sample.

    Output shape:
        `[B, N]`, values 0 and 1; 1 takes the frozen branch.

    Raises:
        ValueError: If an argument is out of range, or `x` does not have two axes.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import GumbelRouter
    >>> router = GumbelRouter(num_decisions=3)
    >>> router(np.ones((2, 4))).shape
    TensorShape([2, 3])
    """

    def __init__(
        self,
        num_decisions: int,
        hidden_units: Sequence[int] = (64,),
        temperature: float = 5.0,
        sample_at_eval: bool = False,
        literal_relu: bool = False,
        stop_gradient: bool = False,
        learning_rate_multiplier: float = 10.0,
        seed: int | None = None,
        initial_frozen_probability: float | None = None,
        entropy_weight: float = 0.0,
        budget: float | None = None,
        budget_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_decisions=num_decisions, hidden_units=tuple(hidden_units))
        if temperature <= 0 or learning_rate_multiplier <= 0:
            raise ValueError(
                explain(
                    "a positive temperature and learning_rate_multiplier",
                    f"{temperature} and {learning_rate_multiplier}",
                    "use the defaults 5.0 and 10.0",
                )
            )
        _check_shares(initial_frozen_probability, budget, budget_weight)
        self.num_decisions = num_decisions
        self.hidden_units = tuple(hidden_units)
        self.temperature = temperature
        self.sample_at_eval = sample_at_eval
        self.literal_relu = literal_relu
        self.stop_gradient = stop_gradient
        self.learning_rate_multiplier = learning_rate_multiplier
        self.seed = seed
        self.initial_frozen_probability = initial_frozen_probability
        self.entropy_weight = entropy_weight
        self.budget = budget
        self.budget_weight = budget_weight
        self._seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        """Creates the policy network and the temperature, which a callback lowers."""
        if len(input_shape) != 2:
            raise ValueError(
                explain(
                    "an input of shape [B, M]",
                    tuple(input_shape),
                    "flatten or pool the features of an example into one vector",
                )
            )
        widths = (input_shape[-1], *self.hidden_units, 2 * self.num_decisions)
        self._kernels, self._biases = [], []
        for i, shape in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            kernel: Initializer = "glorot_uniform"
            bias: Initializer = "zeros"
            if i == len(widths) - 2 and self.initial_frozen_probability is not None:
                kernel, bias = "zeros", self._initial_bias
            self._kernels.append(self._policy_weight(f"kernel_{i}", shape, kernel))
            self._biases.append(self._policy_weight(f"bias_{i}", shape[1:], bias))
        self.current_temperature = self.add_weight(
            name="temperature",
            shape=(),
            initializer=keras.initializers.Constant(self.temperature),
            trainable=False,
        )

    def _initial_bias(self, shape, dtype=None):
        logits = initial_logits(self.initial_frozen_probability, self.literal_relu)
        return ops.cast(ops.tile(ops.array(logits), self.num_decisions), dtype)

    def _policy_weight(self, name, shape, initializer):
        weight = self.add_weight(name=name, shape=shape, initializer=initializer)
        weight.learning_rate_multiplier = self.learning_rate_multiplier
        return weight

    def logits(self, x: Tensor) -> Tensor:
        """Returns the unnormalised log-probabilities, `[B, N, 2]`, as float32."""
        if self.stop_gradient:
            x = ops.stop_gradient(x)
        for i, (kernel, bias) in enumerate(
            zip(self._kernels, self._biases, strict=True)
        ):
            x = ops.matmul(ops.relu(x) if i else x, kernel) + bias
        x = ops.cast(ops.reshape(x, (-1, self.num_decisions, 2)), "float32")
        return ops.log(ops.relu(x) + 1e-8) if self.literal_relu else x

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Samples in training, takes the likelier branch at inference."""
        logits, training = self.logits(x), training and self.trainable
        if training and (self.entropy_weight or self.budget is not None):
            self.add_loss(
                policy_penalty(
                    logits, self.entropy_weight, self.budget, self.budget_weight
                )
            )
        if training or self.sample_at_eval:
            logits = logits + self._gumbel_noise(ops.shape(logits))
        # A tie takes the frozen branch, as argmax would.
        gates = ops.cast(logits[..., 0] >= logits[..., 1], "float32")
        if training:
            temperature = ops.cast(self.current_temperature, "float32")
            soft = ops.softmax(logits / temperature)[..., 0]
            # Straight-through: adds zero, and the gradient of the relaxed sample.
            gates = gates + soft - ops.stop_gradient(soft)
        return ops.cast(gates, self.compute_dtype)

    def _gumbel_noise(self, shape):
        tiny = 1e-7  # The noise of a draw of exactly 0 or 1 would be infinite.
        uniform = keras.random.uniform(shape, tiny, 1 - tiny, seed=self._seed_generator)
        return -ops.log(-ops.log(uniform))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns `[B, N]`."""
        return (input_shape[0], self.num_decisions)


def initial_logits(
    frozen_probability: float, literal_relu: bool = False
) -> tuple[float, float]:
    """Returns the outputs of a policy network that stand for a given probability.

    Args:
        frozen_probability: Probability of the frozen branch, in (0, 1).
        literal_relu: Whether the logits are `log(relu(output))`.

    Returns:
        The outputs for the frozen and for the fine-tuned branch.

    Example:

    >>> [round(logit, 3) for logit in initial_logits(0.9)]
    [1.099, -1.099]
    >>> initial_logits(0.75, literal_relu=True)
    (0.75, 0.25)
    """
    if literal_relu:
        return (frozen_probability, 1 - frozen_probability)
    half = math.log(frozen_probability / (1 - frozen_probability)) / 2
    return (half, -half)


def policy_penalty(
    logits: Tensor, entropy_weight: float, budget: float | None, budget_weight: float
) -> Tensor:
    """Returns the loss of a policy's entropy and of its distance from the budget.

    `- entropy_weight * mean H(p) + budget_weight * (mean p - budget) ** 2`, where `p`
    is the probability of the frozen branch, and means are over examples and decisions.

    Args:
        logits: `[B, N, 2]`; category 0 is the frozen branch.
        entropy_weight: Weight of the entropy, in nats.
        budget: Desired share of the frozen branch; `None` for no budget.
        budget_weight: Weight of the budget.

    Returns:
        A scalar.

    Example:

    >>> import numpy as np
    >>> logits = np.array([[[20.0, -20.0]]], dtype="float32")  # p = 1
    >>> print(float(policy_penalty(logits, 1.0, budget=0.5, budget_weight=2.0)))
    0.5
    """
    difference = logits[..., 0] - logits[..., 1]
    probability = ops.sigmoid(difference)
    # H(p) by the logit: finite where p log p of a rounded p would be 0 * -inf.
    entropy = ops.softplus(difference) - difference * probability
    penalty = -entropy_weight * ops.mean(entropy)
    if budget is not None:
        gap = ops.mean(probability) - budget
        penalty = penalty + budget_weight * ops.square(gap)
    return penalty


def _check_shares(start, budget, budget_weight):
    """Raises unless the initial probability and the budget are shares."""
    if start is not None and not 0 < start < 1:
        raise ValueError(
            explain(
                "an initial_frozen_probability above 0 and below 1",
                start,
                "pass 0.9 to start almost always frozen, None for random logits",
            )
        )
    if budget is not None and not (0 <= budget <= 1 and budget_weight > 0):
        raise ValueError(
            explain(
                "a budget in [0, 1] and a positive budget_weight",
                f"{budget} and {budget_weight}",
                "pass the share of frozen decisions, or None for no budget",
            )
        )
