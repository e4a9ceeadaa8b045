"""NumPy: max(0, ·) as people spell it. NumPy differentiates nothing, so only values are judged."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation

_DOCS = "https://numpy.org/doc/stable/reference/generated/numpy."
SPELLINGS = {
    "maximum": "np.maximum({d}, 0)",
    "fmax": "np.fmax({d}, 0)",
    "clip": "np.clip({d}, 0, None)",
    "where": "np.where({d} > 0, {d}, np.zeros_like({d}))",
}
_LOSSES = {
    "hinge": ("{}", "(np.asarray(margin, scores.dtype) - targets * scores)"),
    "squared_hinge": ("np.square({})", "(np.asarray(margin, scores.dtype) - targets * scores)"),
}


def _spelled(loss: str, how: str) -> Implementation:
    around, d = _LOSSES[loss]
    expression = around.format(SPELLINGS[how].format(d=d))
    return Implementation(
        name=f"numpy.spelled.{loss}.{how}",
        framework="numpy",
        loss=loss,
        target=expression,
        expression=expression,
        imports=("import numpy as np",),
        reductions=("none",),
        versions="numpy>=2,<3",
        source=f"{_DOCS}{how}.html",
    )


IMPLEMENTATIONS = tuple(_spelled(loss, how) for loss in _LOSSES for how in SPELLINGS)
