"""The fast siblings: verified like a stranger's code, and refusing what they do not do."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
import torch

from hingeproof.contracts import fast
from hingeproof.engine import run_pass
from hingeproof.records import Plan
from hingeproof.reference_impls.in_jax import fast as in_jax
from hingeproof.reference_impls.in_torch import fast as in_torch
from hingeproof.table import build


@pytest.mark.parametrize("name", [i.name for i in fast.IMPLEMENTATIONS])
def test_every_law_holds(name: str) -> None:
    plan = Plan(patterns=(name,), profile="quick", dtypes=("float32", "float64"))
    checks = build(plan).checks
    records = []
    for group in {c.pass_id for c in checks}:
        records += run_pass([c for c in checks if c.pass_id == group], plan, lambda given: None)
    assert {r.law for r in records if r.verdict == "pass"} >= {
        "value",
        "gradient",
        "reduction_mean",
        "reduction_gradient",
    }
    assert [(r.law, r.verdict, r.reason) for r in records if r.verdict not in ("pass", "unsupported")] == []


@pytest.mark.parametrize("loss", ["hinge", "margin_ranking", "hinge_embedding"])
def test_torch_refuses_other_dtypes_and_shapes(loss: str) -> None:
    function = getattr(in_torch, loss)
    count = 2 if loss == "margin_ranking" else 1
    y = torch.ones(3)
    with pytest.raises(ValueError, match="or use the reference"):
        function(*[torch.ones(3, dtype=torch.float16)] * count, y)
    with pytest.raises(ValueError, match="or use the reference"):
        function(*[torch.ones(3, 1)] * count, y)
    with pytest.raises(ValueError, match="reduction='max' is unknown"):
        function(*[torch.ones(3)] * count, y, reduction="max")


def test_multi_margin_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"pass \(N, K\) and \(N,\) int64"):
        in_torch.multi_margin(torch.ones(3, 2), torch.ones(3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"pass \(N, K\) and \(N,\) int64"):
        in_torch.multi_margin(torch.ones(3, 2), torch.ones(3, dtype=torch.int32))


@pytest.mark.parametrize("loss", ["hinge", "perceptron", "crammer_singer"])
def test_jax_refuses_other_shapes_and_reductions(loss: str) -> None:
    function = getattr(in_jax, loss)
    scores = jnp.ones((3, 2))
    with pytest.raises(ValueError, match="but targets have shape"):
        function(scores, jnp.zeros(2, int))
    with pytest.raises(ValueError, match="reduction='max' is unknown"):
        function(scores, jnp.zeros(3, int) if loss == "crammer_singer" else scores, reduction="max")


def test_a_second_derivative_is_refused_not_wrong() -> None:
    s = torch.zeros(3, requires_grad=True)
    (g,) = torch.autograd.grad(in_torch.hinge(s, torch.ones(3)), s, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        g.sum().backward()
