"""The hinge in a hundred chunks, and the same with 3, 5 and 10 of them done twice: slow-downs of a known size.

The extra work is more of the same work, so that it slows down with everything else on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CHUNKS = 100
Array = np.ndarray[Any, Any]


def chunked(extra: int) -> Callable[..., Any]:
    """A hinge that does so many of its chunks twice."""

    def hinge(scores: Array, targets: Array, *, reduction: str = "mean") -> Any:
        size = -(-len(scores) // CHUNKS)
        spans = [slice(i * size, (i + 1) * size) for i in range(CHUNKS)]
        out = np.empty_like(scores)
        for span in (*spans, *spans[:extra]):
            out[span] = np.maximum(scores.dtype.type(1) - targets[span] * scores[span], 0)
        return out if reduction == "none" else out.mean() if reduction == "mean" else out.sum()

    return hinge


slower_0, slower_3, slower_5, slower_10 = (chunked(percent) for percent in (0, 3, 5, 10))
