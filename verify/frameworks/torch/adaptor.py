"""PyTorch: eager, torch.compile, vmap, forward mode and double backward."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from hingeproof.frameworks.binding import SubjectBase, arrays, bind, setting
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.training import LBFGS_STEPS, milestones, reduction_of
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.call import LABEL_DTYPES, Output
from hingeproof.properties.svm.optima import RidgeArrays

BACKENDS = {"compile": "aot_eager", "inductor": "inductor"}

torch.set_num_threads(1)


def flushes(mode: str, dtype: str) -> bool:
    return False


def devices() -> tuple[str, ...]:
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


class TorchSubject(SubjectBase):
    gradients = True
    layouts = ("strided", "transposed")
    label_dtypes = tuple(name for name in LABEL_DTYPES if hasattr(torch, name))  # uint16 and uint32 came with 2.3

    def array(self, x: Array) -> torch.Tensor:
        """A NumPy array on the device; strides are kept where PyTorch can hold them."""
        x = np.asarray(x)
        if x.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16).to(self.device)
        return torch.from_numpy(x).to(self.device)

    def back(self, x: torch.Tensor) -> Array:
        if x.dtype == torch.bfloat16:
            return np.asarray(x.float().numpy(force=True)).astype(ml_dtypes.bfloat16)
        return np.asarray(x.numpy(force=True))  # force: autograd's lazy zeros are no array yet

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        inputs, targets, weight, class_weight = self.taken(batch).each(self.array)
        bound = self._call(batch, reduction, class_weight)

        def call(inputs: Any, targets: Any, weight: Any) -> Any:
            return bound(inputs, targets, weight, class_weight)

        if self.mode == "forward":
            return self._forward(call, inputs, targets, weight, batch)
        wants = cotangent is not None
        if self.mode == "func_grad" and wants:
            return self._functional(call, inputs, targets, weight, cotangent)
        upstream = np.ones(()) if cotangent is None else cotangent
        for x in inputs:
            x.requires_grad_(wants)
        with torch.set_grad_enabled(wants), self._surroundings():
            if self.mode == "checkpoint":
                value = checkpoint(lambda *xs: call(list(xs), targets, weight), *inputs, use_reentrant=False)
            else:
                value = call(inputs, targets, weight)
        if not isinstance(value, torch.Tensor):
            return Output(value=np.asarray(value), dtype="")
        judged = wants and value.shape == upstream.shape
        grads = self._gradients(value, inputs, upstream) if judged else None
        curvature = None
        if self.mode == "double_backward" and judged and batch.tangent:
            curvature = self._curvature(call, inputs, targets, weight, upstream, batch)
        return Output(
            value=self.back(value), dtype=str(value.dtype).removeprefix("torch."), gradients=grads, curvature=curvature
        )

    def _call(self, batch: Batch, reduction: str, class_weight: Any) -> Callable[..., Any]:
        if self.mode in BACKENDS:
            key = setting(batch, reduction)
            if key not in self._compiled:
                call = bind(self.implementation, batch, reduction, class_weight)
                self._compiled[key] = torch.compile(call, backend=BACKENDS[self.mode], fullgraph=True, dynamic=False)
            return self._compiled[key]
        call = bind(self.implementation, batch, reduction, class_weight)
        return _per_sample(call) if self.mode == "vmap" and reduction == "none" else call

    def _gradients(self, value: torch.Tensor, inputs: list[torch.Tensor], cotangent: Array) -> tuple[Array, ...]:
        if not value.requires_grad:
            return tuple(np.zeros(tuple(x.shape), self.back(x).dtype) for x in inputs)
        upstream = self.array(cotangent).to(value.dtype)
        grads = torch.autograd.grad(value, inputs, upstream, allow_unused=True)
        return tuple(self.back(torch.zeros_like(x) if g is None else g) for x, g in zip(inputs, grads, strict=True))

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """What stands around the call: automatic mixed precision, or a second thread."""
        if self.mode == "autocast":
            with torch.autocast(self.device, dtype=torch.bfloat16):
                yield
        elif self.mode == "threads":
            torch.set_num_threads(2)
            try:
                yield
            finally:
                torch.set_num_threads(1)
        else:
            yield

    def _functional(self, call: Any, inputs: list[Any], targets: Any, weight: Any, cotangent: Any) -> Output:
        """The gradient by torch.func.vjp, of which torch.func.grad is the case of a scalar."""
        value, pull = torch.func.vjp(lambda *xs: call(list(xs), targets, weight), *inputs)
        grads = None
        if isinstance(value, torch.Tensor) and value.shape == cotangent.shape:
            grads = tuple(self.back(g) for g in pull(self.array(cotangent).to(value.dtype)))
        return Output(value=self.back(value), dtype=str(value.dtype).removeprefix("torch."), gradients=grads)

    def _forward(self, call: Any, inputs: list[Any], targets: Any, weight: Any, batch: Batch) -> Output:
        tangents = tuple(self.array(t) for t in batch.tangent)
        value, slope = torch.func.jvp(lambda *xs: call(xs, targets, weight), tuple(inputs), tangents)
        return Output(value=self.back(value), dtype=str(value.dtype).removeprefix("torch."), slope=self.back(slope))

    def _curvature(
        self, call: Any, inputs: list[Any], targets: Any, weight: Any, cotangent: Any, batch: Batch
    ) -> tuple[Array, ...]:
        """The product of the Hessian of Σ cotangent·loss with the tangent, by backward over backward."""
        value = call(inputs, targets, weight)
        zeros = tuple(np.zeros(tuple(x.shape), self.back(x).dtype) for x in inputs)
        if not value.requires_grad:
            return zeros
        grads = torch.autograd.grad(
            value, inputs, self.array(cotangent).to(value.dtype), create_graph=True, allow_unused=True
        )
        along = sum((g * self.array(t)).sum() for g, t in zip(grads, batch.tangent, strict=True) if g is not None)
        if not isinstance(along, torch.Tensor) or not along.requires_grad:
            return zeros
        second = torch.autograd.grad(along, inputs, allow_unused=True)
        return tuple(z if h is None else self.back(h) for h, z in zip(second, zeros, strict=True))


def _per_sample(call: Callable[..., Any]) -> Callable[..., Any]:
    def mapped(inputs: list[torch.Tensor], targets: Any, weight: Any, class_weight: Any) -> Any:
        def one(row: tuple[torch.Tensor, ...], target: Any, w: Any) -> torch.Tensor:
            single = [x[None] for x in row], None if target is None else target[None], None if w is None else w[None]
            got = call(*single, class_weight)
            return got.reshape(()) if isinstance(got, torch.Tensor) else got

        axes = (0, None if targets is None else 0, None if weight is None else 0)
        return torch.func.vmap(one, in_dims=axes)(tuple(inputs), targets, weight)

    return mapped


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> TorchSubject:
    if mode in BACKENDS:
        # every setting is a compilation of its own: they are dropped from one pass to the next, not counted
        torch._dynamo.reset()
        torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 10_000
    return TorchSubject(implementation, dtype, device, mode)


def cross_entropy(scores: Array) -> list[tuple[float, float]]:
    """Value and size of the slope of the cross-entropy of class 0, row by row."""
    x = torch.tensor(scores.astype(np.float64), requires_grad=True)
    value = torch.nn.functional.cross_entropy(x, torch.zeros(len(x), dtype=torch.int64), reduction="none")
    (grad,) = torch.autograd.grad(value.sum(), x)
    return [(float(v), abs(float(g[0]))) for v, g in zip(value.detach(), grad, strict=True)]


def train(
    implementation: Implementation, batch: Batch, data: RidgeArrays, steps: int, smooth: bool
) -> list[tuple[int, Array]]:
    """θ along a training run: averaged SGD with steps 2/(t + 2), or L-BFGS where the loss is smooth."""
    reduction = reduction_of(implementation)
    call = bind(implementation, batch, reduction)
    given = arrays(implementation, batch)
    targets = None if given.targets is None else torch.from_numpy(given.targets)
    features, base, ridge = (torch.from_numpy(x) for x in (data.features, data.base, data.ridge))

    class Linear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.theta = torch.nn.Parameter(torch.zeros(len(ridge), dtype=torch.float64))

        def forward(self) -> Any:
            scores = torch.tensor_split(base + features @ self.theta, data.inputs, dim=1)
            loss = call([s if data.vector else s[:, 0] for s in scores], targets, None, None)
            total = loss.sum() * (batch.size if reduction == "mean" else 1)
            return data.C * total + (ridge * self.theta**2).sum() / 2

    model = Linear()
    path: list[tuple[int, Array]] = []
    marks = milestones(steps)
    if smooth:
        lbfgs = torch.optim.LBFGS(
            model.parameters(),
            max_iter=1,
            tolerance_grad=0,
            tolerance_change=0,
            max_eval=25,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Any:
            lbfgs.zero_grad()
            value = model()
            value.backward()
            return value

        for step in range(1, LBFGS_STEPS + 1):
            lbfgs.step(closure)
            path.append((step, model.theta.detach().numpy().copy()))
        return path
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(sgd, lambda t: 2 / (t + 2))
    # weights ∝ t (Lacoste-Julien, Schmidt and Bach 2012, eq. 6)
    average = torch.optim.swa_utils.AveragedModel(
        model, avg_fn=lambda mean, new, seen: mean + (new - mean) * 2 / (seen + 2)
    )
    for step in range(1, steps + 1):
        sgd.zero_grad()
        model().backward()
        sgd.step()
        schedule.step()
        average.update_parameters(model)
        if step in marks:
            path.append((step, average.module.theta.detach().numpy().copy()))
    return path
