"""What a problem will cost, from times measured on one core (studies/test_svm_speed.py): an order of magnitude.

Estimates were within 2 of one run and down to a fifth of the time on a machine under heavy load.

Three terms for Clarabel: per sample, per pair of entries in a row, and for the factor that fills in. For the exact
solve of m equations whose entries have b bits: m^3.2 b² (python-flint 0.9; p-adic lifting).
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from scipy import sparse

from hingeproof.svm.problem import Model
from hingeproof.svm.solver.smoothed import fits

NEWTON = 1.5e-6  # seconds an entry, with the exact stage
SOON = 1.0  # seconds within which an interior-point method may come first
PATIENCE = 3_600.0  # seconds of exact solving that are begun when nobody gave a time limit
SAMPLE, PAIR, FILL = 5e-5, 1.2e-7, 3e-10
EXACT, EQUATIONS, BITS = 1.6, 200, 71  # seconds, at that many equations and bits


def float_stage(model: Model) -> float:
    """Seconds of one solve by Clarabel."""
    if sparse.issparse(model.A):
        counts = np.diff(model.A.indptr).astype(np.float64)
        pairs = float((counts**2).sum())
    else:
        pairs = float(model.rows) * model.size**2
    return SAMPLE * model.rows + PAIR * pairs + FILL * float(min(model.rows, model.size)) ** 3


def first_stage(model: Model) -> float:
    """Seconds until a first candidate near enough to be proved: by Newton where that fits and Clarabel takes long."""
    slow = float_stage(model)
    return min(slow, NEWTON * model.rows * model.size) if slow > SOON and fits(model) else slow


def bits(model: Model) -> int:
    """Bits of the entries over one common power of two."""
    values = np.abs(model.A.data if sparse.issparse(model.A) else model.A).ravel()
    values = values[values > 0][:100_000]
    if not len(values):
        return 1
    fraction, e = np.frexp(values)
    whole = (fraction * 2.0**53).astype(np.int64)
    low = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int(e.max() - (e - 53 + low).min())


def exact_stage(equations: int, width: int) -> float:
    """Seconds of one exact solve."""
    return float(EXACT * (equations / EQUATIONS) ** 3.2 * (max(width, 14) / BITS) ** 2)


def most_equations(model: Model) -> int:
    """As many as there can be: the rows on the kink are independent, or the smaller side."""
    return min(model.rows + (model.free if model.kappa > 0 else 0), model.size)


def too_large(equations: int, width: int) -> str:
    """Why the equations cannot be held, or nothing."""
    need = equations**2 * (100 + width // 4)
    try:
        there = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return ""
    if need <= there:
        return ""
    return f"{equations:,} exact equations need about {need / 2**30:.0f} GiB of memory, {there / 2**30:.0f} are free"


def spoken(seconds: float) -> str:
    for unit, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def ahead(model: Model, time_limit: float | None) -> str:
    """What to expect, in a sentence; nothing for what takes less than ten seconds."""
    first, m = first_stage(model), most_equations(model)
    second = exact_stage(m, bits(model))
    if first + second < 10:
        return ""
    text = f"n = {model.n:,}, d = {model.d:,}: about {spoken(first)} to solve"
    if second > 10:
        text += f"; an exact proof needs up to {m:,} equations, at most about {spoken(second)}"
    if time_limit is not None and first + second > time_limit:
        text += f"; what is not done in {time_limit:g} s ends as an interval"
    elif time_limit is None and second > PATIENCE:
        text += f"; past {spoken(PATIENCE)} it ends as an interval: --time-limit SECONDS allows more"
    return text


def refusal(equations: int, model: Model, deadline: Any) -> str:
    """Why the exact solve is not begun; nothing where it is. Under a time limit only memory is a reason."""
    width = bits(model)
    need = exact_stage(equations, width)
    if deadline is None and need > PATIENCE:
        return f"{equations:,} exact equations take about {spoken(need)}: --time-limit {need * 3:.0f} allows it"
    return too_large(equations, width) if equations > 1_000 else ""
