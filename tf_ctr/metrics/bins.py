"""The scale on which the streaming metrics put scores into bins."""

from keras import ops

# A float32 probability next to 1 has the logit 16.6: nothing lies far beyond.
MAX_LOGIT = 16.0


def unit_logits(scores, from_logits=False):
    """Returns the logits of the scores, moved from [-16, 16] to [0, 1].

    Ranking metrics do not change, but bins of equal width now resolve click rates
    of 0.1 % as well as those of 50 %.
    """
    if not from_logits:
        scores = ops.clip(scores, 0.0, 1.0)
        scores = ops.log(scores) - ops.log1p(-scores)
    return ops.clip(scores / (2 * MAX_LOGIT) + 0.5, 0.0, 1.0)
