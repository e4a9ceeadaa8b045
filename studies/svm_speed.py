"""The table of what proving an SVM optimum adds to finding it, from one run of studies/test_svm_speed.py.

tox -e bench -- --benchmark-json speed.json studies/test_svm_speed.py
python studies/svm_speed.py speed.json > bench/results/svm-speed.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hingeproof.errors import GOOD, USAGE

MADE_BY = "tox -e bench -- --benchmark-json speed.json studies/test_svm_speed.py"
SMALL, LARGEST = "many_small_problems", "the_largest_sparse_problem_ends_in_time[30]"


def markdown(run: dict[str, Any]) -> str:
    """The page of a run, as pytest-benchmark wrote it. Raises: KeyError where something that it needs is missing."""
    seen = {b["name"].removeprefix("test_"): b["extra_info"] for b in run["benchmarks"]}
    lines = [
        "# What proving an SVM optimum adds to finding it", "",
        f"Written by `python studies/svm_speed.py speed.json`, the run of {run['datetime'][:10]} on "
        f"{run['machine_info']['cpu']['count']} cores by",
        f"`{MADE_BY}`. Other jobs may have shared the machine: the ratios count, not the seconds.",
        "`certify/solve`: exact arithmetic over CVXPY with Clarabel, same calls; the aim is at most 0.5 for "
        "500 ≤ n ≤ 5,000, d ≤ 20.", "",
        "| problem | solve s | certify s | certify/solve | model/measured solve | status |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {name} | {x['solve_s']:.4f} | {x['certify_s']:.4f} | {x['certify_over_solve']:.2f} "
        f"| {x['predicted_over_measured']:.2f} | {', '.join(x['status'])} |"
        for name, x in seen.items()
        if "solve_s" in x
    ]
    small, largest = seen[SMALL], seen[LARGEST]
    lines += [
        "",
        "200 small problems (n = 50, d = 2), one parametrised CVXPY problem for all: solved and proved in "
        f"{small['proved_over_solved']:.2f} times the bare solve, {small['processor_ms']:.1f} ms of processor time "
        "each (aim: at most 3 times, 5 ms).",
        "",
        "Sparse rows with 5 entries: |E| is about d, so the exact solve of d equations is what costs. "
        "n = 50,000 × d = 10,000 with 0.1 % non-zeros",
        f"under `--time-limit {largest['limit_s']:g}` left a proved interval of relative width "
        f"{largest['relative_width']:.0e}; said in advance:",
        "",
        f"> {largest['ahead']}",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Print the page of the run in a JSON file."""
    if len(arguments) != 1:
        print("usage: python studies/svm_speed.py speed.json", file=sys.stderr)
        return USAGE
    (path,) = arguments
    try:
        page = markdown(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)
        return USAGE
    except (ValueError, KeyError, TypeError) as error:
        print(
            f"{path} is no whole run of studies/test_svm_speed.py ({error}): make one with {MADE_BY}", file=sys.stderr
        )
        return USAGE
    print(page, end="")
    return GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
