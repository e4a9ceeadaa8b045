"""What trainers and solvers reach, against exactly certified optima: the textbook's example, and four SVM codes.

python studies/svm_study.py bench/results      writes svm-study.json, svm-study.md and svm-figures.jsonl there.
Every objective is evaluated in exact arithmetic at the float weights that came out; the optimum is proved.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hingeproof import svm
from hingeproof.evidence.picture import clusters
from hingeproof.frameworks.environment import versions
from hingeproof.runs.figures import Training
from hingeproof.svm.exact import rational, rounded
from hingeproof.svm.reading import bundled
from hingeproof.svm.solver.bounds import primal

SETS = (
    "iris:0-1", "iris:0-2", "iris:1-2", "breast_cancer", "breast_cancer:standardised", "digits:3-8", "digits:even-odd",
)  # fmt: skip
TOLERANCES = (1e-2, 1e-4, 1e-8)
EPOCHS = (200, 2_000, 20_000)


def gap(optimum: svm.Result, w: Any, b: float) -> float:
    """(P(w, b) − P*)/P*, exact before it is rounded."""
    theta = [rational(float(v)) for v in np.ravel(w)] + [rational(float(b))]
    best = optimum.objective
    assert best is not None
    return rounded((primal(optimum._model, theta) - best) / best)


# -- the textbook's training example -----------------------------------------------------------------------------------


def textbook() -> tuple[dict[str, Any], Training]:
    """Mean hinge, SGD with lr 0.01 and weight decay 0.01, full batches: λ(½‖w‖² + ½b² + C Σ), C = 1/(λn)."""
    import torch

    from hingeproof.contracts.textbook_code import hinge_loss

    X, y = clusters()
    model = torch.nn.Linear(2, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.01)
    data, signs = X.double().numpy(), y.double().numpy()
    optimum = svm.solve(data, signs, C=1, bias="regularised")
    hard = svm.solve(data, signs, hard=True)
    assert optimum.margin is not None
    marks = {round(EPOCHS[-1] ** (i / 60)) for i in range(61)} | set(EPOCHS)
    rows: list[dict[str, Any]] = []
    curve: dict[str, list[Any]] = {"steps": [], "suboptimality": [], "margin": []}
    for epoch in range(1, EPOCHS[-1] + 1):
        sgd.zero_grad()
        hinge_loss(model(X).squeeze(1), y).backward()
        sgd.step()
        if epoch not in marks:
            continue
        w, b = model.weight.detach().double().numpy()[0], float(model.bias.detach()[0])
        margin = 1 / float(np.linalg.norm(w))
        seen = float((signs * (data @ w + b)).min() / np.linalg.norm(w))  # the distance of the nearest point
        curve["steps"].append(epoch)
        curve["suboptimality"].append(gap(optimum, w, b))
        curve["margin"].append(margin / optimum.margin)
        if epoch in EPOCHS:
            best = optimum.objective
            assert best is not None
            rows.append(
                {
                    "epochs": epoch,
                    "objective": 0.01 * rounded(best) * (1 + curve["suboptimality"][-1]),
                    "suboptimality": curve["suboptimality"][-1],
                    "accuracy": float((np.sign(data @ w + b) == signs).mean()),
                    "nearest_point": seen,
                    "percent_of_maximum_margin": None if hard.margin is None else 100 * max(seen, 0.0) / hard.margin,
                }
            )
    best = optimum.objective
    assert best is not None
    facts = {
        "n": len(signs), "C": 1, "certified_objective": 0.01 * rounded(best), "margin_of_the_optimum": optimum.margin,
        "maximum_margin": hard.margin, "support_vectors": len(optimum.support), "rows": rows,
    }  # fmt: skip
    title = "the textbook's two clusters, SGD lr 0.01, weight decay 0.01"
    return facts, Training(check="", title=title, optimiser="torch.optim.SGD", **curve)


# -- solvers -----------------------------------------------------------------------------------------------------------

Fit = Callable[[Any, Any, float], tuple[Any, float]]


def linear_svc(loss: str) -> Fit:
    def fit(X: Any, y: Any, tolerance: float) -> tuple[Any, float]:
        from sklearn.svm import LinearSVC

        made = LinearSVC(C=1.0, loss=loss, tol=tolerance, dual=True, random_state=0).fit(X, y)
        return made.coef_[0], float(made.intercept_[0])

    return fit


def svc(X: Any, y: Any, tolerance: float) -> tuple[Any, float]:
    from sklearn.svm import SVC

    made = SVC(kernel="linear", C=1.0, tol=tolerance).fit(X, y)
    return made.coef_[0], float(made.intercept_[0])


def liblinear(X: Any, y: Any, tolerance: float) -> tuple[Any, float]:
    from liblinear.liblinearutil import train

    made = train(y.tolist(), X.tolist(), f"-s 3 -c 1 -B 1 -e {tolerance} -q")
    w, b = made.get_decfun()
    return (np.array(w), b) if made.get_labels()[0] > 0 else (-np.array(w), -b)


def libsvm(X: Any, y: Any, tolerance: float) -> tuple[Any, float]:
    from libsvm.svmutil import svm_train

    made = svm_train(y.tolist(), X.tolist(), f"-s 0 -t 0 -c 1 -e {tolerance} -q")
    w = np.zeros(X.shape[1])
    for (coefficient,), nodes in zip(made.get_sv_coef(), made.get_SV(), strict=True):
        for index, value in nodes.items():
            if index > 0:
                w[index - 1] += coefficient * value
    b = -made.rho[0]
    return (w, b) if made.get_labels()[0] > 0 else (-w, -b)


# name: module, package, loss, bias, fit
SOLVERS: dict[str, tuple[str, str, str, str, Fit]] = {
    "LinearSVC(loss='hinge')": ("sklearn", "scikit-learn", "hinge", "regularised", linear_svc("hinge")),
    "LinearSVC()": ("sklearn", "scikit-learn", "squared_hinge", "regularised", linear_svc("squared_hinge")),
    "SVC(kernel='linear')": ("sklearn", "scikit-learn", "hinge", "free", svc),
    "liblinear -s 3": ("liblinear", "liblinear-official", "hinge", "regularised", liblinear),
    "libsvm -t 0": ("libsvm", "libsvm-official", "hinge", "free", libsvm),
}


def solvers(names: tuple[str, ...] = SETS) -> Iterator[dict[str, Any]]:
    """One row a data set and solver: relative sub-optimality at each tolerance, and whether it warned."""
    for name in names:
        X, target = bundled(f"sklearn:{name}")
        y = np.where(target == target.max(), 1.0, -1.0)
        certified: dict[tuple[str, str], svm.Result] = {}
        for solver, (module, package, loss, bias, fit) in SOLVERS.items():
            if importlib.util.find_spec(module) is None:
                continue
            key = (loss, bias)
            if key not in certified:
                certified[key] = svm.solve(X, y, C=1, loss=loss, bias=bias)
            optimum = certified[key]
            row: dict[str, Any] = {
                "data": name, "solver": solver, "version": importlib.metadata.version(package),
                "status": optimum.status, "objective": rounded(optimum.objective) if optimum.objective else None,
            }  # fmt: skip
            for tolerance in TOLERANCES:
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    row[f"{tolerance:g}"] = gap(optimum, *fit(X, y, tolerance))
                row[f"warned {tolerance:g}"] = bool(said)
            yield row


# -- what is written ---------------------------------------------------------------------------------------------------


def markdown(book: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Trainers and solvers against certified optima", "",
        "Written by `python studies/svm_study.py bench/results`. Sub-optimality: (P − P*)/P*, P* proved.", "",
        "## The textbook's training example", "",
        f"n = {book['n']}, C = 1/(λn) = {book['C']}, bias regularised, as `weight_decay` does. Certified optimum "
        f"{book['certified_objective']:.6g} (times λ: mean hinge + ½λ(‖w‖² + b²)), its margin 1/‖w‖ "
        f"{book['margin_of_the_optimum']:.4f}, {book['support_vectors']} support vectors; the maximum margin is "
        f"{book['maximum_margin']:.6f}, exactly certified too.", "",
        "| epochs | objective | sub-optimality | accuracy | nearest point | of the maximum margin |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {r['epochs']:,} | {r['objective']:.6g} | {r['suboptimality']:.2g} | {r['accuracy']:.0%} "
        f"| {r['nearest_point']:.4f} | {r['percent_of_maximum_margin']:.1f} % |"
        for r in book["rows"]
    ]
    lines += [
        "", "## Solvers", "",
        "C = 1, defaults but for the tolerance. † scikit-learn warned that it stopped early; the others print.", "",
        "| data | solver | P* | " + " | ".join(f"tol {t:g}" for t in TOLERANCES) + " |",
        "|---|---|---|" + "---|" * len(TOLERANCES),
    ]  # fmt: skip
    for r in rows:
        cells = " | ".join(f"{r[f'{t:g}']:.1e}{'†' if r[f'warned {t:g}'] else ''}" for t in TOLERANCES)
        lines.append(f"| {r['data']} | `{r['solver']}` {r['version']} | {r['objective']:.6g} | {cells} |")
    return "\n".join(lines) + "\n"


def main(folder: str) -> None:
    """Measure, and write the results."""
    out = Path(folder)
    book, figure = textbook()
    rows = list(solvers())
    known = {"environment": versions(), "textbook": book, "solvers": rows}
    (out / "svm-study.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    (out / "svm-figures.jsonl").write_bytes(msgspec.json.encode(figure) + b"\n")
    (out / "svm-study.md").write_text(markdown(book, rows), encoding="utf-8")
    print(markdown(book, rows), end="")


if __name__ == "__main__":
    main(sys.argv[1])
