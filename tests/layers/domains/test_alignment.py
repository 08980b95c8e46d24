"""Alignment by hand."""

import numpy as np
import pytest

from tf_ctr.layers import Alignment


def test_small_vectors_are_aligned_correctly_in_half_precision():
    """Rows of a table start at 1e-4, whose squares are zero in float16."""
    layer = Alignment(2.0, dtype="mixed_float16")
    rows = np.array([[1e-4, 0.0], [0.0, 1e-4]], "float32")
    layer(rows, rows, np.array([[1e-4, 0.0], [1e-4, 0.0]], "float32"))
    # One pair of one direction, and one at a right angle.
    assert float(layer.losses[0]) == pytest.approx(1.0, abs=1e-3)
