"""How often the gate cries wolf, and how often it sees a slow-down, beside what people use instead.

    python studies/gate_power.py --out bench/results/gate_power.jsonl

Identical code (A/A) and planted slow-downs of 3, 5 and 10 % (planted.py), each trial judged three ways: by the paired
gate as `hingeproof bench gate` runs it, by pytest-benchmark's own `--benchmark-compare-fail` on one run before and one
after, and by Mann–Whitney's test on the rounds of those two runs. A trial is a line; the file is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from here import path, sides

from hingeproof.bench.gate.paired import Gate, Limits, Pairing, decide
from hingeproof.bench.gate.statistics import clopper_pearson
from hingeproof.bench.timing import surroundings
from hingeproof.frameworks.implementation import Implementation
from hingeproof.runs.parts import lines
from hingeproof.runs.timings import TimingCase

N = 100_000
LEVEL = 0.01  # of Mann–Whitney's test, one-sided
# trials by planted percent: 370 without a false alarm put the rate under 1 %, 75 of 75 put the power over 95 %
WISHED = {0: 370, 5: 75, 10: 30, 3: 30}
COMPARED = {0: 60, 5: 30, 10: 30, 3: 30}  # how many of them the other tools judge too
TOOLS = ("paired gate", "compare-fail median:5%", "compare-fail mean:5%", "Mann–Whitney")
_TEST = """
import os
import numpy as np
import planted

f = getattr(planted, os.environ["PLANTED"])
random = np.random.default_rng(0)
s = random.standard_normal({n}, dtype=np.float32)
y = np.where(random.random({n}) < 0.5, np.float32(-1), np.float32(1))


def test_hinge(benchmark):
    benchmark(f, s, y)
"""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A trial: what was planted (percent), and who called it a regression."""

    planted: int
    gate: str  # the verdict
    effect: float | None
    low: float | None
    floor: float | None
    pairs: int
    gate_seconds: float
    compare_median: bool | None = None  # None: the gate alone was tried
    compare_mean: bool | None = None
    mann_whitney: bool | None = None
    before: float | None = None
    after: float | None = None
    load: str
    environment: str


def implementation(percent: int) -> Implementation:
    target = f"planted:slower_{percent}"
    return Implementation(
        name=target, framework="numpy", loss="hinge", target=target, keywords={"reduction": "reduction"}, user=True
    )


def by_gate(percent: int, seed: int) -> tuple[str, float | None, float | None, float | None, int, float]:
    """The paired gate's verdict on a planted slow-down."""
    case = TimingCase(
        implementation="planted", loss="hinge", framework="numpy", dtype="float32", n=N, k=1,
        phase="forward", mode="eager", device="cpu",
    )  # fmt: skip
    both = sides("impl:planted:slower_0", f"impl:planted:slower_{percent}")
    began = time.monotonic()
    (verdict,) = decide(Gate(*both, Limits(), seed=seed), [Pairing(case, implementation(0), implementation(percent))])
    j = verdict.judged
    took = time.monotonic() - began
    if j is None:
        return verdict.verdict, None, None, None, verdict.pairs, took
    return verdict.verdict, j.effect, j.low, j.floor, verdict.pairs, took


