"""A failure as evidence: its inputs in hex, what was expected and seen, and five lines that show it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hingeproof.implementation import Implementation
from hingeproof.properties.case import Array, Batch, Failure
from hingeproof.records import Check, Tensor, Witness
from hingeproof.reference_impls.formats import to_float

_SHOWN = 64


def _hex(x: float | int) -> str:
    return str(x) if isinstance(x, int) else float(x).hex() if math.isfinite(x) else repr(float(x))


def tensor(x: Array) -> Tensor:
    wide = x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)
    values = wide.ravel().tolist()[:_SHOWN]
    return Tensor(str(x.dtype), list(x.shape), [_hex(v) for v in values], [repr(v) for v in values])


def tensors(batch: Batch) -> dict[str, Tensor]:
    """All arrays of a batch, by name."""
    named: dict[str, Array | None] = dict(zip(batch.loss.margins.inputs, batch.inputs, strict=True))
    named |= {"targets": batch.targets, "weight": batch.weight, "class_weight": batch.class_weight, "cotangent": batch.cotangent}
    return {name: tensor(x) for name, x in named.items() if x is not None}


def witness(implementation: Implementation, failure: Failure, check: Check) -> Witness:
    """The evidence for a failure; the one sample concerned, where the law names it and it stands alone."""
    params: dict[str, float | int | str] = {n: to_float(v) for n, v in failure.batch.params.items()}
    if failure.sample is not None and failure.batch.size > 1:
        params["sample"] = failure.sample
    params["reduction"] = failure.reduction
    return Witness(
        inputs=tensors(failure.batch),
        parameters=params,
        expected=failure.expected + (f" ({failure.note})" if failure.note else ""),
        observed=failure.observed,
        repro=repro(implementation, failure, check),
    )


# -- five lines --------------------------------------------------------------------------------------------------------


def _literal(x: Array) -> str:
    values = (x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)).tolist()
    return repr(values).replace("nan", "float('nan')").replace("inf", "float('inf')")


def _settings(implementation: Implementation, failure: Failure) -> dict[str, str]:
    out = {}
    for name, value in failure.batch.params.items():
        if name in implementation.keywords:
            out[implementation.keywords[name]] = repr(int(value.p) if name == "p" else to_float(value))
    if "reduction" in implementation.keywords:
        out[implementation.keywords["reduction"]] = repr(failure.reduction)
    return out


def _array(framework: str, x: Array, dtype: str, grad: bool = False) -> str:
    values = _literal(x)
    if framework == "torch":
        return f"torch.tensor({values}, dtype=torch.{dtype}{', requires_grad=True' if grad else ''})"
    module = "jnp" if framework == "jax" else "np"
    name = "ml_dtypes.bfloat16" if dtype == "bfloat16" and framework == "numpy" else repr(dtype)
    return f"{module}.array({values}, dtype={name})"


def repro(implementation: Implementation, failure: Failure, check: Check) -> str:
    """A script of about five lines that imports the framework and the implementation alone, and prints what it answers."""
    batch, framework = failure.batch, implementation.framework
    module, _, attribute = implementation.target.partition(":")
    imports = {"torch": "import torch", "jax": "import jax, jax.numpy as jnp", "numpy": "import numpy as np"}[framework]
    if check.dtype == "bfloat16" and framework == "numpy":
        imports += ", ml_dtypes"
    lines = [f"{imports}; from {module} import {attribute.split('.')[0]}"]
    if framework == "jax" and check.dtype == "float64":
        lines.append("jax.config.update('jax_enable_x64', True)")
    names = list(batch.loss.margins.inputs)
    arrays = [f"{n} = {_array(framework, x, check.dtype, grad=True)}" for n, x in zip(names, batch.inputs, strict=True)]
    if batch.targets is not None:
        sign = batch.loss.margins.targets == "sign" and batch.targets.dtype == np.int64
        kind = check.dtype if sign or batch.loss.margins.targets == "real" else str(batch.targets.dtype)
        arrays.append(f"targets = {_array(framework, batch.targets, kind)}")
    lines.append("; ".join(arrays))
    settings = _settings(implementation, failure)
    extras = []
    for name, x in (("weight", batch.weight), ("class_weight", batch.class_weight)):
        if x is not None and name in implementation.keywords:
            (settings if name == "class_weight" else {}).update({implementation.keywords[name]: _array(framework, x, check.dtype)})
            extras += [f"{implementation.keywords[name]}={_array(framework, x, check.dtype)}"] if name == "weight" else []
    keywords = [f"{k}={v}" for k, v in settings.items()]
    args = names + (["targets"] if batch.targets is not None else [])
    if implementation.targets_first:
        args = ["targets", *names]
    if implementation.style == "module_class":
        lines.append(f"f = {attribute}({', '.join(keywords)})")
        call = ", ".join([*args, *extras])
    else:
        lines.append(f"f = {attribute}")
        call = ", ".join([*args, *keywords, *extras])
    lines += _answer(implementation, call, failure, names, check)
    return "\n".join(lines)


def _answer(implementation: Implementation, call: str, failure: Failure, names: list[str], check: Check) -> list[str]:
    framework = implementation.framework
    compiled = {"compile": "aot_eager", "inductor": "inductor"}.get(check.mode)
    f = f"torch.compile(f, backend={compiled!r})" if compiled else "jax.jit(f)" if check.mode == "jit" and not call.count("=") else "f"
    asks_gradient = check.law in _GRADIENT_LAWS or check.law not in _VALUE_LAWS
    shape = failure.batch.cotangent if failure.reduction == "none" and "none" in implementation.reductions else np.ones(())
    if framework == "torch":
        lines = [f"loss = {f}({call})"]
        if asks_gradient and implementation.differentiable:
            upstream = _array("torch", shape, check.dtype)
            lines.append(f"loss.backward({upstream}); print(loss, {', '.join(f'{n}.grad' for n in names)})")
        else:
            lines.append("print(loss)")
        return lines
    if framework == "jax" and asks_gradient:
        inner = call.replace(", ".join(names), ", ".join(names))
        return [
            f"loss, pull = jax.vjp(lambda {', '.join(names)}: f({inner}), {', '.join(names)})",
            f"print(loss, pull({_array('jax', shape, check.dtype)}))",
        ]
    return [f"print({f}({call}))"]


_VALUE_LAWS = frozenset(
    "value non_negative zero_past_margin bounds_zero_one monotone convex lipschitz reduction_sum reduction_mean weight class_weight "
    "mean_overflow nan infinity overflow subnormal two_classes sibling margin_sweep scaling translation label_flip".split()
)
_GRADIENT_LAWS: frozenset[str] = frozenset()
_ = Any
