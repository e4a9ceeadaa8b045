"""Are the references, or their fast siblings, at least as fast as what the frameworks offer? By the paired gate.

    python studies/fast_table.py --out bench/results/fast_references.jsonl

Ours against theirs at the same dtype, threads, phase and reduction, on the same arrays: float32, mean, one thread,
N = 1e6 for losses of one score and 1e5 × 64 for those of several. A row where we lose says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec
from here import sides

from hingeproof.bench.gate.paired import Gate, Limits, Pairing, Samples
from hingeproof.bench.timing import surroundings
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.frameworks.implementation import Implementation
from hingeproof.runs.parts import lines
from hingeproof.runs.timings import TimingCase

# (ours, theirs); eager for PyTorch and NumPy, jit for JAX
PAIRS = (
    ("numpy.hinge", "sklearn.metrics.hinge_loss"),
    ("jax.hinge", "optax.losses.hinge_loss"),
    ("jax.fast.hinge", "optax.losses.hinge_loss"),
    ("jax.perceptron", "optax.losses.perceptron_loss"),
    ("jax.fast.perceptron", "optax.losses.perceptron_loss"),
    ("jax.crammer_singer", "optax.losses.multiclass_hinge_loss"),
    ("jax.fast.crammer_singer", "optax.losses.multiclass_hinge_loss"),
    ("jax.multiclass_perceptron", "optax.losses.multiclass_perceptron_loss"),
    ("jax.fast.multiclass_perceptron", "optax.losses.multiclass_perceptron_loss"),
    ("jax.triplet_margin", "optax.losses.triplet_margin_loss"),
    ("jax.fast.triplet_margin", "optax.losses.triplet_margin_loss"),
    *(
        (f"torch.{ours}", f"spelled.{s}")
        for ours in ("hinge", "fast.hinge")
        for s in ("clamp", "relu", "maximum", "where")
    ),
    *(
        (f"torch.{ours}", f"torch.nn.{theirs}")
        for theirs, loss in (
            ("HingeEmbeddingLoss", "hinge_embedding"),
            ("MarginRankingLoss", "margin_ranking"),
            ("MultiMarginLoss", "multi_margin"),
            ("TripletMarginLoss", "triplet_margin"),
            ("TripletMarginWithDistanceLoss", "triplet_margin"),
            ("CosineEmbeddingLoss", "cosine_embedding"),
            ("MultiLabelMarginLoss", "multilabel_margin"),
        )
        for ours in (loss, f"fast.{loss}")
    ),
)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Ours over theirs: `low` and `high` are the 99 % interval of the ratio of times; below 1 we are faster."""

    ours: str
    theirs: str
    phase: str
    n: int
    k: int
    mode: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    ours_seconds: float | None = None
    theirs_seconds: float | None = None
    blocks: int = 0
    decision: str = ""  # the gate's: theirs is the base
    floor: float | None = None  # how far theirs is apart from itself
    reason: str = ""
    load: str = ""

    @property
    def name(self) -> tuple[str, str, str]:
        return self.ours, self.theirs, self.phase


def implementation(name: str) -> Implementation:
    if not name.startswith("spelled."):
        return IMPLEMENTATIONS[name]
    target = f"spellings:{name.removeprefix('spelled.')}"
    return Implementation(name=name, framework="torch", loss="hinge", target=target, reductions=("mean",), user=True)


def subject(ours: str, theirs: str, phase: str) -> Pairing:
    """Theirs is the base, ours the head."""
    a, b = implementation(ours), implementation(theirs)
    wide = a.family.margins.row == "vector"
    case = TimingCase(
        implementation=f"{ours} / {theirs}", loss=a.loss, framework=a.framework, dtype="float32",
        n=10**5 if wide else 10**6, k=64 if wide else 1, phase=phase, mode="jit" if a.framework == "jax" else "eager",
        device="cpu",
    )  # fmt: skip
    return Pairing(case, b, a)


def compare(framework: str, done: set[tuple[str, str, str]]) -> list[Comparison]:
    """The rows of a framework that are missing, measured now: all of them in each set of processes."""
    names = [
        (ours, theirs, phase)
        for ours, theirs in PAIRS
        for phase in ("forward", "both")
        if ours.startswith(f"{framework}.") and (framework, phase) != ("numpy", "both")
    ]
    subjects = {name: subject(*name) for name in names if name not in done}
    large = {name: s.too_large(surroundings.memory()) for name, s in subjects.items()}
    # optax.losses.multiclass_hinge_loss answers NaN where a class is masked with −∞: judged on finite scores here
    gate = Gate(*sides("impl:theirs", "impl:ours"), Limits(most_pairs=Limits().pairs), without=("masked", "not_finite"))
    found = gate.stage([s for name, s in subjects.items() if not large[name]], _say)
    load = surroundings.volatile()["load"].split()[0]
    return [_row(gate, name, s, large[name], found.get(s.case.id), load) for name, s in subjects.items()]


def _say(s: Pairing, samples: Samples) -> None:
    print(f"{len(samples.pairs)} {s.case.phase} {s.case.implementation} {samples.invalid}", file=sys.stderr, flush=True)


def _row(
    gate: Gate, name: tuple[str, str, str], s: Pairing, large: str, samples: Samples | None, load: str
) -> Comparison:
    ours, theirs, phase = name
    bare = Comparison(ours=ours, theirs=theirs, phase=phase, n=s.case.n, k=s.case.k, mode=s.case.mode, load=load)
    if samples is None or samples.invalid:
        reason = f"not run: {large}" if samples is None else f"invalid: {samples.invalid}"
        return msgspec.structs.replace(bare, reason=reason)
    found = gate.judged(samples)
    middle = {lane: median(x for p in samples.pairs for x in p[lane]) for lane in ("base", "head")}
    return msgspec.structs.replace(
        bare, ratio=1 + found.effect, low=1 + found.low, high=1 + found.high, ours_seconds=middle["head"],
        theirs_seconds=middle["base"], blocks=samples.count, decision=found.decision, floor=found.floor,
    )  # fmt: skip


SAYS = {
    "improvement": "faster", "equivalent": "as fast", "regression": "we lose", "inconclusive": "no difference shown",
}  # fmt: skip


def table(rows: Sequence[Comparison]) -> str:
    """Markdown. "we lose" is the gate's regression: the whole interval is above 2 % and above the noise floor."""
    out = [
        "| ours | theirs | phase | ours/theirs (99 % interval) | ours | theirs | |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        if r.ratio is None or r.low is None or r.high is None or not r.ours_seconds or not r.theirs_seconds:
            out.append(f"| `{r.ours}` | `{r.theirs}` | {r.phase} | {r.reason} | | | not measured |")
            continue
        times = f"{1e3 * r.ours_seconds:.3g} ms | {1e3 * r.theirs_seconds:.3g} ms"
        interval = f"{r.ratio:.2f} ({r.low:.2f}–{r.high:.2f})"
        out.append(f"| `{r.ours}` | `{r.theirs}` | {r.phase} | {interval} | {times} | {SAYS[r.decision]} |")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON Lines, a row a line; rows there are kept")
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    done = {r.name for r in lines(given.out, Comparison)}
    for framework in () if given.table else ("numpy", "jax", "torch"):
        with given.out.open("ab") as file:
            for row in compare(framework, done):
                file.write(msgspec.json.encode(row) + b"\n")
    print(table(list(lines(given.out, Comparison))))


if __name__ == "__main__":
    main()
