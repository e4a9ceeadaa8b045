"""A failure as evidence: its inputs in hex, what was expected and seen, and five lines that show it."""

from __future__ import annotations

import math

import numpy as np

from hingeproof.implementation import Implementation
from hingeproof.properties.case import Array, Batch, Failure
from hingeproof.properties.catalogue import LAWS
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
    named |= {
        "targets": batch.targets,
        "weight": batch.weight,
        "class_weight": batch.class_weight,
        "cotangent": batch.cotangent,
    }
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

_IMPORTS = {"torch": "import torch", "jax": "import jax, jax.numpy as jnp", "numpy": "import numpy as np"}


def _array(framework: str, x: Array, dtype: str, grad: bool = False) -> str:
    """An array as source text; a decimal in shortest form is exact once it is converted to the dtype."""
    values = repr((x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)).tolist())
    values = values.replace("nan", "float('nan')").replace("inf", "float('inf')")
    if framework == "torch":
        return f"torch.tensor({values}, dtype=torch.{dtype}{', requires_grad=True' if grad else ''})"
    name = "ml_dtypes.bfloat16" if dtype == "bfloat16" and framework == "numpy" else repr(dtype)
    return f"{'jnp' if framework == 'jax' else 'np'}.array({values}, dtype={name})"


def repro(implementation: Implementation, failure: Failure, check: Check) -> str:
    """About five lines that import the framework and the implementation alone, and print what is answered."""
    batch, framework, names = failure.batch, implementation.framework, list(failure.batch.loss.margins.inputs)
    gradient = "gradient" in LAWS[check.law].needs and implementation.differentiable and framework != "numpy"
    module, _, attribute = implementation.target.partition(":")
    extra = ", ml_dtypes" if check.dtype == "bfloat16" and framework == "numpy" else ""
    lines = [f"{_IMPORTS[framework]}{extra}; from {module} import {attribute.split('.')[0]}"]
    if framework == "jax" and check.dtype == "float64":
        lines.append("jax.config.update('jax_enable_x64', True)")
    arrays = [f"{n} = {_array(framework, x, check.dtype, gradient)}" for n, x in zip(names, batch.inputs, strict=True)]
    if batch.targets is not None:
        scores = batch.loss.margins.targets == "real" or (
            batch.loss.margins.targets == "sign" and batch.targets.dtype == np.int64
        )
        arrays.append(
            f"targets = {_array(framework, batch.targets, check.dtype if scores else str(batch.targets.dtype))}"
        )
    lines.append("; ".join(arrays))
    call = _call(implementation, failure, check, names)
    if framework == "torch":
        lines.append(f"loss = {call}")
        upstream = _array("torch", _upstream(implementation, failure), check.dtype)
        shown = ", ".join(f"{n}.grad" for n in names)
        lines.append(f"loss.backward({upstream}); print(loss, {shown})" if gradient else "print(loss)")
    elif framework == "jax" and gradient:
        arguments = ", ".join(names)
        lines.append(f"loss, pull = jax.vjp(lambda {arguments}: {call}, {arguments})")
        lines.append(f"print(loss, pull({_array('jax', _upstream(implementation, failure), check.dtype)}))")
    else:
        lines.append(f"print({call})")
    return "\n".join(lines)


def _upstream(implementation: Implementation, failure: Failure) -> Array:
    per_sample = failure.reduction == "none" and "none" in implementation.reductions
    return failure.batch.cotangent if per_sample else np.ones(())


def _call(implementation: Implementation, failure: Failure, check: Check, names: list[str]) -> str:
    """The call as source text, through the compiler where the check's mode has one."""
    batch, keywords = failure.batch, implementation.keywords
    arrays = {
        n: x
        for n, x in (("weight", batch.weight), ("class_weight", batch.class_weight))
        if x is not None and n in keywords
    }
    texts = {n: _array(implementation.framework, x, check.dtype) for n, x in arrays.items()}
    fixed = {n: repr(int(v.p) if n == "p" else to_float(v)) for n, v in batch.params.items() if n in keywords}
    if "reduction" in keywords:
        fixed["reduction"] = repr(failure.reduction)
    made = implementation.style == "module_class"
    if made and "class_weight" in texts:
        fixed["class_weight"] = texts.pop("class_weight")
    settings = [f"{keywords[n]}={v}" for n, v in fixed.items()]
    arguments = [*names, *(["targets"] if batch.targets is not None else [])]
    if implementation.targets_first:
        arguments = ["targets", *names]
    attribute = implementation.target.partition(":")[2]
    f = f"{attribute}({', '.join(settings)})" if made else attribute
    if check.mode in COMPILERS:
        f = COMPILERS[check.mode].format(f)
    more = [*([] if made else settings), *(f"{keywords[n]}={v}" for n, v in texts.items())]
    return f"{f}({', '.join([*arguments, *more])})"


COMPILERS = {
    "compile": "torch.compile({}, backend='aot_eager')",
    "inductor": "torch.compile({})",
    "jit": "jax.jit({}, static_argnames=('reduction',))",
}
