"""A policy network that decides, per instance, with the Gumbel-softmax trick."""

import math

import keras
from keras import ops

from tf_ctr.errors import check_positive, explain
from tf_ctr.layers.core.layer import Layer


@keras.saving.register_keras_serializable("tf_ctr")
class GumbelRouter(Layer):
    """Decides N times per instance between two branches, hard and differentiable.

    A small ReLU network gives two logits per decision: category 0 is the frozen,
    category 1 the fine-tuned branch. In training a gate is the argmax of
    `logits + Gumbel noise`; backward it has the gradient of
    `softmax((logits + noise) / temperature)` (straight-through). At inference, and
    when frozen, a gate is the argmax of the logits, without noise.

    Source: AutoFT (arXiv 2106.04873), section 3.3, Eqs. 9 to 13. The paper puts a
    ReLU before the sampler and then takes its logarithm, which may be log 0; the
    linear output is taken as the logits instead, unless `literal_relu`.

    Args:
        num_decisions: Number N of decisions.
        hidden_units: Widths of the hidden ReLU layers. The paper says two fully
            connected layers and no width; `(64,)` plus the output layer is ours.
        temperature: Temperature of the softmax. The paper gives none; 5 is that
            of SpotTune's authors. `tf_ctr.training.TemperatureAnnealing` lowers it.
        sample_at_eval: Sample with noise at inference too, as SpotTune's code does;
            such a model cannot be exported.
        literal_relu: Take `log(relu(output) + 1e-8)` as logits, as Eqs. 9 and 13.
        stop_gradient: Cut the gradient from the policy into its input. The
            paper's equations do not.
        learning_rate_multiplier: Factor on the learning rate of the policy's
            weights, applied by `tf_ctr.optimizers`; Keras's own optimizers ignore
            it. The default is ours, for Adam: with 0.1, which SpotTune's code has for
            SGD, a policy stays near an even chance for hundreds of steps, and what
            is routed at random learns badly (see `pipelines.compare.autoft_study`).
        seed: Seed of the noise.
        initial_frozen_probability: In (0, 1), the probability of the frozen branch
            in every decision before training; the last kernel then starts at zero.
            `None` starts from random logits around an even chance. At inference the
            likelier branch is taken, hence all frozen for 0.5 and above.
        entropy_weight: Weight of the mean entropy of the decisions, taken off the
            training loss: above 0 keeps the policy undecided, below 0 decides it.
        budget: Share of the decisions, in [0, 1], that should take the frozen
            branch; adds `budget_weight * (mean probability - budget) ** 2` to the
            training loss. `None` sets no budget.
        budget_weight: Weight of the budget.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Features of the instance, `[B, M]`.
        training: Whether to sample.

    Output shape:
        `[B, N]`, values 0 and 1; 1 takes the frozen branch.

    Raises:
        ValueError: If an argument is out of range or `x` is not of rank 2.

    Example:

    >>> import numpy as np
    >>> from tf_ctr.layers import GumbelRouter
    >>> router = GumbelRouter(num_decisions=3)
    >>> router(np.ones((2, 4))).shape
    TensorShape([2, 3])
    """

    def __init__(
        self,
        num_decisions,
        hidden_units=(64,),
        temperature=5.0,
        sample_at_eval=False,
        literal_relu=False,
        stop_gradient=False,
        learning_rate_multiplier=10.0,
        seed=None,
        initial_frozen_probability=None,
        entropy_weight=0.0,
        budget=None,
        budget_weight=1.0,
        **kwargs,
    ):
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
        self.num_decisions = num_decisions
        self.hidden_units = tuple(hidden_units)
        self.temperature = temperature
        self.sample_at_eval = sample_at_eval
        self.literal_relu = literal_relu
        self.stop_gradient = stop_gradient
        self.learning_rate_multiplier = learning_rate_multiplier
        self.seed = seed
        check_shares(initial_frozen_probability, budget, budget_weight)
        self.initial_frozen_probability = initial_frozen_probability
        self.entropy_weight = entropy_weight
        self.budget = budget
        self.budget_weight = budget_weight
        self._seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Creates the policy network and the temperature, which a callback moves."""
        if len(input_shape) != 2:
            raise ValueError(
                explain(
                    "an input of shape [B, M]",
                    tuple(input_shape),
                    "flatten or pool the features of an instance to one vector",
                )
            )
        widths = (input_shape[-1], *self.hidden_units, 2 * self.num_decisions)
        self._kernels, self._biases = [], []
        for i, shape in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            kernel, bias = "glorot_uniform", "zeros"
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

    def logits(self, x):
        """Returns the unnormalised log-probabilities, `[B, N, 2]`, float32."""
        if self.stop_gradient:
            x = ops.stop_gradient(x)
        for i, (kernel, bias) in enumerate(
            zip(self._kernels, self._biases, strict=True)
        ):
            x = ops.matmul(ops.relu(x) if i else x, kernel) + bias
        x = ops.cast(ops.reshape(x, (-1, self.num_decisions, 2)), "float32")
        return ops.log(ops.relu(x) + 1e-8) if self.literal_relu else x

    def call(self, x, training=None):
        """Samples in training, takes the most likely branch at inference."""
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
            gates = gates + soft - ops.stop_gradient(soft)
        return ops.cast(gates, self.compute_dtype)

    def _gumbel_noise(self, shape):
        tiny = 1e-7  # A draw of exactly 0 or 1 would make the noise infinite.
        uniform = keras.random.uniform(shape, tiny, 1 - tiny, seed=self._seed_generator)
        return -ops.log(-ops.log(uniform))

    def compute_output_shape(self, input_shape):
        """Returns `[B, N]`."""
        return (input_shape[0], self.num_decisions)


def initial_logits(frozen_probability, literal_relu=False):
    """Returns the outputs of a policy network that give a probability.

    Args:
        frozen_probability: Probability of the frozen branch, in (0, 1).
        literal_relu: Whether the logits are `log(relu(output))`.

    Returns:
        The pair of outputs, frozen and fine-tuned.

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


