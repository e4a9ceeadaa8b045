"""A call of an implementation as source text that imports nothing of ours: for witnesses and repro scripts."""

from __future__ import annotations

import numpy as np

from hingeproof.frameworks.binding import labelled
from hingeproof.frameworks.facts import Notation
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.judgement import Failure
from hingeproof.reference_impls.formats import to_float
from hingeproof.runs.records import Check


def notation(implementation: Implementation) -> Notation:
    return FRAMEWORKS[implementation.framework].notation


def array(written: Notation, x: Array, dtype: str, *, leaf: bool = False) -> str:
    """An array as source text; a decimal in shortest form is exact once it is converted to the dtype."""
    whole = np.issubdtype(x.dtype, np.integer)
    values = repr((x if whole else x.astype(np.float64)).tolist())
    values = values.replace("nan", "float('nan')").replace("inf", "float('inf')")
    template = written.array_of.get(dtype, (written.leaf if leaf else "") or written.array)
    return ((written.integers if whole else "") or template).format(values=values, dtype=dtype)


def preamble(implementation: Implementation, dtype: str) -> list[str]:
    """Environment, imports and global settings."""
    written = notation(implementation)
    lines = []
    if implementation.environment:
        lines.append(
            "import os; " + "; ".join(f"os.environ[{k!r}] = {v!r}" for k, v in implementation.environment.items())
        )
    module, _, attribute = implementation.target.partition(":")
    if implementation.expression:
        own = "; ".join(line for line in implementation.imports if line != written.imports)
    else:
        own = f"from {module} import {attribute.split('.')[0]}"
    lines.append("; ".join(filter(None, [written.imports_of.get(dtype, written.imports), own])))
    if dtype in written.prelude:
        lines.append(written.prelude[dtype])
    return lines


def assignments(implementation: Implementation, batch: Batch, dtype: str, gradient: bool) -> list[str]:
    """One assignment for each input, the labels, and what else an expression uses by name."""
    written, names = notation(implementation), batch.loss.margins.inputs
    out = [f"{n} = {array(written, x, dtype, leaf=gradient)}" for n, x in zip(names, batch.inputs, strict=True)]
    given = labelled(implementation, batch)
    if given is not None:
        kind = dtype if given.dtype == batch.inputs[0].dtype else str(given.dtype)
        out.append(f"targets = {array(written, given, kind)}")
    return out


def differentiates(implementation: Implementation, check: Check) -> bool:
    """Does the law speak of gradients that the framework gives?"""
    return "gradient" in LAWS[check.law].needs and FRAMEWORKS[implementation.framework].autograd


def has_written_gradient(implementation: Implementation, check: Check) -> bool:
    """Is there a gradient of its own, as an expression, of which the law speaks?"""
    return "gradient" in LAWS[check.law].needs and bool(implementation.expression) and bool(implementation.gradient)


def upstream(implementation: Implementation, failure: Failure, dtype: str) -> str:
    per_sample = failure.reduction == "none" and "none" in implementation.reductions
    return array(notation(implementation), failure.batch.cotangent if per_sample else np.ones(()), dtype)


def slopes(implementation: Implementation, template: str) -> list[str]:
    """A template of the gradient of an input, for each of them."""
    return [template.format(i=i, name=name) for i, name in enumerate(implementation.family.margins.inputs)]


def _settings(implementation: Implementation, batch: Batch, reduction: str, dtype: str) -> dict[str, str]:
    """Every setting under our own name, as source text."""
    keywords = implementation.keywords
    out = {n: repr(int(v.p) if n == "p" else to_float(v)) for n, v in batch.params.items() if n in keywords}
    if "reduction" in keywords:
        out["reduction"] = repr(implementation.reduction_names.get(reduction, reduction))
    for name, x in (("weight", batch.weight), ("class_weight", batch.class_weight)):
        if x is not None and name in keywords:
            out[name] = array(notation(implementation), x, dtype)
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
        return f"{_compiled(implementation, f, check.mode)}({', '.join(tensors)})"
    keywords, made = implementation.keywords, implementation.style == "module_class"
    late = {"weight"} if made else set(settings)
    early = [f"{keywords[n]}={v}" for n, v in settings.items() if n not in late]
    more = [f"{keywords[n]}={v}" for n, v in settings.items() if n in late]
    attribute = implementation.target.partition(":")[2]
    if implementation.targets_first:
        tensors = ["targets", *batch.loss.margins.inputs]
    f = f"{attribute}({', '.join(early)})" if made else attribute
    f = _compiled(implementation, f, check.mode, static="reduction" in keywords and not made)
    return f"{f}({', '.join([*tensors, *more])})"


def _compiled(implementation: Implementation, f: str, mode: str, *, static: bool = False) -> str:
    written = notation(implementation)
    return written.compilers.get(mode, "{f}").format(f=f, static=written.static if static else "")
