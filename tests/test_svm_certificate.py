"""The certificate: its schema, the checker's independence, and mutants of every field, each of which is rejected."""

from __future__ import annotations

import ast
import copy
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from hingeproof import svm
from hingeproof.svm import checker
from hingeproof.svm.checker import Rejected, read, write
from hingeproof.svm.problem import LOSSES
from hingeproof.svm.reading import bundled

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = json.loads((ROOT / "docs" / "svm-certificate.schema.json").read_text(encoding="utf-8"))


def data(loss: str) -> tuple[Any, Any]:
    """Classes that overlap, away from 0: w is not 0 and some multiplier is at its bound, so every field matters."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3 if loss in ("weston_watkins", "crammer_singer") else 2, 24).astype(float)
    X = rng.standard_normal((24, 2)) + np.column_stack([y, 3 - y])
    return X, y


def made(case: str) -> tuple[dict[str, Any], Any, Any]:
    """A certificate and its data: of a loss, a hard margin, an infeasible one, or an interval."""
    if case == "hard":
        X, y = bundled("sklearn:iris:0-1")
        return svm.solve(X, y, hard=True).certificate(), X, y
    if case == "infeasible":
        # the Farkas vector of a problem without bias does not balance, so it says nothing about one with a bias
        X, y = data("hinge")
        return svm.solve(X, y, hard=True, bias="none").certificate(), X, y
    if case == "interval":
        from hingeproof.svm.problem import build
        from hingeproof.svm.result import bounded
        from hingeproof.svm.solver.bounds import interval
        from hingeproof.svm.solver.oracle import guesses

        X, y = data("hinge")
        model = build(X, y, C=1, loss="hinge", bias="free", epsilon=0, gamma=1, nu=1, margin=1, hard=False)
        guess = next(guesses(model, None))
        return bounded(model, interval(model, guess.theta, guess.p), "clarabel", {}).certificate(), X, y
    X, y = data(case)
    return svm.solve(X, y, loss=case, **OWN.get(case, {"C": "0.3"})).certificate(), X, y


def judged(certificate: Any, X: Any, y: Any) -> str:
    return checker.check(certificate, X.tolist(), [float(v) for v in y])


OWN: dict[str, dict[str, Any]] = {"smooth_hinge": {"C": "0.3", "gamma": "0.7"}, "one_class": {"nu": "0.4"}}
CASES = (*LOSSES, "hard", "infeasible", "interval")


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_fits_the_schema_and_is_accepted(case: str) -> None:
    certificate, X, y = made(case)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(certificate, SCHEMA)
    assert judged(json.loads(json.dumps(certificate)), X, y)


def rationals(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all rationals."""
    if isinstance(part, str) and "/" in part:
        yield path
    elif isinstance(part, dict | list):
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            yield from rationals(value, (*path, key))


