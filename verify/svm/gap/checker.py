"""Check a gap certificate against its data. No code is shared with what wrote it, and none of its floats is believed.

docs/svm-gap.md says what is proved; recount.py computes it anew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from hingeproof.svm import checker
from hingeproof.svm.checker import PARAMETERS, BadData, Rejected, read
from hingeproof.svm.gap.recount import Array, Stated, near

FIELDS = {
    "kind", "status", "loss", "bias", "parameters", "ridge", "n", "d", "data_sha256", "class_weight",
    "sample_weight_sha256", "label_map", "w", "b", "upper", "lower",
}  # fmt: skip
SAME = ("loss", "bias", "parameters", "n", "d", "data_sha256", "label_map")  # in the certificate of the optimum


def check_gap(
    certificate: Any, X: Any, labels: Any, sample_weight: Any = None, *, expect: Mapping[str, Any] | None = None
) -> str:
    """Return what is proved, in a line, and of which problem, in the next.

    expect: what the problem must be, as in `{"loss": "hinge", "C": 1, "bias": "free"}`.

    Shapes: X (n, d), labels (n,) texts or numbers (None for one_class), sample_weight (n,) where the certificate has
    some.
    Raises: Rejected, BadData.
    """
    c = certificate
    if not isinstance(c, dict) or c.get("kind") != "gap":
        raise Rejected("no gap certificate")
    if not isinstance(c.get("status"), str) or c["status"] not in ("bound", "exact"):
        raise Rejected(f"kind 'gap' with status {c.get('status')!r}")
    exact = c["status"] == "exact"
    wanted = FIELDS | {"optimum" if exact else "dual"}
    if set(c) != wanted:
        raise Rejected(f"missing or unknown fields: {', '.join(sorted(set(c) ^ wanted))}")
    table = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=np.float64)
    problem = _problem(c, table, labels, sample_weight)
    if expect is not None:
        _expected(c, problem, expect)
    theta = problem.point(c, "")
    if problem.bias == "none" and any(line[-1] for line in theta):
        raise Rejected("there is no bias, and b is not 0")
    upper, lower = read(c["upper"], "upper"), read(c["lower"], "lower")
    if problem.primal(theta) != upper:
        raise Rejected("upper is not the objective of w and b")
    if exact:
        _optimum(c, problem, labels, lower)
    elif (Fraction(0) if c["dual"] is None else problem.dual(c["dual"])) != lower:
        raise Rejected("lower is not the dual objective of what the certificate holds")
    if c.get("dual", 0) is None and problem.loss == "one_class":
        raise Rejected("a lower bound of one_class needs multipliers")
    if lower > upper:
        raise Rejected("lower is above upper")
    return f"{_sentence(c, upper, lower)}\n{_stated(c, problem)}"


def load(path: str, label: str | None, weight: str | None = None, *, unlabelled: bool) -> tuple[Any, Any, Any]:
    """Rows, labels and the column of weights of a file; NPY stays on the disk. Raises: BadData."""
    if not path.lower().endswith(".npy"):
        found = checker.load(path, label, unlabelled=unlabelled, weight=weight)
        if any(isinstance(v, int) and float(v) != v for row in found.rows for v in row):
            raise BadData(f"{path}: it holds integers from 2^53 on, which float64 rounds: a gap is not proved of them")
        return np.array(found.rows, dtype=np.float64), None if unlabelled else found.labels, found.weights
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadData(f"{path}: cannot be read: {error}") from error
    if table.ndim != 2:
        raise BadData(f"{path}: shape {table.shape}: it must be (n, d)")
    width = table.shape[1]

    def column(name: str) -> int:
        try:
            return range(width)[int(name)]
        except (ValueError, IndexError):
            raise BadData(f"{path}: label {name!r} not found: give the number of a column, from 0") from None

    at = None if unlabelled and label is None else column("-1" if label is None else label)
    by = None if weight is None else column(weight)
    rest = [j for j in range(width) if j not in (at, by)]
    whole = bool(rest) and rest[-1] - rest[0] + 1 == len(rest)  # a view of the file
    X = table[:, rest[0] : rest[-1] + 1] if whole else table[:, rest]
    y = None if unlabelled or at is None else np.array(table[:, at])
    return X, y, None if by is None else np.array(table[:, by])


def _stated(c: dict[str, Any], problem: Stated) -> str:
    """The problem that is proved to have this gap, in a line."""
    parts = [f"{name} {_plain(value)}" for name, value in sorted(problem.values.items())]
    parts = [f"loss {c['loss']}", *parts, f"bias {c['bias']}", *([f"ridge {c['ridge']}"] if problem.ridge != 1 else [])]
    weights = _weighted(c)
    parts += [*([] if weights == "none" else [f"weights {weights}"]), f"n {c['n']}", f"d {c['d']}"]
    return f"{', '.join(parts)}; data {c['data_sha256'][:16]}…"


def _weighted(c: dict[str, Any]) -> str:
    """Which weights there are, as `svm check --expect` names them."""
    given = {"class": c["class_weight"], "sample": c["sample_weight_sha256"]}
    return "+".join(name for name, value in given.items() if value is not None) or "none"


def _plain(value: Fraction) -> str:
    short = f"{float(value):.12g}" if value.denominator < 10**12 else ""
    return short if short and Fraction(short) == value else str(value)


def _expected(c: dict[str, Any], problem: Stated, expect: Mapping[str, Any]) -> None:
    """Raises: Rejected where the problem is another than was expected, BadData where nothing has that name."""
    told: dict[str, Any] = {**problem.values, "ridge": problem.ridge}
    told |= {name: c[name] for name in ("kind", "loss", "bias", "n", "d", "data_sha256")}
    told["weights"] = _weighted(c)
    # what is usual must be said where it is not so
    usual = {"margin": 1, "ridge": 1, "weights": "none"}
    for name, value in {**{k: v for k, v in usual.items() if k in told}, **expect}.items():
        if name not in told:
            raise Rejected(f"{name}={value} is expected: the problem of this certificate has no {name}")
        have = told[name]
        try:
            want = Fraction(str(value)) if isinstance(have, int | Fraction) else str(value)
        except (ValueError, ZeroDivisionError) as error:
            raise BadData(f"{name}={value} cannot be expected: give a decimal") from error
        if have != want:
            raise Rejected(f"{name}={value} is expected, this certificate is about {name}={have}")


def _sentence(c: dict[str, Any], upper: Fraction, lower: Fraction) -> str:
    small = min(abs(lower), abs(upper))
    if upper == lower:
        share = "0"
    elif lower <= 0 <= upper or not small:
        share = "an unbounded part of the optimum, which may be 0, or absolute " + f"{_up(upper - lower):.3g}"
    else:
        share = f"{_up((upper - lower) / small):.3g} (relative)"
    word = "exactly" if c["status"] == "exact" else "at most"
    return f"{word} {share} above the optimum, proved; objective {near(upper):.12g}, lower bound {near(lower):.12g}"


def _up(value: Fraction) -> float:
    nearest = near(value)
    return nearest if math.isinf(nearest) or Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def _optimum(c: dict[str, Any], problem: Stated, labels: Any, lower: Fraction) -> None:
    """The optimum has a certificate of its own, for the same problem."""
    proof = c["optimum"]
    if not isinstance(proof, dict) or any(proof.get(k) != c[k] for k in SAME) or proof.get("kind") != "optimum":
        raise Rejected("optimum is not the certificate of an optimum of this problem")
    if proof.get("class_weight") != c["class_weight"] or ("sample_weight" in proof) != (problem.weights is not None):
        raise Rejected("optimum is about other weights")
    if c["ridge"] != "1/1":
        raise Rejected("optimum has a bias with ridge 1")
    rows = [[float(v) for v in row] for row in problem.X.tolist()]
    answers = [] if labels is None else np.asarray(labels).tolist()
    weights = None if problem.weights is None else problem.weights.tolist()
    checker.check(proof, rows, answers, sample_weight=weights)
    if read(proof["objective"], "objective") != lower:
        raise Rejected("lower is not the optimum that is proved")


# each condition in the order of docs/svm-gap.md
def _problem(c: dict[str, Any], X: Array, labels: Any, weights: Any) -> Stated:
    loss = c["loss"]
    if not isinstance(loss, str) or loss not in PARAMETERS:
        raise Rejected(f"unknown loss {loss!r}")
    if c["bias"] not in ("free", "regularised", "none") or (loss == "one_class" and c["bias"] != "free"):
        raise Rejected(f"bias {c['bias']!r}")
    if X.ndim != 2 or X.dtype.kind not in "fiub" or X.dtype.itemsize > 8:
        raise BadData(f"X has shape {X.shape} and dtype {X.dtype}: it must be a table of numbers")
    n, d = X.shape
    if type(c["n"]) is not int or type(c["d"]) is not int or (c["n"], c["d"]) != (n, d):
        raise Rejected(f"n, d are {c['n']!r}, {c['d']!r}: the data have {n}, {d}")
    given = [] if labels is None else list(labels.tolist() if isinstance(labels, np.ndarray) else labels)
    given = [float(v) if isinstance(v, int | float) else v for v in given]
    if loss != "one_class" and len(given) != n:
        raise BadData(f"{len(given)} labels where the data have {n} rows")
    label_map, y = checker.mapped(loss, given, n)
    if c["label_map"] != label_map or any(type(v) is not int for v in c["label_map"].values()):
        raise Rejected(f"label_map is {c['label_map']!r}: the data give {label_map!r}")
    answers = np.array(y, dtype=np.float64)
    parameters = c["parameters"]
    if not isinstance(parameters, dict) or set(parameters) != PARAMETERS[loss]:
        raise Rejected("parameters are not those of the loss")
    values = {k: read(v, f"parameter {k}") for k, v in parameters.items()}
    if any(values.get(k, 1) <= 0 for k in ("C", "gamma", "nu")) or any(
        values.get(k, 0) < 0 for k in ("epsilon", "margin")
    ):
        raise Rejected("a parameter is out of its range")
    if values.get("nu", 0) > 1:
        raise Rejected("a parameter is out of its range")
    ridge = read(c["ridge"], "ridge")
    if ridge <= 0 or (ridge != 1 and c["bias"] != "regularised"):
        raise Rejected("ridge is that of a regularised bias, and above 0")
    heavy, by_class = _weights(c["sample_weight_sha256"], weights, n), _factors(c["class_weight"], label_map)
    if loss == "one_class" and heavy is not None:
        raise Rejected("one_class has no C to weight")
    problem = Stated(loss, c["bias"], values, ridge, X, answers, max(len(label_map), 1), heavy, by_class)
    if problem.digest() != c["data_sha256"]:
        raise Rejected("data_sha256 is not that of the data")
    return problem


def _factors(given: Any, label_map: dict[str, int]) -> list[Fraction] | None:
    """The factor of each label, in the order of their numbers."""
    if given is None:
        return None
    if not isinstance(given, dict) or not given or set(given) != set(label_map):
        raise Rejected("class_weight is not one number a label")
    out = [read(given[name], f"class_weight of {name}") for name in sorted(label_map, key=lambda name: label_map[name])]
    if any(v < 0 for v in out):
        raise Rejected("a weight of a class is below 0")
    return out


def _weights(named: Any, weights: Any, n: int) -> Array | None:
    if named is None:
        if weights is not None:
            raise Rejected("the certificate knows of no weights")
        return None
    if weights is None:
        raise BadData("the certificate is about weighted samples: give their weights (--sample-weight COLUMN)")
    given = weights.tolist() if isinstance(weights, np.ndarray) else list(weights)
    if any(isinstance(v, int) and abs(v) > 2**53 for v in given):
        raise BadData("the weights hold integers beyond 2^53, which float64 rounds")
    r = np.asarray(given, dtype=np.float64)
    if r.shape != (n,) or not (np.isfinite(r) & (r >= 0)).all():
        raise BadData(f"the weights must be {n} finite numbers, none below 0")
    if hashlib.sha256((r + 0.0).astype("<f8").tobytes()).hexdigest() != named:
        raise Rejected("sample_weight_sha256 is not that of the weights")
    return r
