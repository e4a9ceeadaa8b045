"""A call of an implementation as source text that imports nothing of ours: for witnesses and repro scripts."""

from __future__ import annotations

import numpy as np

from hingeproof.frameworks.binding import labelled
from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.judgement import Failure
from hingeproof.reference_impls.formats import to_float
from hingeproof.runs.records import Check

IMPORTS = {
    "torch": "import torch",
    "jax": "import jax, jax.numpy as jnp",
    "numpy": "import numpy as np",
    "mlx": "import mlx.core as mx, numpy as np",
    "tensorflow": "import tensorflow as tf",
    "paddle": "import paddle",
}
COMPILERS = {
    "compile": "torch.compile({}, backend='aot_eager')",
    "inductor": "torch.compile({})",
    "jit": "jax.jit({}, static_argnames=('reduction',))",
}
_MAKE = {
    "torch": "torch.tensor({values}, dtype=torch.{dtype}{grad})",
    "jax": "jnp.array({values}, dtype={dtype!r})",
    "numpy": "np.array({values}, dtype={dtype!r})",
    "mlx": "mx.array(np.array({values}, dtype=np.float32)).astype(mx.{dtype})",
    "tensorflow": "tf.constant({values}, dtype=tf.{dtype})",
    "paddle": "paddle.to_tensor({values}, dtype={dtype!r}{stop})",
}


def array(framework: str, x: Array, dtype: str, grad: bool = False) -> str:
    """An array as source text; a decimal in shortest form is exact once it is converted to the dtype."""
    whole = np.issubdtype(x.dtype, np.integer)
    values = repr((x if whole else x.astype(np.float64)).tolist())
    values = values.replace("nan", "float('nan')").replace("inf", "float('inf')")
    if framework == "numpy" and dtype == "bfloat16":
        return f"np.array({values}, dtype=ml_dtypes.bfloat16)"
    if framework == "mlx" and (whole or dtype == "float64"):
        return f"mx.array(np.array({values}, dtype=np.{dtype}){', dtype=mx.float64' if dtype == 'float64' else ''})"
    return _MAKE[framework].format(
        values=values, dtype=dtype, grad=", requires_grad=True" if grad else "",
        stop=", stop_gradient=False" if grad else "",
    )  # fmt: skip


def preamble(implementation: Implementation, dtype: str) -> list[str]:
    """Environment, imports and global settings."""
    framework = implementation.framework
    extra = ", ml_dtypes" if dtype == "bfloat16" and framework == "numpy" else ""
    lines = []
    if implementation.environment:
        lines.append(
            "import os; " + "; ".join(f"os.environ[{k!r}] = {v!r}" for k, v in implementation.environment.items())
        )
    module, _, attribute = implementation.target.partition(":")
    if implementation.expression:
        own = "; ".join(line for line in implementation.imports if line != IMPORTS[framework])
    else:
        own = f"from {module} import {attribute.split('.')[0]}"
    lines.append("; ".join(filter(None, [IMPORTS[framework] + extra, own])))
    if framework == "jax" and dtype == "float64":
        lines.append("jax.config.update('jax_enable_x64', True)")
    return lines


def assignments(implementation: Implementation, batch: Batch, dtype: str, gradient: bool) -> list[str]:
    """One assignment for each input, the labels, and what else an expression uses by name."""
    framework = implementation.framework
    names = batch.loss.margins.inputs
    out = [f"{n} = {array(framework, x, dtype, gradient)}" for n, x in zip(names, batch.inputs, strict=True)]
    given = labelled(implementation, batch)
    if given is not None:
        kind = dtype if given.dtype == batch.inputs[0].dtype else str(given.dtype)
        out.append(f"targets = {array(framework, given, kind)}")
    return out


def differentiates(implementation: Implementation, check: Check) -> bool:
    """Does the law speak of gradients that the framework gives?"""
    return "gradient" in LAWS[check.law].needs and implementation.differentiable and implementation.framework != "numpy"


def has_written_gradient(implementation: Implementation, check: Check) -> bool:
    """Is there a NumPy gradient, as an expression, of which the law speaks?"""
    return "gradient" in LAWS[check.law].needs and bool(implementation.expression) and bool(implementation.gradient)


def upstream(implementation: Implementation, failure: Failure) -> Array:
    per_sample = failure.reduction == "none" and "none" in implementation.reductions
    return failure.batch.cotangent if per_sample else np.ones(())


def _settings(implementation: Implementation, batch: Batch, reduction: str, dtype: str) -> dict[str, str]:
    """Every setting under our own name, as source text."""
    keywords = implementation.keywords
    out = {n: repr(int(v.p) if n == "p" else to_float(v)) for n, v in batch.params.items() if n in keywords}
    if "reduction" in keywords:
        out["reduction"] = repr(implementation.reduction_names.get(reduction, reduction))
    for name, x in (("weight", batch.weight), ("class_weight", batch.class_weight)):
        if x is not None and name in keywords:
            out[name] = array(implementation.framework, x, dtype)
    return out


def call(implementation: Implementation, batch: Batch, reduction: str, check: Check) -> str:
    """The call as source text, through the compiler where the check's mode has one."""
    settings = _settings(implementation, batch, reduction, check.dtype)
    tensors = [*batch.loss.margins.inputs, *(["targets"] if batch.targets is not None else [])]
    if implementation.expression:
        used = {n: v for n, v in settings.items() if n in implementation.names}
        if "weight" in implementation.names:
            used.setdefault("weight", "None")
        if "dtype" in implementation.names:
            used["dtype"] = repr(check.dtype)
        arguments = ", ".join([*tensors, *(f"{n}={v}" for n, v in used.items())])
        f = f"(lambda {arguments}: {implementation.expression})"
        return f"{_compiled(f, check).replace(STATIC, '')}({', '.join(tensors)})"
    keywords, made = implementation.keywords, implementation.style == "module_class"
    late = {"weight"} if made else set(settings)
    early = [f"{keywords[n]}={v}" for n, v in settings.items() if n not in late]
    more = [f"{keywords[n]}={v}" for n, v in settings.items() if n in late]
    attribute = implementation.target.partition(":")[2]
    if implementation.targets_first:
        tensors = ["targets", *batch.loss.margins.inputs]
    f = _compiled(f"{attribute}({', '.join(early)})" if made else attribute, check)
    if "reduction" not in keywords or made:
        f = f.replace(STATIC, "")
    return f"{f}({', '.join([*tensors, *more])})"


STATIC = ", static_argnames=('reduction',)"


def _compiled(f: str, check: Check) -> str:
    if check.mode == "compile" and check.implementation.startswith("mlx."):
        return f"mx.compile({f})"
    if check.mode == "compile" and check.implementation.startswith(("tensorflow.", "keras.tensorflow.")):
        return f"tf.function({f}, autograph=False)"
    return COMPILERS[check.mode].format(f) if check.mode in COMPILERS else f
