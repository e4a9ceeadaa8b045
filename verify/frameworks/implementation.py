"""An implementation: which loss it computes, how it is called and what it promises. Data only; imports no framework."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from hingeproof.properties.contract import Contract
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.losses import LOSSES

DTYPES = ("float16", "bfloat16", "float32", "float64")
Labels = Literal["ours", "01", "one_hot"]


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """A callable that computes one loss in one framework.

    target: `module:attribute`. style: `function`, `module_class` (constructed with the parameters, then called) or
    `module` (an instance). `keywords` maps our names to its own; a parameter that is missing there cannot be set, and
    stands at `fixed` or the loss's default. `reductions` are those it offers; with one only, no argument is passed.
    needs_both_classes: it learns the label set from the batch, so one sample alone cannot be asked for.

    expression: the call as source text, over our names (`scores`, `targets`, `margin`, `reduction`, `dtype` …), with
    `imports` before it; then `target` is only what `list` shows, and the keywords are the names that it uses.
    gradient: `module:function`, or such an expression, of a NumPy callable.

    scale: what it computes is scale × the loss, an exact rational function of the number of classes K ("1/K").
    labels, label_dtype: how labels are written; our own are ±1, class indices and −1-padded lists.
    mean_over: what its mean divides by. domain: the least and greatest score that its documentation speaks of.
    widths: the numbers of classes that are tried. environment: variables that its process needs from the start.
    documented: differences from the formula or our policy that its documentation states, shown as conventions.
    versions: the package and the releases that the contract speaks of, as in "torch>=2.13,<2.14".
    """

    name: str
    framework: str
    loss: str
    target: str
    style: Literal["function", "module_class", "module"] = "function"
    keywords: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    reductions: tuple[str, ...] = ("none", "sum", "mean")
    targets_first: bool = False
    needs_both_classes: bool = False
    expression: str = ""
    imports: tuple[str, ...] = ()
    scale: str = "1"
    labels: Labels = "ours"
    label_dtype: Literal["scores", "int64", "int32"] | None = None
    mean_over: Literal["N", "weights"] = "N"
    reduction_names: Mapping[str, str | None] = field(default_factory=dict)
    domain: tuple[str, str] | None = None
    widths: tuple[int, ...] = (2, 4)
    environment: Mapping[str, str] = field(default_factory=dict)
    documented: tuple[str, ...] = ()
    versions: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)
    gradient: str | Callable[..., Any] | None = None
    subject: Any = None  # a live callable, where there is no name to import it by
    dtypes: tuple[str, ...] = DTYPES
    modes: tuple[str, ...] | None = None
    requires: tuple[str, ...] = ()
    contract: Contract = field(default_factory=Contract)
    reference: bool = False
    user: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if self.expression and not self.keywords:
            used = {n: n for n in every_parameter(self.family) if n in self.names}
            object.__setattr__(self, "keywords", used)

    @property
    def family(self) -> Loss:
        return LOSSES[self.loss]

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the expression uses."""
        tree = ast.parse(self.expression or "None", mode="eval")
        return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))

    @property
    def modular(self) -> bool:
        return self.style != "function"

    @property
    def differentiable(self) -> bool:
        """Can gradients be had: by the framework, or by a gradient function given with a NumPy callable?"""
        # imported here: the registry imports other packages' modules, which may import this one
        from hingeproof.frameworks.registry import FRAMEWORKS

        return FRAMEWORKS[self.framework].autograd or self.gradient is not None


def every_parameter(loss: Loss) -> dict[str, str]:
    """All parameters of a loss, and the weights, under our own names."""
    names = [*loss.parameters, "reduction", "weight", *(["class_weight"] if loss.class_weight else [])]
    return {n: n for n in names}
