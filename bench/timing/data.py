"""Seeded inputs with a given fraction of the samples inside the margin, in a given memory layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.strategies import NUMPY_DTYPES
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.margins import Form

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Data:
    """Inputs (N,) or (N, K) in the dtype; targets, or None: ours (signs in that dtype) or as a contract writes them."""

    inputs: list[Array]
    targets: Array | None


Domain = tuple[float, float] | None
# (loss, random, which samples cost something, K) → inputs and targets
Sampler = Callable[[Loss, Any, Array, int], tuple[list[Array], Array | None]]


def domain_of(*implementations: Implementation) -> Domain:
    """The scores that the documentation of all of them speaks of; None where no one limits them."""
    limits = [(float(i.domain[0]), float(i.domain[1])) for i in implementations if i.domain is not None]
    return (max(low for low, _ in limits), min(high for _, high in limits)) if limits else None


def always_costly(loss: Loss, domain: Domain) -> bool:
    """Does every score inside the domain cost something (the one at its end apart)?"""
    if domain is None:
        return False
    low, high = domain
    return (high - low if loss.margins.differences else max(high, -low)) <= edge(loss)


def make(name: str, dtype: str, n: int, k: int, inside: float, *, seed: int = 0, domain: Domain = None) -> Data:
    """Draw N samples of which a fraction `inside` costs something (on average).

    Margins lie within 2 of the last break of φ, on its costly or its free side; every other parameter is at its
    default. With a domain, scores are moved into it: rows of differences as a whole, so that no margin changes; others
    one by one, and what the fraction becomes is what the domain makes of it.
    """
    loss = LOSSES[name]
    random = np.random.default_rng([seed, n, k])
    costly = random.random(n, dtype=np.float32) < inside
    inputs, targets = SAMPLERS[loss.margins.form](loss, random, costly, k)
    if domain is not None:
        inputs = [_placed(x, domain, together=loss.margins.differences) for x in inputs]
    kind = NUMPY_DTYPES[dtype]
    if targets is not None:
        targets = targets.astype(kind) if loss.margins.targets in ("sign", "real") else targets.astype(np.int64)
    return Data([np.ascontiguousarray(x.astype(kind)) for x in inputs], targets)


def _placed(x: Array, domain: tuple[float, float], *, together: bool) -> Array:
    low, high = np.float32(domain[0]), np.float32(domain[1])
    if together and np.isinf(high):
        up = low - x.min(axis=1, keepdims=True)
        moved: Array = np.maximum(x + np.maximum(up, 0), low)
    else:
        moved = low + np.fmod(np.abs(x), high - low)
    return moved


def laid_out(data: Data, layout: str) -> Data:
    """The same numbers in another layout: every second element of a buffer, or column by column."""
    return Data([_lay(x, layout) for x in data.inputs], data.targets)


def _lay(x: Array, layout: str) -> Array:
    if layout == "strided":
        wide = np.zeros((2 * len(x), *x.shape[1:]), x.dtype)
        wide[::2] = x
        return wide[::2]
    return np.asfortranarray(x) if layout == "transposed" else x


def edge(loss: Loss) -> float:
    """Where φ becomes 0 for good, at the default parameters."""
    label = -1 if -1 in loss.phi else None
    breaks = loss.shape(label, loss.defaults).breaks
    return to_float(breaks[-1]) if breaks else 0.0


def _margins(loss: Loss, random: Any, costly: Array, width: int = 0) -> Array:
    """Margins on the wanted side of the edge; in a costly row of several about half of them cost something."""
    shape = (len(costly), width) if width else costly.shape
    distance = 2 * random.random(shape, dtype=np.float32)
    side = costly[:, None] & (random.random(shape, dtype=np.float32) < 0.5) if width else costly
    margins: Array = np.where(side, -distance - 0.01, distance + 0.01).astype(np.float32)
    return margins + np.float32(edge(loss))


def _signs(random: Any, n: int) -> Array:
    signs: Array = np.where(random.random(n, dtype=np.float32) < 0.5, np.float32(-1), np.float32(1))
    return signs


def _binary(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    if not loss.margins.signed:  # a distance; only y = −1 has a free side: these alone obey the fraction
        return [np.abs(_margins(loss, random, costly))], _signs(random, len(costly))
    y = _signs(random, len(costly))
    return [y * _margins(loss, random, costly)], y


def _ranking(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    y = _signs(random, len(costly))
    second = random.standard_normal(len(costly), dtype=np.float32)
    return [second + y * _margins(loss, random, costly), second], y


def _residual(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    target = random.standard_normal(len(costly), dtype=np.float32)
    tube = np.float32(edge(loss))
    size = random.random(len(costly), dtype=np.float32)
    off = np.where(costly, tube * np.float32(1.1) + size, tube * size * np.float32(0.9))
    return [target + _signs(random, len(costly)) * off], target


def _classes(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    c = random.integers(0, k, len(costly))
    if loss.margins.differences:
        own = random.standard_normal((len(costly), 1), dtype=np.float32)
        scores = own - _margins(loss, random, costly, k)
    else:
        scores = -_margins(loss, random, costly, k)
        own = -np.take_along_axis(scores, c[:, None], axis=1)
    np.put_along_axis(scores, c[:, None], own, axis=1)
    return [scores], c


def _multilabel(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    base = random.standard_normal((len(costly), 1), dtype=np.float32)
    scores = base - _margins(loss, random, costly, k)
    count = max(1, min(3, k - 1))
    first = random.integers(0, max(k - count, 1), len(costly))
    labels = np.full((len(costly), k), -1, np.int64)
    for i in range(count):
        labels[:, i] = first + i
        np.put_along_axis(scores, first[:, None] + i, base, axis=1)
    return [scores], labels


def _triplet(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    anchor = random.standard_normal((len(costly), k), dtype=np.float32)
    near, far = (random.standard_normal((len(costly), k), dtype=np.float32) for _ in range(2))
    near, far = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (near, far))
    distance = np.float32(4)
    return [anchor, anchor + distance * near, anchor + (distance + _margins(loss, random, costly))[:, None] * far], None


def _cosine(loss: Loss, random: Any, costly: Array, k: int) -> tuple[list[Array], Array | None]:
    first = random.standard_normal((len(costly), k), dtype=np.float32)
    noise = random.standard_normal((len(costly), k), dtype=np.float32)
    # for y = −1 a positive cosine costs; for y = 1 every sample does
    return [first, np.where(costly[:, None], first, -first) + noise / 2], _signs(random, len(costly))


SAMPLERS: dict[Form, Sampler] = {
    (1, "scalar", "sign"): _binary, (2, "scalar", "sign"): _ranking, (1, "scalar", "real"): _residual,
    (1, "vector", "index"): _classes, (1, "vector", "multilabel"): _multilabel, (2, "vector", "sign"): _cosine,
    (3, "vector", None): _triplet,
}  # fmt: skip
