"""New ids of fields that are fitted already."""

import dataclasses

from tf_ctr.features.categorical import Categorical
from tf_ctr.features.learning import IdLearner, learner, run


def extend(fields, specs, data):
    """Returns the fields with the new ids of `data` appended, and their coverage.

    Args:
        fields: The fitted fields.
        specs: The fields before they were fitted: what they give is not extended.
        data: A pandas frame, or an iterable of frames.

    Returns:
        The fields, and per field the share of the values in `data` with a row.
    """
    pairs = zip(fields, specs, strict=True)
    return run([_learner(field, spec) for field, spec in pairs], data)


def _learner(field, spec):
    learned = isinstance(spec, Categorical) and spec.vocabulary is None
    if learned and field.vocabulary is not None:
        return NewIdLearner(field)
    return learner(field)


class NewIdLearner(IdLearner):
    """Counts the ids of a fitted field, and appends the new ones to its vocabulary."""

    def learned(self):
        """Returns the extended field and the share of values with an own row."""
        known = set(self.field.vocabulary)
        new = [value for value in self.frequent() if value not in known]
        vocabulary = (*self.field.vocabulary, *new)
        self.field = dataclasses.replace(self.field, vocabulary=vocabulary)
        return super().learned()
