"""Which checks a plan asks for: implementation × law × dtype × device × mode. No framework is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import MODES
from hingeproof.plan.contract_keys import applied
from hingeproof.plan.profiles import HALF, LIBRARIES, PROFILES
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.law import Law
from hingeproof.runs.records import Check, Plan, UserImplementation

_SOLVES = all(importlib.util.find_spec(p) is not None for p in ("cvxpy", "scipy"))


@dataclass(frozen=True)
class Checklist:
    """not_applicable: checks left out because the law says nothing about that loss or mode. missing: by framework."""

    checks: tuple[Check, ...]
    not_applicable: int = 0
    missing: dict[str, int] = field(default_factory=dict)


def user_implementation(user: UserImplementation) -> Implementation:
    """A user's callable as an implementation, with what its signature has."""
    made = Implementation(
        name=user.target,
        framework=user.framework,
        loss=user.loss,
        target=user.target,
        style=user.style,
        keywords={n: n for n in user.parameters},
        reductions=user.reductions,
        gradient=user.grad,
        user=True,
    )
    return applied(made, dict(user.contract), strict=user.strict)


def implementations(plan: Plan) -> dict[str, Implementation]:
    """The registered implementations that the plan's patterns name (all, without any), and the user's own."""
    users = {u.target: user_implementation(u) for u in plan.users}
    every = not plan.patterns and not users
    chosen = {n: i for n, i in IMPLEMENTATIONS.items() if every or any(fnmatchcase(n, p) for p in plan.patterns)}
    return {
        name: i
        for name, i in {**chosen, **users}.items()
        if (not plan.losses or i.loss in plan.losses) and (not plan.frameworks or i.framework in plan.frameworks)
    }


def missing_packages(implementation: Implementation) -> list[str]:
    return [p for p in (implementation.framework, *implementation.requires) if importlib.util.find_spec(p) is None]


def lacking(implementation: Implementation, law: Law) -> str | None:
    """What the law needs and the implementation does not offer, in words for the report; None if nothing."""
    lengths = [n for n in (*implementation.family.parameters, *implementation.fixed) if n != "p"]
    offers = {
        "gradient": (implementation.differentiable, "gives no gradient (NumPy: pass one with --grad module:function)"),
        "sum": ("sum" in implementation.reductions, "offers no reduction='sum'"),
        "mean": ("mean" in implementation.reductions, "offers no reduction='mean'"),
        "reduction": ({"sum", "mean"} & set(implementation.reductions), "offers no reduction"),
        "weight": ("weight" in implementation.keywords, "its signature has no `weight`"),
        "class_weight": ("class_weight" in implementation.keywords, "its signature has no `class_weight`"),
        "optimum": (_SOLVES, "cvxpy is not installed, so no optimum is certified (pip install 'hingeproof[svm]')"),
        "margin": ("margin" in implementation.keywords, "its signature has no `margin`"),
        "lengths": (
            all(n in implementation.keywords for n in lengths),
            f"cannot set every length: {', '.join(lengths)}",
        ),
    }
    return next((why for need in law.needs for has, why in (offers[need],) if not has), None)


def _dtypes(plan: Plan, implementation: Implementation) -> list[str]:
    ours = implementation.reference or implementation.user
    wanted = plan.dtypes or (LIBRARIES if plan.profile == "ci" and not ours else PROFILES[plan.profile].dtypes)
    found = [d for d in wanted if d in implementation.dtypes]
    return found if found or plan.dtypes else list(implementation.dtypes)  # one that is made for float64 alone, say


def _modes(plan: Plan, implementation: Implementation, dtype: str) -> list[str]:
    profile = PROFILES[plan.profile]
    ours = implementation.reference or implementation.user
    # a library's compiled and vmapped forms are looked at in one dtype: what they do differently shows in each
    few = dtype in HALF or (
        plan.profile == "ci" and not ours and dtype != "float32" and "float32" in implementation.dtypes
    )
    wanted = plan.modes or (profile.half_modes if few else profile.modes)
    offered = implementation.modes or MODES[implementation.framework]
    return [m for m in offered if m in wanted]


def _laws(plan: Plan) -> list[Law]:
    return [x for x in LAWS.values() if not plan.laws or any(fnmatchcase(x.name, p) or p == x.group for p in plan.laws)]


def says_nothing(law: Law, implementation: Implementation, dtype: str, mode: str) -> bool:
    # under vmap there is one sample a call, so a reduction is not vmapped and would be the eager one again
    reduces = mode == "vmap" and set(law.needs) & {"sum", "mean", "reduction"}
    other = mode not in law.modes or bool(law.dtypes and dtype not in law.dtypes)
    return other or not law.applies(implementation.family) or bool(reduces)


def build(plan: Plan) -> Checklist:
    """All checks of a plan, in the order of their ids, and what was left out."""
    checks: list[Check] = []
    not_applicable = 0
    missing: dict[str, int] = {}
    applies: dict[tuple[str, str, str, str], bool] = {}
    for implementation in implementations(plan).values():
        absent = missing_packages(implementation)
        for law, dtype, device, mode in combinations(plan, implementation):
            key = (law.name, implementation.loss, dtype, mode)
            if key not in applies:
                applies[key] = not says_nothing(law, implementation, dtype, mode)
            if not applies[key]:
                not_applicable += 1
                continue
            check = Check(law.name, implementation.name, implementation.loss, dtype, device, mode)
            if plan.checks and not any(check.id.startswith(c) for c in plan.checks):
                continue
            if absent:
                missing[absent[0]] = missing.get(absent[0], 0) + 1
            else:
                checks.append(check)
    return Checklist(tuple(sorted(checks, key=lambda c: (c.pass_id, c.law))), not_applicable, missing)


def combinations(plan: Plan, implementation: Implementation) -> Iterator[tuple[Law, str, str, str]]:
    laws = _laws(plan)
    for dtype in _dtypes(plan, implementation):
        for device in plan.devices or ("cpu",):
            for mode in _modes(plan, implementation, dtype):
                for law in laws:
                    yield law, dtype, device, mode
