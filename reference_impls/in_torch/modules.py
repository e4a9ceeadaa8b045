"""The losses as nn.Modules, made from the functions: parameters in the constructor, `weight` in the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from hingeproof.reference_impls.exports import functions
from hingeproof.reference_impls.in_torch import binary, metric, multiclass, regression
from hingeproof.reference_impls.in_torch.policy import check_parameters

NAMED = ("class_weight", "reduction")  # keyword-only; the numbers before them may be given by position


class _Loss(nn.Module):
    """A loss function with its parameters held; they are attributes under their own names."""

    function: ClassVar[Callable[..., Any]]
    names: tuple[str, ...]

    def _hold(self, *, reduction: str, **values: Any) -> None:
        numbers = {name: value for name, value in values.items() if name not in NAMED}
        check_parameters(reduction=reduction, **numbers)
        self.names = (*numbers, "reduction")
        for name, value in numbers.items():
            setattr(self, name, value)
        self.reduction = reduction
        if "class_weight" in values:
            self._hold_class_weight(values["class_weight"])

    def _hold_class_weight(self, class_weight: torch.Tensor | None) -> None:
        if class_weight is not None and class_weight.dim() != 1:
            raise ValueError(f"class_weight has shape {tuple(class_weight.shape)}: pass (K,)")
        self.register_buffer("class_weight", class_weight)
        self.names = (*self.names, "class_weight")

    def forward(self, *inputs: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """The loss of scores and targets, positional as in the function of the same name."""
        return type(self).function(*inputs, weight=weight, **{name: getattr(self, name) for name in self.names})

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.names)


def module_of(function: Callable[..., Any]) -> type[nn.Module]:
    """The module of a loss: its constructor takes what the function takes by keyword, `weight` apart."""
    name = "".join(word.capitalize() for word in function.__name__.split("_")) + "Loss"
    taken = inspect.signature(function).parameters.values()
    held = [p for p in taken if p.kind is p.KEYWORD_ONLY and p.name != "weight"]
    numbers = [p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in held if p.name not in NAMED]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    constructor = inspect.Signature([itself, *numbers, *(p for p in held if p.name in NAMED)], return_annotation="None")

    def __init__(self: _Loss, *given: Any, **named: Any) -> None:
        nn.Module.__init__(self)
        try:
            bound = constructor.bind(self, *given, **named)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        bound.apply_defaults()
        self._hold(**{n: value for n, value in bound.arguments.items() if n != "self"})

    __init__.__signature__ = constructor  # type: ignore[attr-defined]
    about = f"`{function.__name__}`: {(inspect.getdoc(function) or '').partition(chr(10))[0]}"
    if "class_weight" in constructor.parameters:
        about += "; class_weight is a buffer"
    own = {"__module__": __name__, "__doc__": about, "__init__": __init__, "function": staticmethod(function)}
    return type(name, (_Loss,), own)


FUNCTIONS = functions(binary, metric, multiclass, regression)
MODULES = {made.__name__: made for made in map(module_of, FUNCTIONS.values())}
globals().update(MODULES)  # pickles name a class by its module and its name
