"""Fingerprints of the ids of fields, which tell two fitted schemas apart."""

import hashlib

from tf_ctr.features.field import Field


def fingerprint(field: Field) -> str:
    """Returns a checksum of what the rows of a field's table stand for.

    It depends on the vocabulary and its order, the rows for unseen ids, the number of
    buckets, or the boundaries of bins; not on the name of the field.

    Args:
        field: A fitted field with a table.
    """
    layout = repr(field.owner.layout)
    return hashlib.sha256(layout.encode("utf-8", "surrogatepass")).hexdigest()[:16]
