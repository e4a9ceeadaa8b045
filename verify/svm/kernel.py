"""Kernels: polynomial and precomputed ones exactly, the RBF kernel in enclosures by Arb."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq, fmpz_mat
from scipy import sparse

from hingeproof.errors import UsageError, among
from hingeproof.svm.checker import Rejected, semidefinite
from hingeproof.svm.exact import Array, integers
from hingeproof.svm.given import decimal

OPTIONS: dict[str, dict[str, str]] = {
    "polynomial": {"degree": "3", "gamma": "1", "coef0": "0"},
    "rbf": {"gamma": "1"},
    "precomputed": {},
}
MOST = 2_000  # samples
BITS = 160  # of an RBF kernel's values
NEAR = 4  # units of 2^-BITS that hold the true value, and the checker's enclosure of it


@dataclass(frozen=True)
class Kernel:
    """`(gamma x·z + coef0)^degree`, `exp(−gamma ‖x − z‖²)`, or the data themselves."""

    name: str
    options: dict[str, Any]

    def certified(self) -> dict[str, Any]:
        """The options as a certificate states them: rationals, and the degree as an integer."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True)
class Gram:
    """K over `unit`, each entry to ± `radius` of them; and the nearest floats."""

    K: fmpz_mat
    unit: int
    radius: int
    near: Array


def parse(given: str) -> Kernel:
    """`polynomial:degree=3,gamma=1,coef0=0`, `rbf:gamma=1` or `precomputed`. Raises: UsageError."""
    name, _, rest = given.partition(":")
    among(name, OPTIONS, "kernel")
    texts = dict(OPTIONS[name])
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        among(key, texts, f"option of the {name} kernel")
        if not equals:
            raise UsageError(f"kernel {given!r}: write {key}=NUMBER")
        texts[key] = value
    options: dict[str, Any] = {key: decimal(key, value) for key, value in texts.items()}
    if options.get("gamma", 1) <= 0 or options.get("coef0", 0) < 0:
        raise UsageError(f"kernel {given!r}: gamma must be above 0 and coef0 at least 0, or it is no inner product")
    if "degree" in options:
        if not re.fullmatch("[0-9]+", texts["degree"]) or not 1 <= int(texts["degree"]) <= 20:
            raise UsageError(f"kernel {given!r}: the degree must be a whole number from 1 to 20")
        options["degree"] = int(texts["degree"])
    return Kernel(name, options)


def gram(kernel: Kernel, X: Any, lost: Array | None) -> Gram:
    """K of the rows. Raises: UsageError for a given matrix that is no kernel."""
    X = X.toarray() if sparse.issparse(X) else X
    n, d = X.shape
    flat, e = integers(X.ravel())
    if lost is not None:
        more, f = integers(lost.ravel())
        low = min(e, f)
        flat, e = [(a << (e - low)) + (b << (f - low)) for a, b in zip(flat, more, strict=True)], low
    if e > 0:
        flat, e = [a << e for a in flat], 0
    if kernel.name == "precomputed":
        return _precomputed(flat, n, d, 1 << -e)
    M = fmpz_mat(n, d, flat)
    dots = (M * M.transpose()).tolist()
    square = 1 << (-2 * e)
    gamma = kernel.options["gamma"]
    if kernel.name == "polynomial":
        degree, coef0 = kernel.options["degree"], kernel.options["coef0"]
        slope, top = gamma.p * coef0.q, coef0.p * gamma.q * square
        return _made(
            [[(slope * v + top) ** degree for v in row] for row in dots], (gamma.q * coef0.q * square) ** degree, 0
        )
    own = [dots[i][i] for i in range(n)]
    table: list[list[Any]] = [[0] * n for _ in range(n)]
    before, ctx.prec = ctx.prec, BITS + 64
    try:
        for i in range(n):
            for j in range(i + 1):
                t = gamma * fmpq(own[i] + own[j] - 2 * dots[i][j], square)
                table[i][j] = table[j][i] = _units((-arb(t)).exp())
    finally:
        ctx.prec = before
    return _made(table, 1 << BITS, NEAR)


def _units(value: arb) -> int:
    """The middle of an enclosure in units of 2^-BITS, to ± 1."""
    man, exp = value.mid().man_exp()
    shift = int(exp) + BITS
    return int(man) << shift if shift >= 0 else int(man) >> -shift


def _precomputed(flat: list[int], n: int, d: int, unit: int) -> Gram:
    if n != d:
        raise UsageError(f"a precomputed kernel is a square matrix: this one is {n} × {d}")
    table = [flat[i * n : (i + 1) * n] for i in range(n)]
    try:
        semidefinite(table, unit)
    except Rejected as error:
        raise UsageError(str(error)) from error
    return _made(table, unit, 0)


def _made(table: list[list[Any]], unit: Any, radius: int) -> Gram:
    near = np.array([[int(v) / int(unit) for v in row] for row in table])
    return Gram(fmpz_mat(table), int(unit), radius, near)
