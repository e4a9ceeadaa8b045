"""What a proved gap costs beside the training that it is about: interleaved medians, and the table of docs/svm-gap.md.

python studies/svm_gap.py run bench/results/svm-gap.json [--rounds 3]     minutes; 1,000,000 × 20 needs 2 GiB
python studies/svm_gap.py table bench/results/svm-gap.json docs/svm-gap.md   writes the table into the page
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from hingeproof.errors import GOOD, USAGE

CASES = (("hinge", 100_000, 20), ("squared_hinge", 100_000, 20), ("hinge", 1_000_000, 20))
ROUNDS = {100_000: 5, 1_000_000: 1}  # a fit of LinearSVC takes a minute at the latter
BEGIN, END = "<!-- table: python studies/svm_gap.py table -->", "<!-- end of table -->"


def overlapping(n: int, d: int) -> tuple[Any, Any]:
    """Gaussian points, labels by a plane with noise."""
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((n, d)), rng.standard_normal(d)
    return X, np.where(X @ w + rng.standard_normal(n) > 0, 1, -1)


def measured(loss: str, n: int, d: int, rounds: int) -> dict[str, Any]:
    """One case: fit, gap, check and certified optimum, one after the other in each round; the search's own gap once."""
    from sklearn.svm import LinearSVC

    from hingeproof.svm.exact import rational
    from hingeproof.svm.gap import checker
    from hingeproof.svm.gap.claims import Given, claims
    from hingeproof.svm.gap.engine import gap
    from hingeproof.svm.gap.newton import candidates
    from hingeproof.svm.solver.search import solve

    X, y = overlapping(n, d)
    seconds: dict[str, list[float]] = {"fit": [], "gap": [], "certificate": [], "check": [], "optimum": []}
    found, peak = None, 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it stopped before its tolerance is what is measured
            model = LinearSVC(loss=loss).fit(X, y)
        seconds["fit"].append(time.perf_counter() - began)
        began = time.perf_counter()
        (claim,) = claims(model, X, y, Given())
        found = gap(claim.objective, claim.theta)
        seconds["gap"].append(time.perf_counter() - began)
        began = time.perf_counter()
        text = json.dumps(found.certificate)
        seconds["certificate"].append(time.perf_counter() - began)
        # of the first round: later ones have seen the exact stage
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        began = time.perf_counter()
        checker.check_gap(json.loads(text), X, y)
        seconds["check"].append(time.perf_counter() - began)
        began = time.perf_counter()
        status = solve(X, y, loss=loss, bias="regularised").status
        seconds["optimum"].append(time.perf_counter() - began)
    assert found is not None
    best = candidates(claim.objective, 2e-7)[-1]
    own = gap(claim.objective, [[rational(v) for v in line] for line in best.theta.tolist()])
    return {
        "loss": loss, "n": n, "d": d, "rounds": rounds, **{f"{k}_s": median(v) for k, v in seconds.items()},
        "relative": found.relative, "own_relative": own.relative, "bytes": len(text), "peak_gib": peak,
        "optimum_status": status,
    }  # fmt: skip


def run(out: str, rounds: int | None) -> dict[str, Any]:
    """Each case in a process of its own, so that its memory is its own."""
    results = []
    for loss, n, d in CASES:
        with tempfile.NamedTemporaryFile() as file:
            arguments = ["case", loss, str(n), str(d), str(rounds or ROUNDS[n]), file.name]
            subprocess.run([sys.executable, __file__, *arguments], check=True)
            results.append(json.loads(Path(file.name).read_text(encoding="utf-8")))
    found = {
        "date": datetime.now(UTC).date().isoformat(), "cpus": os.cpu_count(), "python": platform.python_version(),
        "numpy": np.__version__, "load": os.getloadavg()[0], "results": results,
    }  # fmt: skip
    Path(out).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def table(found: dict[str, Any]) -> str:
    """The table of a run, with how it was measured."""
    lines = [
        "| loss | n × d | `LinearSVC.fit` s | gap s | check s | its gap | the search's own gap | certificate | peak "
        "| `svm solve` s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['loss']} | {r['n']:,} × {r['d']} | {r['fit_s']:.2f} | {r['gap_s']:.2f} | {r['check_s']:.2f} "
        f"| {r['relative']:.1e} | {r['own_relative']:.1e} | {r['bytes']:,} bytes | {r['peak_gib']:.2f} GiB "
        f"| {r['optimum_s']:.2f}, {r['optimum_status']} |"
        for r in found["results"]
    ]
    lines += [
        "",
        f"Measured {found['date']} on {found['cpus']} cores, beside other jobs (load {found['load']:.1f}): medians of "
        f"{', '.join(str(r['rounds']) for r in found['results'])} interleaved rounds; NumPy {found['numpy']}.",
        "The peak is that of the process with the data, scikit-learn and its fit; last is the certified optimum.",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """`run OUT.json [--rounds N]` or `table RUN.json PAGE.md`."""
    match arguments:
        case ["case", loss, n, d, rounds, out]:
            Path(out).write_text(json.dumps(measured(loss, int(n), int(d), int(rounds))), encoding="utf-8")
        case ["run", out]:
            run(out, None)
        case ["run", out, "--rounds", rounds]:
            run(out, int(rounds))
        case ["table", path, page]:
            text = Path(page).read_text(encoding="utf-8")
            before, _, rest = text.partition(BEGIN)
            _, end, after = rest.partition(END)
            if not end:
                print(f"{page}: the lines {BEGIN!r} and {END!r} are not there", file=sys.stderr)
                return USAGE
            made = table(json.loads(Path(path).read_text(encoding="utf-8")))
            Path(page).write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")
        case _:
            print(__doc__, file=sys.stderr)
            return USAGE
    return GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
