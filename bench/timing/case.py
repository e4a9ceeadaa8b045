"""The table of cases: implementation × dtype × N × K × phase × mode × fraction inside × layout × cache. Data only."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hingeproof.bench.timing.data import always_costly, domain_of
from hingeproof.bench.timing.work import peak_bytes
from hingeproof.errors import UsageError
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import COMPILED, FRAMEWORKS
from hingeproof.plan.checks import implementations, missing_packages
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Plan
from hingeproof.runs.timings import BenchPlan, TimingCase

PHASES = ("forward", "backward", "both", "compile")
CACHES = ("warm", "cold")
LAYOUTS = ("contiguous", "strided", "transposed")
MODES = {f.name: f.timed for f in FRAMEWORKS.values()}
LARGEST = 10**8  # N·K


@dataclass(frozen=True)
class Profile:
    """sizes: (N, K) of losses of one score; wide: of losses of K scores; modes: all, or these."""

    dtypes: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    wide: tuple[tuple[int, int], ...]
    phases: tuple[str, ...]
    inside: tuple[float, ...]
    layouts: tuple[str, ...]
    caches: tuple[str, ...]
    modes: tuple[str, ...] = ("eager", "compiled")


_DECADES = tuple(10**e for e in range(3, 9))
PROFILES = {
    "quick": Profile(
        ("float32",), ((10**4, 1),), ((10**3, 10),), ("forward", "both"), (0.5,), ("contiguous",), ("warm",),
        ("eager", "jit", "compile"),  # inductor compiles for about 10 s a case
    ),
    "ci": Profile(
        ("float32",), ((10**3, 1), (10**6, 1)), ((10**3, 10), (10**5, 10)), ("forward", "both"), (0.0, 0.5),
        ("contiguous",), ("warm", "cold"),
    ),
    "full": Profile(
        ("float16", "bfloat16", "float32", "float64"), tuple((n, 1) for n in _DECADES),
        tuple((n, k) for n in _DECADES for k in (2, 10, 64, 1000) if n * k <= LARGEST), PHASES, (0.0, 0.1, 0.5, 1.0),
        LAYOUTS, CACHES,
    ),
    # the table of the fast references; on a GPU the same command with --device cuda
    "device": Profile(
        ("float32",), ((10**6, 1), (2**24, 1)), ((10**5, 64),), ("forward", "both"), (0.5,), ("contiguous",), ("warm",)
    ),
}  # fmt: skip


def chosen(plan: BenchPlan) -> dict[str, Implementation]:
    """The implementations whose framework is installed. A live callable, without a name to load it by, is not timed."""
    found = implementations(
        Plan(patterns=plan.patterns, losses=plan.losses, frameworks=plan.frameworks, users=plan.users)
    )
    return {name: i for name, i in found.items() if i.subject is None and not missing_packages(i)}


Place = tuple[str, tuple[tuple[str, str], ...]]


def places(plan: BenchPlan) -> list[Place]:
    """The kinds of process that the plan needs: a framework, and the variables that are set from its start."""
    found = {(i.framework, tuple(sorted(i.environment.items()))) for i in chosen(plan).values()}
    return sorted(found, key=lambda p: (list(MODES).index(p[0]), p[1]))


def threads_of(framework: str, plan: BenchPlan) -> int:
    """How many threads its processes have: those of the plan, but where it computes in one anyway."""
    return 1 if FRAMEWORKS[framework].serial else plan.threads


def unset(i: Implementation, environment: Mapping[str, str]) -> str:
    """The variables that an implementation needs from the start of its process and that are not there, or nothing."""
    return " ".join(f"{name}={value}" for name, value in i.environment.items() if environment.get(name) != value)


def parse_size(text: str) -> tuple[int, int | None]:
    """`1e6` or `1e5x64` (N×K). Raises: UsageError."""
    parts = text.lower().replace("×", "x").split("x")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise UsageError(f"--size {text!r}: give N or NxK, as in 1e6 or 1e5x64")
    if not all(x >= 1 and x.is_integer() for x in numbers):
        raise UsageError(f"--size {text!r}: N and K are whole numbers of at least 1")
    return int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else None


def cases(plan: BenchPlan) -> list[TimingCase]:
    """Every case of the plan, in the order of implementation, size and phase."""
    return [case for i in chosen(plan).values() for case in _of(plan, i)]


def _of(plan: BenchPlan, implementation: Implementation) -> Iterator[TimingCase]:
    profile, loss = PROFILES[plan.profile], LOSSES[implementation.loss]
    wanted, caches = plan.modes or profile.modes, plan.caches or profile.caches
    modes = [m for m in MODES[implementation.framework] if m in wanted or _alias(m) in wanted]
    # where every score that the documentation speaks of costs something, there is no other fraction
    fractions = (1.0,) if always_costly(loss, domain_of(implementation)) else plan.inside or profile.inside
    axes = itertools.product(
        _dtypes(plan, implementation), _sizes(plan, loss), plan.devices, modes, plan.phases or profile.phases,
        fractions, plan.layouts or profile.layouts, caches,
    )  # fmt: skip
    for dtype, (n, k), device, mode, phase, inside, layout, cache in axes:
        case = TimingCase(
            implementation=implementation.name, loss=loss.name, framework=implementation.framework, dtype=dtype, n=n,
            k=k, phase=phase, mode=mode, device=device, inside=inside, layout=layout, cache=cache,
            threads=threads_of(implementation.framework, plan),
        )  # fmt: skip
        if _exists(case, implementation, first=cache == caches[0]):
            yield case


def _sizes(plan: BenchPlan, loss: Loss) -> list[tuple[int, int]]:
    profile, vector = PROFILES[plan.profile], loss.margins.row == "vector"
    if not plan.sizes:
        return list(dict.fromkeys(profile.wide if vector else profile.sizes))
    given = [parse_size(s) for s in plan.sizes]
    return list(dict.fromkeys((n, (k or 10) if vector else 1) for n, k in given if vector or k in (None, 1)))


def _dtypes(plan: BenchPlan, implementation: Implementation) -> list[str]:
    found = [d for d in plan.dtypes or PROFILES[plan.profile].dtypes if d in implementation.dtypes]
    return found if found or plan.dtypes else list(implementation.dtypes)  # one that is made for float64 alone, say


def _alias(mode: str) -> str:
    return "compiled" if mode in COMPILED else mode


def _exists(case: TimingCase, implementation: Implementation, *, first: bool) -> bool:
    """Is there such a case? Not a row that says no, but no row: the combination has no meaning."""
    vector = LOSSES[case.loss].margins.row == "vector"
    if case.phase == "compile" and (case.mode not in COMPILED or not first):
        return False  # nothing is compiled, or it is the same compilation whatever the caches hold
    if case.phase in ("backward", "both") and not implementation.differentiable:
        return False
    framework = FRAMEWORKS[case.framework]
    if case.phase == "compile" and not framework.recompiles:
        return False  # only the first compilation in a process could be timed
    if case.layout != "contiguous" and not framework.keeps_strides:
        return False  # it copies what it is given into an array of its own
    if case.layout == "transposed" and not vector:
        return False
    return not (implementation.modes is not None and case.mode not in implementation.modes)


def too_large(case: TimingCase, memory: int, by: Implementation | None = None) -> str:
    """Why the case is not run on a machine (or device) with so many bytes, or nothing. by: whose it is."""
    if case.n * case.k > LARGEST:
        return f"memory: N·K = {case.n * case.k:.3g} is above {LARGEST:.0e}"
    peak = peak_bytes(case.loss, case.dtype, case.framework, case.n, case.k, case.phase, case.mode, by)
    if peak > memory / 2:
        return f"memory: about {peak / 2**30:.1f} GiB at the peak, more than half of {memory / 2**30:.1f} GiB"
    return ""
