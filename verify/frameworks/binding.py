"""How our names become an implementation's arguments. The same for every framework."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import COMPILED
from hingeproof.properties.batch import Array, Batch
from hingeproof.properties.blame import boundary
from hingeproof.reference_impls.formats import to_float


def load(target: str) -> Any:
    """`module:attribute`, imported."""
    module, _, attribute = target.partition(":")
    out: Any = importlib.import_module(module)
    for part in attribute.split("."):
        out = getattr(out, part)
    return out


def source_of(expression: str, imports: Iterable[str], names: Iterable[str]) -> str:
    """An expression over our names as the text of a function `call` of them."""
    arguments = ", ".join(f"{n}=None" for n in names)
    return "\n".join([*imports, f"def call({arguments}):", f"    return {expression}"])


@cache
def written(expression: str, imports: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """An expression over our names as a function of them, so that compilers can trace it."""
    source = source_of(expression, imports, names)
    # torch.compile imports the module of a function's globals by its name, so there has to be one
    module = ModuleType(f"hingeproof.contracts.written_{zlib.crc32(source.encode()):08x}")
    sys.modules[module.__name__] = module
    exec(source, module.__dict__)
    return module.call


def laid_out(x: Array, layout: str) -> Array:
    """A fresh copy of x in a memory layout; what lies between the elements is rubbish on purpose."""
    if layout == "strided":
        wide = np.full((2 * x.shape[0], *x.shape[1:]), 7, dtype=x.dtype)
        wide[::2] = x
        return wide[::2]
    if layout == "negative":
        return np.ascontiguousarray(x[::-1])[::-1]
    if layout == "transposed":
        return np.array(x, order="F")
    return np.array(x, order="C")


@dataclass(frozen=True)
class Arrays:
    """Fresh copies of what a call is given, in the batch's layout and shape."""

    inputs: list[Array]
    targets: Array | None
    weight: Array | None
    class_weight: Array | None

    @property
    def present(self) -> list[Array]:
        return [x for x in (*self.inputs, self.targets, self.weight, self.class_weight) if x is not None]

    def each(self, to: Callable[[Array], Any]) -> tuple[list[Any], Any, Any, Any]:
        """inputs, targets, weight and class_weight as arrays of a framework."""
        inputs = [to(x) for x in self.inputs]
        targets, weight, class_weight = (
            None if x is None else to(x) for x in (self.targets, self.weight, self.class_weight)
        )
        return inputs, targets, weight, class_weight


def labelled(implementation: Implementation, batch: Batch) -> Array | None:
    """The labels as the implementation wants them: its convention, and by default signs in the scores' dtype."""
    targets = batch.targets
    if targets is None:
        return None
    plain = targets.dtype == np.int64
    if not batch.as_given:
        if implementation.labels == "01":
            targets = ((targets + 1) // 2).astype(targets.dtype)
        elif implementation.labels == "one_hot":
            targets = np.eye(batch.inputs[0].shape[-1], dtype=targets.dtype)[targets]
    wanted = implementation.label_dtype
    if wanted is None and (batch.loss.margins.targets == "sign" or implementation.labels == "one_hot"):
        wanted = "scores"
    if wanted is None or not plain:  # a law that gives labels of a dtype of its own means it
        return targets
    return targets.astype(batch.inputs[0].dtype if wanted == "scores" else wanted)


def arrays(implementation: Implementation, batch: Batch) -> Arrays:
    """The arrays of one call."""

    def prepare(x: Array) -> Array:
        if batch.shape is not None:
            return np.array(x.reshape(batch.shape + x.shape[1:]))
        return laid_out(x, batch.layout)

    targets = labelled(implementation, batch)
    return Arrays(
        [prepare(x) for x in batch.inputs],
        None if targets is None else prepare(targets),
        None if batch.weight is None else prepare(batch.weight),
        None if batch.class_weight is None else np.array(batch.class_weight),
    )


@dataclass
class SubjectBase:
    """What the subjects of all frameworks share: what is called, in which dtype, device and mode, and with what."""

    implementation: Implementation
    dtype: str
    device: str
    mode: str
    given: list[Array] = field(default_factory=list)
    _compiled: dict[Any, Callable[..., Any]] = field(default_factory=dict)  # by `setting`

    @property
    def compiled(self) -> bool:
        return self.mode in COMPILED

    def prepared(self, batch: Batch) -> list[Array]:
        return arrays(self.implementation, batch).present

    def taken(self, batch: Batch) -> Arrays:
        """The arrays of a call that is made now."""
        made = arrays(self.implementation, batch)
        self.given = made.present
        return made


def setting(batch: Batch, reduction: str) -> tuple[Any, ...]:
    """What a compilation is for, beside dtypes and shapes."""
    return (reduction, tuple(sorted((k, str(v)) for k, v in batch.params.items())))


def parameters(implementation: Implementation, batch: Batch, reduction: str) -> dict[str, Any]:
    """The settings of a call that are not arrays, under the implementation's own names."""
    settings: dict[str, Any] = dict(implementation.extra)
    for name, value in batch.params.items():
        if name in implementation.keywords:
            settings[implementation.keywords[name]] = int(value.p) if name == "p" else to_float(value)
    if "reduction" in implementation.keywords:
        settings[implementation.keywords["reduction"]] = implementation.reduction_names.get(reduction, reduction)
    if "dtype" in implementation.names:
        settings["dtype"] = batch.format.name
    return settings


Call = Callable[[Sequence[Any], Any, Any, Any], Any]


def argument_names(implementation: Implementation) -> tuple[str, ...]:
    """What an expression may use: the loss's tensors, then its settings, weights and the dtype's name."""
    margins = implementation.family.margins
    settings = ("reduction", "weight", "class_weight", "dtype", "cotangent", *implementation.family.parameters)
    return (*margins.inputs, *(("targets",) if margins.targets is not None else ()), *settings)


def function_of(implementation: Implementation) -> Any:
    """The implementation's callable, class or instance; an expression as a function of our names."""
    if implementation.subject is not None:
        return implementation.subject
    if implementation.expression:
        return written(implementation.expression, implementation.imports, argument_names(implementation))
    return load(implementation.target)


@boundary
def asked(f: Callable[..., Any], *given: Any, **settings: Any) -> Any:
    """What a function or constructor of the implementation answers: where it refuses its arguments, it is to blame."""
    return f(*given, **settings)


def bind(implementation: Implementation, batch: Batch, reduction: str, class_weight: Any = None) -> Call:
    """A function (inputs, targets, weight, class_weight) → loss, with everything that is not an array filled in.

    A module is constructed here, so its class weight is wanted here too.
    """
    subject = function_of(implementation)
    settings = parameters(implementation, batch, reduction)
    names = {n: implementation.keywords.get(n, n) for n in ("weight", "class_weight")}
    modular = implementation.modular
    if implementation.style == "module_class":
        subject = asked(subject, **settings, **({} if class_weight is None else {names["class_weight"]: class_weight}))
    fixed = {} if modular else settings

    @boundary
    def call(inputs: Sequence[Any], targets: Any, weight: Any, class_weight: Any) -> Any:
        more = dict(fixed)
        if weight is not None:
            more[names["weight"]] = weight
        if class_weight is not None and not modular:
            more[names["class_weight"]] = class_weight
        if targets is None:
            return subject(*inputs, **more)
        if implementation.targets_first:
            return subject(targets, *inputs, **more)
        return subject(*inputs, targets, **more)

    return call
