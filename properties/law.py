"""What a law is, and the table of all laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hingeproof.properties.case import Case
from hingeproof.properties.judgement import Judgement
from hingeproof.reference_impls.definition import Loss

VALUE_MODES = (
    "eager", "jit", "compile", "inductor", "vmap", "func_grad", "checkpoint", "autocast", "threads", "remat", "x64",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Law:
    """A property that mathematics demands (`law`) or that a contract alone demands (`promise`).

    applies: which losses, from derived facts. needs: what the implementation must offer (`gradient`, `weight`, …).
    foci: the strata that this law is looked for on; each must be hit (`thin` otherwise); empty: all.
    dtypes: those that it speaks of; empty: all.
    every: judged on one example, it lets n − 1 pass, because it pays for calls of its own. once: it draws its own input.
    """

    name: str
    group: str
    statement: str
    formula: str
    why: str
    breaks: str
    source: str
    judge: Callable[[Case], Judgement]
    kind: Literal["law", "promise"] = "law"
    applies: Callable[[Loss], bool] = lambda loss: True
    needs: tuple[str, ...] = ()
    modes: tuple[str, ...] = VALUE_MODES
    dtypes: tuple[str, ...] = ()
    foci: tuple[str, ...] = ()
    every: int = 1
    once: bool = False


LAWS: dict[str, Law] = {}


def law(**fields: object) -> Callable[[Callable[[Case], Judgement]], Callable[[Case], Judgement]]:
    """Enter a judge into the table; its name without the leading `judge_` is the law's, its docstring the statement."""

    def enter(judge: Callable[[Case], Judgement]) -> Callable[[Case], Judgement]:
        name = judge.__name__
        assert judge.__doc__
        assert name not in LAWS
        statement = " ".join(judge.__doc__.split())
        LAWS[name] = Law(name=name, statement=statement, judge=judge, **fields)  # type: ignore[arg-type]
        return judge

    return enter
