"""Pictures of training, routes, scores and periods, drawn by matplotlib.

Install the extra: `pip install "tf_ctr[plots]"`. Every function returns a
`matplotlib.figure.Figure`: a notebook shows it, `figure.savefig("file.png")` writes it.
None of them touches the state of `pyplot`. Pass `axes=` to draw into a figure of your
own. Lines differ by marker and by dashes, and areas by brightness, so that a picture is
readable in grey and for the colour-blind.
"""

from tf_ctr.plots.drawing import drawing
from tf_ctr.plots.importance import importance
from tf_ctr.plots.learning_curves import learning_curves
from tf_ctr.plots.periods import forgetting, prequential
from tf_ctr.plots.reliability import reliability
from tf_ctr.plots.routes import route_history, routes

__all__ = [
    "drawing",
    "forgetting",
    "importance",
    "learning_curves",
    "prequential",
    "reliability",
    "route_history",
    "routes",
]


def __dir__() -> list[str]:
    return [*__all__]
