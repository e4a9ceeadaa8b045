"""An implementation: which loss it computes, how it is called and what it promises. Data only; imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hingeproof.properties.contract import Contract
from hingeproof.reference_impls.losses import LOSSES, Loss

FRAMEWORKS = ("numpy", "torch", "jax")
DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """A callable that computes one loss in one framework.

    target: `module:attribute`. style: `function`, `module_class` (constructed with the parameters, then called) or
    `module` (an instance). `keywords` maps our names to its own; a parameter that is missing there cannot be set, and
    stands at `fixed` or the loss's default. `reductions` are those it offers; with one only, no argument is passed.
    needs_both_classes: it learns the label set from the batch, so one sample alone cannot be asked for.
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
    labels: Literal["sign", "index", "int64"] = "sign"
    extra: Mapping[str, object] = field(default_factory=dict)
    gradient: str | None = None
    dtypes: tuple[str, ...] = DTYPES
    modes: tuple[str, ...] | None = None
    requires: tuple[str, ...] = ()
    contract: Contract = field(default_factory=Contract)
    reference: bool = False
    user: bool = False
    source: str = ""

    @property
    def family(self) -> Loss:
        return LOSSES[self.loss]

    def settable(self, name: str) -> bool:
        return name in self.keywords

    @property
    def differentiable(self) -> bool:
        """Can gradients be had: by the framework, or by a gradient function given with a NumPy callable?"""
        return self.framework != "numpy" or self.gradient is not None


def every_parameter(loss: Loss) -> dict[str, str]:
    """All parameters of a loss, and the weights, under our own names."""
    names = [*loss.parameters, "reduction", "weight", *(["class_weight"] if loss.class_weight else [])]
    return {n: n for n in names}
