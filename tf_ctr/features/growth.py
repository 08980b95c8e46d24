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


def union(fields, specs, others):
    """Returns the fields with the ids of other fields appended.

    Args:
        fields: The fitted fields.
        specs: The fields before they were fitted: what they give stays.
        others: Fitted fields; those of the same name give their ids.
    """
    by_name = {field.name: field for field in others}
    pairs = zip(fields, specs, strict=True)
    return [_joined(field, spec, by_name.get(field.name)) for field, spec in pairs]


def _joined(field, spec, other):
    theirs = getattr(other, "vocabulary", None)
    if theirs is None or not _learns_ids(field, spec):
        return field
    vocabulary = tuple(dict.fromkeys((*field.vocabulary, *theirs)))
    return dataclasses.replace(field, vocabulary=vocabulary)


def _learner(field, spec):
    return NewIdLearner(field) if _learns_ids(field, spec) else learner(field)


def _learns_ids(field, spec):
    learned = isinstance(spec, Categorical) and spec.vocabulary is None
    return learned and field.vocabulary is not None


class NewIdLearner(IdLearner):
    """Counts the ids of a fitted field, and appends the new ones to its vocabulary."""

    def learned(self):
        """Returns the extended field and the share of values with an own row."""
        known = set(self.field.vocabulary)
        new = [value for value in self.frequent() if value not in known]
        vocabulary = (*self.field.vocabulary, *new)
        self.field = dataclasses.replace(self.field, vocabulary=vocabulary)
        return super().learned()