def policy_penalty(logits, entropy_weight, budget, budget_weight):
    """Returns what a policy's entropy and its budget add to the loss.

    `- entropy_weight * mean H(p) + budget_weight * (mean p - budget) ** 2`, with `p`
    the probability of the frozen branch and means over instances and decisions.

    Args:
        logits: `[B, N, 2]`, category 0 the frozen branch.
        entropy_weight: Weight of the entropy, in nats.
        budget: Wanted share of the frozen branch; `None` for none.
        budget_weight: Weight of the budget.

    Returns:
        Scalar.

    Example:

    >>> import numpy as np
    >>> logits = np.array([[[20.0, -20.0]]], dtype="float32")  # p = 1
    >>> print(float(policy_penalty(logits, 1.0, budget=0.5, budget_weight=2.0)))
    0.5
    """
    difference = logits[..., 0] - logits[..., 1]
    probability = ops.sigmoid(difference)
    entropy = ops.softplus(difference) - difference * probability
    penalty = -entropy_weight * ops.mean(entropy)
    if budget is not None:
        gap = ops.mean(probability) - budget
        penalty = penalty + budget_weight * ops.square(gap)
    return penalty


def check_shares(initial_frozen_probability, budget, budget_weight):
    """Raises unless the start and the budget of a policy are shares."""
    p = initial_frozen_probability
    if p is not None and not 0 < p < 1:
        raise ValueError(
            explain(
                "initial_frozen_probability between 0 and 1, both left out",
                p,
                "pass 0.9 for nearly always frozen, None for random logits",
            )
        )
    if budget is not None and not (0 <= budget <= 1 and budget_weight > 0):
        raise ValueError(
            explain(
                "a budget in [0, 1] and a positive budget_weight",
                f"{budget} and {budget_weight}",
                "pass the share of frozen decisions, None for no budget",
            )
        )
