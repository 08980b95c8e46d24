"""Raw rows at random, to try a model or an export on."""

import itertools

import numpy as np
import pandas as pd

from tf_ctr.features.numeric import Numeric


def example_column(field, n: int, generator: np.random.Generator) -> pd.Series:
    """Returns `n` raw values of a field, a tenth missing and a tenth unseen ids."""
    if isinstance(field, Numeric):
        return pd.Series(_numbers(field, n, generator))
    if field.multivalent:
        return pd.Series(_lists(field, n, generator), dtype=object)
    # Nullable: integers with missing values would become floats.
    dtype = "Int64" if field.dtype == "int64" else "str"
    return pd.Series(_ids(field, n, generator), dtype=dtype)


def _lists(field, n, generator):
    lengths = generator.integers(0, field.max_length + 1, n)
    ids = iter(_ids(field, lengths.sum(), generator))
    return [list(itertools.islice(ids, length)) for length in lengths]


def _numbers(field, n, generator):
    if field.table is None:
        values = generator.normal(field.mean, field.std, n)
    else:
        low, high = field.boundaries[0], field.boundaries[-1]
        margin = 0.1 * (high - low) + 1
        values = generator.uniform(low - margin, high + margin, n)
    return np.where(generator.random(n) < 0.1, np.nan, values)


def _ids(field, n, generator):
    owner = getattr(field, "owner", field)
    unseen = _unseen(owner)
    known = owner.vocabulary or unseen
    draws = zip(
        generator.random(n), generator.integers(len(known), size=n), strict=True
    )
    return [_pick(draw, known[index], unseen) for draw, index in draws]


def _pick(draw, known, unseen):
    if draw < 0.1:
        return None
    return unseen[int(draw * 1e6) % len(unseen)] if draw < 0.2 else known


def _unseen(field):
    """Ten ids that the vocabulary does not have."""
    taken = {field.padding, *(field.vocabulary or ())}
    make = int if field.dtype == "int64" else "unseen_{}".format
    unseen = (value for value in map(make, itertools.count()) if value not in taken)
    return list(itertools.islice(unseen, 10))
