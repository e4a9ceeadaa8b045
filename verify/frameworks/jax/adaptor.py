"""JAX: eager, jit, vmap, forward mode and double differentiation. float64 runs in its own x64 context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hingeproof.frameworks.binding import SubjectBase, arrays, bind, setting
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.training import LBFGS_STEPS, descend, milestones, reduction_of
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.call import LABEL_DTYPES, Output
from hingeproof.properties.svm.optima import RidgeArrays

enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64  # before JAX 0.8
_PASSES_KEPT = 24
_passes = count(1)


def flushes(mode: str, dtype: str) -> bool:
    """On CPU JAX flushes subnormals to 0: in eager mode always, under jit in some operations (seen: maximum)."""
    return True


def devices() -> tuple[str, ...]:
    found = {d.platform for d in jax.devices()}
    return ("cpu", "cuda") if "gpu" in found else ("cpu",)


class JaxSubject(SubjectBase):
    gradients = True
    layouts = ("strided", "negative", "transposed")
    label_dtypes = LABEL_DTYPES

    def array(self, x: Array) -> jax.Array:
        return jnp.asarray(x)

    def run(self, batch: Batch, reduction: str, *, cotangent: Array | None = None) -> Output:
        with enable_x64(self._wide), jax.default_device(jax.devices(self._platform)[0]):
            return self._run(batch, reduction, cotangent)

    @property
    def _wide(self) -> bool:
        return self.dtype == "float64" or self.mode == "x64"

    @property
    def _platform(self) -> str:
        return "gpu" if self.device == "cuda" else "cpu"

    def _run(self, batch: Batch, reduction: str, cotangent: Array | None) -> Output:
        raw = self.taken(batch)
        if raw.targets is not None and raw.targets.dtype == np.int64 and not self._wide:
            raw = replace(raw, targets=raw.targets.astype(np.int32))  # what JAX makes of it outside x64, said here
        inputs, targets, weight, class_weight = raw.each(self.array)
        upstream = None if cotangent is None else jnp.asarray(cotangent)
        tangent = tuple(self.array(t) for t in batch.tangent) if self.mode in ("forward", "double_backward") else None
        work = self._work(batch, reduction)
        got = work(tuple(inputs), targets, weight, class_weight, upstream, tangent)
        value = got["value"]
        dtype = str(value.dtype) if hasattr(value, "dtype") else ""
        pairs = {k: None if got.get(k) is None else tuple(map(np.asarray, got[k])) for k in ("gradients", "curvature")}
        slope = None if got.get("slope") is None else np.asarray(got["slope"])
        return Output(value=np.asarray(value), dtype=dtype, slope=slope, **pairs)

    def _work(self, batch: Batch, reduction: str) -> Callable[..., dict[str, Any]]:
        """value, gradients … as one function of arrays, compiled once for each setting in jit mode."""
        key = setting(batch, reduction)
        if key not in self._compiled:

            def work(
                inputs: Any, targets: Any, weight: Any, class_weight: Any, upstream: Any, tangent: Any
            ) -> dict[str, Any]:
                call = bind(self.implementation, batch, reduction)
                if self.mode == "vmap" and reduction == "none":
                    call = _per_sample(call)

                def of(*xs: Any) -> Any:
                    return call(xs, targets, weight, class_weight)

                if self.mode == "remat":
                    of = jax.checkpoint(of)

                if self.mode == "forward":
                    value, slope = jax.jvp(of, inputs, tangent)
                    return {"value": value, "slope": slope}
                if upstream is None:
                    return {"value": of(*inputs)}
                value, pull = jax.vjp(of, *inputs)
                if jnp.shape(value) != jnp.shape(upstream):
                    return {"value": value}
                out = {"value": value, "gradients": pull(upstream.astype(value.dtype))}
                if self.mode == "double_backward" and tangent:

                    def gradient(*xs: Any) -> Any:
                        _, back = jax.vjp(of, *xs)
                        return back(upstream.astype(value.dtype))

                    _, second = jax.vjp(gradient, *inputs)
                    out["curvature"] = second(tangent)
                return out

            self._compiled[key] = jax.jit(work) if self.mode == "jit" else work
        return self._compiled[key]


def _per_sample(call: Callable[..., Any]) -> Callable[..., Any]:
    def mapped(inputs: Any, targets: Any, weight: Any, class_weight: Any) -> Any:
        def one(row: Any, target: Any, w: Any) -> Any:
            single = [x[None] for x in row], None if target is None else target[None], None if w is None else w[None]
            got = call(*single, class_weight)
            return jnp.reshape(got, ())

        axes = (0, None if targets is None else 0, None if weight is None else 0)
        return jax.vmap(one, in_axes=axes)(inputs, targets, weight)

    return mapped


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> JaxSubject:
    # what JAX compiled for earlier passes is some 40 MB each, and never let go by itself
    if next(_passes) % _PASSES_KEPT == 0:
        jax.clear_caches()
    return JaxSubject(implementation, dtype, device, mode)


def cross_entropy(scores: Array) -> list[tuple[float, float]]:
    """Value and size of the slope of the cross-entropy of class 0, row by row."""

    def loss(x: Any) -> Any:
        return -jax.nn.log_softmax(x)[0]

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(loss)))(jnp.asarray(scores, dtype=jnp.float32))
    return [(float(v), abs(float(g[0]))) for v, g in zip(values, slopes, strict=True)]


def train(
    implementation: Implementation, batch: Batch, data: RidgeArrays, steps: int, smooth: bool
) -> list[tuple[int, Array]]:
    """θ along a training run: averaged optax.sgd with steps 2/(t + 2), or optax.lbfgs where the loss is smooth."""
    try:
        import optax
    except ImportError:  # JAX itself brings no optimiser
        return descend(subject, implementation, batch, data, steps, smooth)
    reduction = reduction_of(implementation)
    call = bind(implementation, batch, reduction)
    with enable_x64(True):
        given = arrays(implementation, batch)
        targets = None if given.targets is None else jnp.asarray(given.targets)
        features, base, ridge = (jnp.asarray(x) for x in (data.features, data.base, data.ridge))

        def objective(theta: Any) -> Any:
            scores = jnp.split(base + features @ theta, data.inputs, axis=1)
            loss = call([s if data.vector else s[:, 0] for s in scores], targets, None, None)
            return data.C * jnp.sum(loss) * (batch.size if reduction == "mean" else 1) + jnp.sum(ridge * theta**2) / 2

        optimiser = optax.lbfgs() if smooth else optax.sgd(lambda t: 2 / (t + 2))

        def step(carry: Any, t: Any) -> Any:
            theta, mean, state = carry
            value, gradient = jax.value_and_grad(objective)(theta)
            more = {"value": value, "grad": gradient, "value_fn": objective} if smooth else {}
            updates, state = optimiser.update(gradient, state, theta, **more)
            theta = optax.apply_updates(theta, updates)
            mean = theta if smooth else mean + (theta - mean) * 2 / (t + 2)
            return (theta, mean, state), mean

        start = jnp.zeros(len(ridge))
        count = LBFGS_STEPS if smooth else steps
        _, path = jax.lax.scan(step, (start, start, optimiser.init(start)), jnp.arange(count))
        table = np.asarray(path)
    marks = milestones(count) if not smooth else set(range(1, count + 1))
    return [(i + 1, table[i]) for i in range(count) if i + 1 in marks]