def by_pytest_benchmark(percent: int) -> tuple[bool, bool, bool, float, float]:
    """`--benchmark-compare-fail` by median (the tool itself) and mean (its rule), and Mann–Whitney on the rounds."""
    from scipy.stats import mannwhitneyu

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_planted.py").write_text(_TEST.format(n=N))
        codes = []
        for name, extra in (("0", ()), (str(percent), ("--benchmark-compare", "--benchmark-compare-fail=median:5%"))):
            command = [
                *(sys.executable, "-m", "pytest", "-q", "-p", "pytest_benchmark.plugin", "-pno:cacheprovider"),
                *("--rootdir", folder, "-c", os.devnull, "--benchmark-storage", f"file://{folder}/saved"),
                *("--benchmark-save-data", "--benchmark-autosave", *extra, "test_planted.py"),
            ]  # fmt: skip
            planted = {"PLANTED": f"slower_{name}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            environment = os.environ | path(os.environ) | planted
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0 and "has regressed" not in done.stdout + done.stderr:
                raise RuntimeError(f"pytest-benchmark ended with {done.returncode}: {done.stdout[-500:]}")
            codes.append(done.returncode)
        before, after = (
            json.loads(path.read_text())["benchmarks"][0]["stats"]["data"]
            for path in sorted(Path(folder, "saved").rglob("*.json"))
        )
    slower = statistics.median(after) > statistics.median(before)
    whitney = slower and mannwhitneyu(after, before, alternative="greater").pvalue < LEVEL
    mean = statistics.fmean(after) > 1.05 * statistics.fmean(before)
    return codes[1] != 0, mean, bool(whitney), statistics.median(before), statistics.median(after)


def attempt(percent: int, seed: int, *, compared: bool) -> Attempt:
    verdict, effect, low, floor, pairs, took = by_gate(percent, seed)
    median, mean, whitney, before, after = by_pytest_benchmark(percent) if compared else (None,) * 5
    return Attempt(
        planted=percent, gate=verdict, effect=effect, low=low, floor=floor, pairs=pairs, gate_seconds=round(took, 2),
        compare_median=median, compare_mean=mean, mann_whitney=whitney, before=before, after=after,
        load=surroundings.volatile()["load"], environment=surroundings.hashed(surroundings.comparable(1)),
    )  # fmt: skip


def due(done: Sequence[Attempt], wished: dict[int, int]) -> int | None:
    """The percent that lags furthest behind what was wished for; None when all is done."""
    share = {p: sum(t.planted == p for t in done) / n for p, n in wished.items() if n}
    percent = min(share, key=lambda p: share[p])
    return percent if share[percent] < 1 else None


def summary(done: Sequence[Attempt]) -> str:
    """A Markdown table: how often each tool spoke of a regression, with exact 95 % bounds of the runs really made."""
    says: dict[str, Callable[[Attempt], bool | None]] = {
        TOOLS[0]: lambda t: t.gate == "regression", TOOLS[1]: lambda t: t.compare_median,
        TOOLS[2]: lambda t: t.compare_mean, TOOLS[3]: lambda t: t.mann_whitney,
    }  # fmt: skip
    planted = sorted({t.planted for t in done})
    head = "| called a regression | " + " | ".join(f"{p} % planted" if p else "identical code" for p in planted) + " |"
    out = [head, "|---" * (len(planted) + 1) + "|"]
    for tool, said in says.items():
        cells = []
        for p in planted:
            verdicts = [v for t in done if t.planted == p and (v := said(t)) is not None]
            hits = verdicts.count(True)
            low, high = clopper_pearson(hits, len(verdicts))
            cells.append(f"{hits} of {len(verdicts)} ({100 * low:.1f}–{100 * high:.1f} %)")
        out.append(f"| {tool} | " + " | ".join(cells) + " |")
    took = sorted(t.gate_seconds for t in done)
    loads = [float(t.load.split()[0]) for t in done]
    out += [
        "",
        f"{len(done)} trials; in brackets the 95 % Clopper–Pearson bounds. The gate took a median of "
        f"{statistics.median(took):.0f} s a trial, {took[-1]:.0f} s at most; the machine's load was "
        f"{min(loads):.1f} to {max(loads):.1f}.",
    ]
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON Lines, a trial a line; resumed where it exists")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--summary", action="store_true", help="only print the table of what is there")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    while not given.summary and time.monotonic() - began < given.seconds:
        done = list(lines(given.out, Attempt))
        percent = due(done, WISHED)
        if percent is None:
            break
        compared = sum(t.planted == percent and t.mann_whitney is not None for t in done) < COMPARED[percent]
        found = attempt(percent, len(done), compared=compared)
        with given.out.open("ab") as file:
            file.write(msgspec.json.encode(found) + b"\n")
        print(f"{len(done) + 1}: {percent} % planted: {found.gate} in {found.gate_seconds:.0f} s", file=sys.stderr)
    done = list(lines(given.out, Attempt))
    print(summary(done) if done else "no trials yet")


if __name__ == "__main__":
    main()