def changed(certificate: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(certificate)
    place: Any = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def mutants(certificate: dict[str, Any]) -> Iterator[tuple[str, Any]]:  # noqa: C901 - a list of lies, one a line
    for name in certificate:
        yield f"without {name}", {k: v for k, v in certificate.items() if k != name}
        for junk in (None, "", "x", 0, -1, 1.5, [], {}, True, "1/0", "0/1", float("nan")):
            if junk != certificate[name] or type(junk) is not type(certificate[name]):
                yield f"{name} = {junk!r}", {**certificate, name: junk}
    yield "an unknown field", {**certificate, "note": "trust me"}
    for name, values in {
        "kind": ("optimum", "interval", "infeasible"), "status": ("exact", "interval"), "loss": LOSSES,
        "bias": ("free", "regularised", "none"),
    }.items():  # fmt: skip
        for value in values:
            if value != certificate[name]:
                yield f"{name} = {value}", {**certificate, name: value}
    digest = certificate["data_sha256"]
    yield "one bit of the hash", {**certificate, "data_sha256": f"{int(digest, 16) ^ 1:064x}"}
    for name in ("n", "d"):
        yield f"{name} + 1", {**certificate, name: certificate[name] + 1}
    if certificate["label_map"]:
        flipped = dict(zip(certificate["label_map"], reversed(certificate["label_map"].values()), strict=True))
        yield "labels swapped", {**certificate, "label_map": flipped}
        yield "a label renamed", {**certificate, "label_map": {**certificate["label_map"], "q": 7}}
    for path in rationals(certificate):
        if path[0] == "parameters":
            continue  # another parameter may be another true statement: see below
        place: Any = certificate
        for key in path:
            place = place[key]
        value = read(place, "")
        yield f"{path}: one bit", changed(certificate, path, write(Fraction(value.numerator ^ 1, value.denominator)))
        yield f"{path}: a little", changed(certificate, path, write(value + Fraction(1, 10**30)))
        yield f"{path}: not lowest", changed(certificate, path, f"{value.numerator * 2}/{value.denominator * 2}")
        yield f"{path}: a float", changed(certificate, path, float(value))
        if value:
            yield f"{path}: sign", changed(certificate, path, write(-value))
    for name in ("alpha", "farkas"):
        if len(certificate.get(name, ())) > 1:
            items = list(certificate[name].items())
            (i, a), (j, b), *rest = items
            if a != b:
                yield f"{name}: swapped rows", {**certificate, name: {i: b, j: a, **dict(rest)}}
            yield f"{name}: another order", {**certificate, name: {j: b, i: a, **dict(rest)}}
            yield f"{name}: one left out", {**certificate, name: dict(items[1:])}
            yield f"{name}: row n", {**certificate, name: {**certificate[name], str(certificate["n"]): "1/2"}}
            yield f"{name}: a 0", {**certificate, name: {**dict(items[:-1]), items[-1][0]: "0/1"}}
    if certificate.get("multipliers"):
        first, *others = certificate["multipliers"]
        yield "a multiplier twice", {**certificate, "multipliers": [first, first, *others]}
        yield "one left out", {**certificate, "multipliers": others}
        yield "another constraint", {**certificate, "multipliers": [[first[0], 9, first[2]], *others]}
        yield "another order", {**certificate, "multipliers": [*others, first]}
    if "w" in certificate and len(certificate["w"]) > 1:
        yield "w reversed", {**certificate, "w": certificate["w"][::-1]}


@pytest.mark.parametrize("case", CASES)
def test_every_mutant_is_rejected(case: str) -> None:
    certificate, X, y = made(case)
    judged(certificate, X, y)
    accepted, tried = [], 0
    for what, mutant in mutants(certificate):
        tried += 1
        try:
            judged(mutant, X, y)
            accepted.append(what)
        except Rejected:
            pass
    assert accepted == []
    assert tried > 100


@pytest.mark.parametrize("case", [c for c in CASES if c != "infeasible"])
def test_other_parameters_are_rejected(case: str) -> None:
    # in these problems a multiplier is at its bound, or the value enters the objective
    certificate, X, y = made(case)
    for name, text in certificate["parameters"].items():
        if text is None:
            continue  # C of a hard margin; a C that no multiplier reaches makes another true statement
        for value in (read(text, "") + Fraction(1, 10**9), -read(text, "")):
            with pytest.raises(Rejected):
                judged(changed(certificate, ("parameters", name), write(value)), X, y)
        with pytest.raises(Rejected):
            judged(changed(certificate, ("parameters", name), None), X, y)


def test_what_is_accepted_beside_the_certificate_is_true() -> None:
    """A Farkas vector that balances refutes every kind of bias: the other two are true statements, proved as well."""
    X, y = data("hinge")
    certificate = svm.solve(X, y, hard=True, bias="free").certificate()
    for bias in ("regularised", "none"):
        assert judged({**certificate, "bias": bias}, X, y).startswith("infeasible")
        assert svm.solve(X, y, hard=True, bias=bias).kind == "infeasible"


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "crammer_singer"])
def test_w_is_left_out_where_the_multipliers_say_it_shorter(loss: str) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 40)), np.arange(12) % 3 if loss == "crammer_singer" else np.arange(12) % 2
    found = svm.solve(X, y, loss=loss)
    certificate = found.certificate()
    jsonschema.validate(certificate, SCHEMA)
    assert certificate["w"] is None
    assert judged(certificate, X, y).startswith("exact")
    assert found.w is not None
    several = loss == "crammer_singer"
    text = [[write(Fraction(int(v.p), int(v.q))) for v in line] for line in (found.w if several else [found.w])]
    written = {**certificate, "w": text if several else text[0]}  # as it was written before
    assert judged(written, X, y).startswith("exact")
    text[0][0] = write(read(text[0][0], "") + 1)
    with pytest.raises(Rejected):
        judged(written, X, y)
    b = certificate["b"]
    with pytest.raises(Rejected):
        judged({**certificate, "b": [write(read(v, "") + 1 + i) for i, v in enumerate(b)] if several else "77/1"}, X, y)
    interval = svm.solve(X, y, loss=loss, time_limit=0.0).certificate()
    with pytest.raises(Rejected, match="w is missing"):
        judged({**interval, "w": None}, X, y)


