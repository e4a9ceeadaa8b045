"""Weights of classes and of samples: exact factors of C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq

from hingeproof.errors import UsageError, among
from hingeproof.svm.exact import Array
from hingeproof.svm.given import decimal, text


@dataclass(frozen=True)
class Weighting:
    """Factors of C: by the text of a label, and by sample. None: 1."""

    classes: dict[str, fmpq] | None
    samples: tuple[fmpq, ...] | None


def weights(
    by_class: Any, by_sample: Any, loss: str, hard: bool, y: Array, labels: tuple[tuple[str, int], ...]
) -> tuple[Weighting | None, tuple[fmpq, ...] | None]:
    """What was given, and the weight of each sample. Raises: UsageError."""
    if by_class is None and by_sample is None:
        return None, None
    if hard or loss == "one_class":
        raise UsageError(f"{'a hard margin' if hard else 'one_class'} has no C to weight: leave the weights out")
    classes = None if by_class is None else class_weights(by_class, loss, y, labels)
    samples = None
    if by_sample is not None:
        samples = tuple(fmpq(*v.as_integer_ratio()) for v in sample_weights(by_sample, len(y)).tolist())
    names = {float(number): name for name, number in labels}
    out = samples or (fmpq(1),) * len(y)
    if classes is not None:
        out = tuple(v * classes[names[label]] for v, label in zip(out, y.tolist(), strict=True))
    return Weighting(classes, samples), out


def sample_weights(given: Any, n: int) -> Array:
    """One factor a row, as given. Raises: UsageError."""
    table = np.asarray(given)
    if table.shape != (n,) or table.dtype.kind not in "fiub":
        raise UsageError(f"sample_weight has shape {table.shape} and dtype {table.dtype}: it must be {n} numbers")
    bad = np.flatnonzero(~(np.isfinite(table) & (table >= 0)))
    if len(bad):
        raise UsageError(f"row {bad[0]}, sample_weight: {table[bad[0]]} is not a finite number of at least 0")
    return table


def class_weights(given: Any, loss: str, y: Array, labels: tuple[tuple[str, int], ...]) -> dict[str, fmpq]:
    """By the text of each label; `balanced` is n / (K n_k)."""
    if not labels:
        raise UsageError(f"{loss} has no classes: leave out class_weight")
    if isinstance(given, str):
        among(given, ("balanced",), "class_weight")
        return {name: fmpq(len(y), len(labels) * int((y == number).sum())) for name, number in labels}
    factors = {text(label): decimal(f"class_weight of {text(label)}", value) for label, value in dict(given).items()}
    for name, value in factors.items():
        among(name, [known for known, _ in labels], "label in class_weight")
        if value < 0:
            raise UsageError(f"class_weight of {name} is {value}: it must be at least 0")
    return {name: factors.get(name, fmpq(1)) for name, _ in labels}
