"""A figure that a notebook shows without `pyplot`. Imports matplotlib."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 120


class Picture(Figure):
    """A figure that shows itself in a notebook, and belongs to no global state.

    A figure that was not made by `pyplot` would show as its text there.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()

    def pixels(self) -> np.ndarray:
        """Returns the picture as bytes `[height, width, 4]`, red to alpha."""
        canvas: Any = self.canvas
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())
