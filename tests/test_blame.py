"""Whose exception it is: by the function that raised it, not by that function's name."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hingeproof.evidence.points import points
from hingeproof.frameworks.binding import asked, bind
from hingeproof.judge.engine import run_pass
from hingeproof.properties.blame import boundary, ours
from hingeproof.run.conformance import checks_of, made
from hingeproof.runs.records import Plan, Record


def own(source: str) -> ModuleType:
    """A module of hingeproof's own, with this source."""
    module = ModuleType("hingeproof.judge.made_for_a_test")
    module.__dict__["boundary"] = boundary
    exec(source, module.__dict__)
    return module


def raised(f: Any, *arguments: Any) -> BaseException:
    with pytest.raises(TypeError) as caught:
        f(*arguments)
    return caught.value


def test_a_bug_of_ours_is_ours_whatever_the_function_is_called() -> None:
    for name in ("call", "asked", "bind", "anything"):
        assert ours(raised(getattr(own(f"def {name}(): return 1 + 'x'"), name)))


def test_what_a_boundary_cannot_call_is_theirs_whatever_it_is_called() -> None:
    f = own("@boundary\ndef anything(f): return f(1)").anything
    assert not ours(raised(f, lambda: None))
    assert not ours(raised(asked, lambda: None, 1))


def test_a_callable_that_refuses_its_arguments_is_to_blame() -> None:
    implementation = replace(made("hinge", hinge, framework="numpy"), subject=lambda: None)
    call = bind(implementation, next(points("hinge", "float32", {})), "none")
    assert not ours(raised(call, [np.ones(1)], None, None, None))


def hinge(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    d = np.maximum(1 - scores * targets, 0).astype(scores.dtype)
    return {"none": d, "sum": d.sum(), "mean": d.mean()}[reduction]


def judged(*laws: str, **given: Any) -> list[Record]:
    implementation = made("hinge", framework="numpy", **given)
    plan = Plan(dtypes=("float32",), modes=("eager",), laws=laws, profile="quick")
    ((checks),) = checks_of(implementation, plan).values()
    return list(run_pass(checks, plan, lambda tried: None, implementation))


def test_a_gradient_that_refuses_its_arguments_is_a_finding() -> None:
    records = judged("answers", "gradient", f=hinge, grad=lambda scores, targets: scores)
    (answers,) = [r for r in records if r.law == "answers"]
    assert answers.verdict == "fail"
    assert answers.witness is not None
    assert (answers.witness.kind, answers.witness.error) == ("raised", "TypeError")
    assert "cotangent" in answers.witness.observed


@pytest.mark.parametrize(
    ("gradient", "kind"),
    [
        (np.float32(1), "shape"), (np.ones(3), "shape"), ("x", "shape"), (None, "shape"), ((1, 2), "shape"),
        ([[1], [1, 2]], "raised"),
    ],
)  # fmt: skip
def test_a_gradient_that_is_none_is_a_finding(gradient: Any, kind: str) -> None:
    records = judged("answers", "gradient", f=hinge, grad=lambda scores, targets, **more: gradient)
    (answers,) = [r for r in records if r.law == "answers"]
    assert answers.verdict == "fail"
    assert answers.witness is not None
    assert answers.witness.kind == kind


def test_an_answer_that_is_no_array_is_a_finding() -> None:
    (record,) = judged("answers", f=lambda scores, targets, reduction="mean": [[1], [1, 2]])
    assert record.verdict == "fail"
    assert record.witness is not None
    assert (record.witness.kind, record.witness.error) == ("raised", "ValueError")


class Margin:
    """A module whose constructor turns down what it is constructed with."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        self.margin, self.reduction = margin.hex, reduction  # type: ignore[attr-defined]
        self._refuse()  # type: ignore[call-arg]

    def _refuse(self, why: str) -> None: ...

    def __call__(self, scores: Any, targets: Any) -> Any:
        return hinge(scores, targets, self.reduction)


def test_a_constructor_that_refuses_is_a_finding() -> None:
    (record,) = judged("answers", f=Margin)
    assert record.verdict == "fail"
    assert record.witness is not None
    assert record.witness.error == "TypeError"
