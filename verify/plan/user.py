"""A user's own callables: which ones were asked for, on the command line or in pyproject.toml, and what they are."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import NamedTuple

from hingeproof.errors import UsageError, among
from hingeproof.frameworks.environment import FLAGS
from hingeproof.plan.contract_keys import check_loss, parse
from hingeproof.plan.options import Declared, Options, needed
from hingeproof.plan.preflight import Question, preflight
from hingeproof.runs.records import UserImplementation


class Asked(NamedTuple):
    """One callable and what was said of it."""

    target: str
    loss: str
    framework: str
    contract: str
    grad: str | None


def users(wanted: Options) -> tuple[UserImplementation, ...]:
    """Look at the user's callables in a process of their own. Raises: UsageError."""
    todo = asked(wanted)
    if not todo:
        return ()
    return tuple(preflight([question(one) for one in todo], {**os.environ, **FLAGS}))


def asked(wanted: Options) -> list[Asked]:
    """Return what was given as `module:attribute`, or is declared and meant. Raises: UsageError."""
    given = [p for p in wanted.patterns if ":" in p]
    plain = [p for p in wanted.patterns if ":" not in p]
    declared = wanted.implementations
    for target in (*given, *declared):
        well_named(target)
    meant = [] if wanted.reference else [
        t for t, d in declared.items() if _meant(t, d, wanted, plain, everything=not wanted.patterns)
    ]  # fmt: skip
    out = [_asked(t, declared.get(t), wanted) for t in dict.fromkeys([*given, *meant])]
    if wanted.grad is not None:
        if len(given) != 1:
            raise UsageError("--grad goes with one module:attribute")
        if out[0].framework != "numpy":
            raise UsageError("--grad is for NumPy callables: other frameworks differentiate themselves")
    if wanted.contract is not None and not out:
        raise UsageError("--contract is for a callable of your own (module:attribute): the others have theirs")
    return out


def well_named(target: str) -> None:
    module, colon, attribute = target.partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise UsageError(f"{target!r} is not module:attribute, as in mypkg.losses:my_hinge")


def _meant(target: str, declared: Declared, wanted: Options, patterns: list[str], *, everything: bool) -> bool:
    named = everything or any(fnmatchcase(target, p) for p in patterns)
    losses, frameworks = wanted.loss or [declared.loss], wanted.framework or [declared.framework]
    return named and declared.loss in losses and declared.framework in frameworks


def _asked(target: str, declared: Declared | None, wanted: Options) -> Asked:
    if declared is None:
        if len(wanted.loss) != 1:
            raise UsageError(f"{target}: say which loss it computes, as in --loss hinge (hingeproof list losses)")
        if len(wanted.framework) != 1:
            raise UsageError(f"{target}: say which framework it is written in, as in --framework torch")
        declared = Declared(loss=wanted.loss[0], framework=wanted.framework[0])
    grad = wanted.grad if wanted.grad is not None else declared.grad
    if grad is not None and ":" not in grad:
        raise UsageError(f"--grad {grad!r} is not module:function")
    contract = wanted.contract if wanted.contract is not None else declared.contract
    return Asked(target, declared.loss, declared.framework, contract, grad)


def question(one: Asked) -> Question:
    """Return what the preflight is to find out. Raises: UsageError for a loss, framework or contract that is none."""
    from hingeproof.frameworks.implementation import FRAMEWORKS
    from hingeproof.reference_impls.losses import LOSSES

    loss = LOSSES[among(one.loss, LOSSES, "loss", see="hingeproof list losses")]
    needed(among(one.framework, FRAMEWORKS, "framework"), f"--framework {one.framework}")
    strict, keys = parse(one.contract)
    check_loss(keys, loss)
    return Question(
        target=one.target,
        loss=one.loss,
        framework=one.framework,
        grad=one.grad,
        strict=strict,
        contract=keys,
    )
