"""A user's own callables: which ones were asked for, on the command line or in pyproject.toml, and what they are."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from hingeproof.errors import UsageError, among
from hingeproof.frameworks.process import worker_environment
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.plan.contract_keys import check_loss, parse
from hingeproof.plan.options import OwnCallable, VerifyOptions
from hingeproof.plan.plan import needed
from hingeproof.plan.preflight import Question, preflight
from hingeproof.runs.records import UserImplementation


def users(wanted: VerifyOptions) -> tuple[UserImplementation, ...]:
    """Look at the user's callables in a process of their own. Raises: UsageError."""
    todo = asked(wanted)
    if not todo:
        return ()
    questions = [question(target, what) for target, what in todo.items()]
    return tuple(preflight(questions, worker_environment()))


def asked(wanted: VerifyOptions) -> dict[str, OwnCallable]:
    """Return what was given as `module:attribute`, or is declared and meant, with what is said of it.

    Raises: UsageError.
    """
    given = [p for p in wanted.patterns if ":" in p]
    plain = [p for p in wanted.patterns if ":" not in p]
    declared = wanted.implementations
    for target in (*given, *declared):
        well_named(target)
    meant = [] if wanted.reference else [
        t for t, d in declared.items() if _meant(t, d, wanted, plain, everything=not wanted.patterns)
    ]  # fmt: skip
    out = {t: _asked(t, declared.get(t), wanted) for t in (*given, *meant)}
    if wanted.grad is not None:
        if len(given) != 1:
            raise UsageError("--grad goes with one module:attribute")
        if FRAMEWORKS[among(out[given[0]].framework, FRAMEWORKS, "framework")].autograd:
            raise UsageError("--grad is for NumPy callables: other frameworks differentiate themselves")
    if wanted.contract is not None and not out:
        raise UsageError("--contract is for a callable of your own (module:attribute): the others have theirs")
    return out


def well_named(target: str) -> None:
    module, colon, attribute = target.partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise UsageError(f"{target!r} is not module:attribute, as in mypkg.losses:my_hinge")


def _meant(target: str, declared: OwnCallable, wanted: VerifyOptions, patterns: list[str], *, everything: bool) -> bool:
    named = everything or any(fnmatchcase(target, p) for p in patterns)
    losses, frameworks = wanted.loss or [declared.loss], wanted.framework or [declared.framework]
    return named and declared.loss in losses and declared.framework in frameworks


def _asked(target: str, declared: OwnCallable | None, wanted: VerifyOptions) -> OwnCallable:
    if declared is None:
        if len(wanted.loss) != 1:
            raise UsageError(f"{target}: say which loss it computes, as in --loss hinge (hingeproof list losses)")
        if len(wanted.framework) != 1:
            raise UsageError(f"{target}: say which framework it is written in, as in --framework torch")
        declared = OwnCallable(loss=wanted.loss[0], framework=wanted.framework[0])
    grad = wanted.grad if wanted.grad is not None else declared.grad
    if grad is not None and ":" not in grad:
        raise UsageError(f"--grad {grad!r} is not module:function")
    contract = wanted.contract if wanted.contract is not None else declared.contract
    return msgspec.structs.replace(declared, contract=contract, grad=grad)


def question(target: str, one: OwnCallable) -> Question:
    """Return what the preflight is to find out. Raises: UsageError for a loss, framework or contract that is none."""
    from hingeproof.reference_impls.losses import LOSSES

    loss = LOSSES[among(one.loss, LOSSES, "loss", see="hingeproof list losses")]
    needed(among(one.framework, FRAMEWORKS, "framework"), f"--framework {one.framework}")
    strict, keys = parse(one.contract)
    check_loss(keys, loss)
    return Question(
        target=target,
        loss=one.loss,
        framework=one.framework,
        grad=one.grad,
        strict=strict,
        contract=keys,
    )
