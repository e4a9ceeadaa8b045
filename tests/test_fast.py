"""The fast siblings: verified like a stranger's code, and refusing what they do not do."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
import torch

from hingeproof.contracts import fast
from hingeproof.judge.engine import run_pass
from hingeproof.plan.checks import build
from hingeproof.reference_impls.in_jax import fast as in_jax
from hingeproof.reference_impls.in_torch import _fused
from hingeproof.reference_impls.in_torch import fast as in_torch
from hingeproof.runs.records import Plan


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


SHAPES = {  # valid shapes of the scores, and of the targets
    "hinge": ([(40,)], (40,)), "margin_ranking": ([(40,)] * 2, (40,)), "hinge_embedding": ([(40,)], (40,)),
    "multi_margin": ([(40, 3)], (40,)), "multilabel_margin": ([(40, 3)], (40, 3)),
    "triplet_margin": ([(40, 3)] * 3, None), "cosine_embedding": ([(40, 3)] * 2, (40,)),
}  # fmt: skip


def drawn(loss: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Scores that want gradients, and targets."""
    torch.manual_seed(1)
    shapes, labels = SHAPES[loss]
    scores = [torch.randn(shape, requires_grad=True) for shape in shapes]
    if labels is None:
        return scores, []
    if loss == "multilabel_margin":
        return scores, [torch.tensor([[0, 2, -1], [1, -1, 0], [-1, 0, 1], [2, 1, 0]]).repeat(10, 1)]
    if loss == "multi_margin":
        return scores, [torch.randint(3, labels)]
    return scores, [torch.randint(2, labels) * 2.0 - 1]


def everything(loss: str, reduction: str) -> list[torch.Tensor]:
    """The value, and the gradients for a cotangent that is not 1."""
    scores, targets = drawn(loss)
    value = getattr(in_torch, loss)(*scores, *targets, reduction=reduction)
    return [
        value.detach(),
        *torch.autograd.grad(value, scores, torch.linspace(-1, 3, value.numel()).reshape(value.shape)),
    ]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("loss", SHAPES)
def test_parts_are_the_whole(loss: str, reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = everything(loss, reduction)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(_fused, "PART", 21)  # 21 samples, or 7 of 3 scores: the last part is shorter
    for a, b in zip(everything(loss, reduction), whole, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("loss", SHAPES)
def test_a_retained_graph_gives_the_gradient_again(loss: str) -> None:
    scores, targets = drawn(loss)
    value = getattr(in_torch, loss)(*scores, *targets)
    first = torch.autograd.grad(value, scores, retain_graph=True)
    kept = [g.clone() for g in first]
    for g in first:
        g.mul_(7)  # it belongs to whom it was given
    for g, was in zip(torch.autograd.grad(value, scores), kept, strict=True):
        assert torch.equal(g, was)


@pytest.mark.parametrize("loss", SHAPES)
def test_torch_refuses_other_dtypes_shapes_and_reductions(loss: str) -> None:
    function, (scores, targets) = getattr(in_torch, loss), drawn(loss)
    with pytest.raises(ValueError, match="or use the reference"):
        function(*[s.half() for s in scores], *targets)
    with pytest.raises(ValueError, match="or use the reference"):
        function(*[s[None] for s in scores], *targets)
    with pytest.raises(ValueError, match="reduction='max' is unknown"):
        function(*scores, *targets, reduction="max")
    if targets:
        with pytest.raises(ValueError, match="or use the reference"):
            function(*scores, targets[0].int())


@pytest.mark.parametrize("loss", ["hinge", "perceptron", "crammer_singer", "multiclass_perceptron"])
def test_jax_refuses_other_shapes_and_reductions(loss: str) -> None:
    function = getattr(in_jax, loss)
    scores = jnp.ones((3, 2))
    with pytest.raises(ValueError, match="but targets have shape"):
        function(scores, jnp.zeros(2, int))
    with pytest.raises(ValueError, match="reduction='max' is unknown"):
        function(scores, scores if loss in ("hinge", "perceptron") else jnp.zeros(3, int), reduction="max")


def test_a_second_derivative_is_refused_not_wrong() -> None:
    s = torch.zeros(3, requires_grad=True)
    (g,) = torch.autograd.grad(in_torch.hinge(s, torch.ones(3)), s, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        g.sum().backward()


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")  # inductor's own, as it is imported
@pytest.mark.parametrize(
    "loss", ["hinge", *(pytest.param(n, marks=pytest.mark.nightly) for n in SHAPES if n != "hinge")]
)
def test_compiled_as_on_a_gpu_it_is_the_same(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    eager = [everything(loss, reduction) for reduction in ("mean", "none")]
    monkeypatch.setattr(_fused, "compiles", lambda kernel, x: not hasattr(kernel, "loops"))
    for a, b in zip([everything(loss, reduction) for reduction in ("mean", "none")], eager, strict=True):
        torch.testing.assert_close(a, b)