@pytest.mark.parametrize("labels", [[[1, 2]] * 24, [1, "a"] * 12, [1.0] * 23])
def test_labels_that_are_none_are_said(labels: Any) -> None:
    certificate, X, _ = made("hinge")
    with pytest.raises(checker.BadData, match="labels"):
        svm.check(certificate, X, labels)


def test_expect_in_python() -> None:
    certificate, X, y = made("hinge")
    told = {"loss": "hinge", "C": 0.3, "bias": "free", "n": 24}
    assert svm.check(certificate, X, y, expect=told).endswith(certificate["data_sha256"][:16] + "…")
    with pytest.raises(Rejected, match=r"C=1 is expected, this certificate is about C=0\.3"):
        svm.check(certificate, X, y, expect={**told, "C": 1})
    with pytest.raises(checker.BadData, match="nothing is named 'c'"):
        svm.check(certificate, X, y, expect={"c": 1})


def test_sparse_rows_are_the_dense_ones() -> None:
    from scipy import sparse

    rng = np.random.default_rng(0)
    X = np.where(rng.random((30, 6)) < 0.3, np.round(rng.standard_normal((30, 6)), 2), 0.0)
    X[:, 5] = 0  # a last column without entries
    y = np.arange(30) % 2
    for loss in ("hinge", "epsilon_insensitive", "crammer_singer"):
        certificate = svm.solve(sparse.csr_array(X), y, loss=loss).certificate()
        assert svm.check(certificate, sparse.coo_array(X), y) == svm.check(certificate, X, y)
        changed_ = sparse.lil_array(X)
        changed_[3, 3] += 1
        with pytest.raises(Rejected):
            svm.check(certificate, changed_.tocsr(), y)


def test_changed_data_are_rejected() -> None:
    certificate, X, y = made("hinge")
    bit = X.copy()
    (raw,) = struct.unpack("<q", struct.pack("<d", bit[3, 1]))
    (bit[3, 1],) = struct.unpack("<d", struct.pack("<q", raw ^ 1))
    swapped = X.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    for other, labels in ((bit, y), (swapped, y), (X[:, ::-1], y), (X[:-1], y[:-1]), (X, y[::-1]), (X, 1 - y)):
        with pytest.raises(Rejected):
            judged(certificate, other, labels)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"kind": 1, "kind": 2}'])
def test_what_is_no_certificate_is_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        checker.check(checker.parse(text), [[1.0], [2.0]], [0.0, 1.0])


@pytest.mark.parametrize("value", [Fraction(0), Fraction(-7, 3), Fraction(10**4000 - 1, 7), Fraction(10**4000, 7)])
def test_a_rational_has_one_text(value: Fraction) -> None:
    assert read(write(value), "") == value
    assert write(value).count("0x") == (2 if abs(value) * 7 >= 10**4000 else 0)
    for other in ("1", "2/4", "1/-2", "+1/2", " 1/2", "0x1/0x2", "1/2 ", "-0/1", "01/2", "1_0/3", "١/٢"):
        with pytest.raises(Rejected):
            read(other, "")


def test_minus_zero_is_zero_in_the_hash() -> None:
    assert checker.digest([[-0.0, 1.0]], [1.0]) == checker.digest([[0.0, 1.0]], [1.0])


def test_the_checker_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names <= set(sys.stdlib_module_names)


def test_the_checker_runs_as_a_lone_file(tmp_path: Path) -> None:
    certificate, X, y = made("hinge")
    (tmp_path / "checker.py").write_bytes(Path(checker.__file__).read_bytes())
    (tmp_path / "cert.json").write_text(json.dumps(certificate))
    np.savez(tmp_path / "data.npz", X=X, y=y)
    command = [sys.executable, "-I", "-S", "checker.py", "cert.json", "data.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "exact")
