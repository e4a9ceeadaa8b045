"""What a loss of the family is: `margin map → φ → aggregate → reduce`, and what is derived from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from flint import fmpq

from hingeproof.reference_impls.margins import MarginMap
from hingeproof.reference_impls.phi import Phi


@lru_cache(maxsize=4096)
def _made(make: Callable[..., Phi], values: tuple[fmpq, ...]) -> Phi:
    return make(*values)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One loss of the family.

    `phi` maps a label to the shape used for it, None meaning every label; `parameters` are the defaults and, behind
    them in `choices`, the values that the laws draw. `per_class` divides by the number of classes K. `references` is
    the package whose modules in_numpy, in_torch and in_jax hold the reference functions, under the loss's name.
    """

    name: str
    title: str
    margins: MarginMap
    phi: Mapping[int | None, Callable[..., Phi]]
    phi_parameters: tuple[str, ...] = ()
    aggregate: str = "sum"
    per_class: bool = False
    class_weight: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: str = "hingeproof.reference_impls"
    source: str

    def reference(self, framework: str) -> str:
        """`module:attribute` of its reference in a framework; in NumPy the gradient, `<name>_grad`, is beside it."""
        return f"{self.references}.in_{framework}:{self.name}"

    def shape(self, label: int | None, params: Mapping[str, fmpq]) -> Phi:
        """φ for this label and these parameters."""
        make = self.phi[label] if label in self.phi else self.phi[None]
        return _made(make, tuple(params[name] for name in self.phi_parameters))

    @cached_property
    def defaults(self) -> dict[str, fmpq]:
        return {name: rational(text) for name, text in self.parameters.items()}

    @cached_property
    def shapes(self) -> dict[int | None, Phi]:
        """φ by label at the default parameters."""
        return {label: self.shape(label, self.defaults) for label in self.phi}

    @property
    def labels_decide(self) -> bool:
        """Does φ depend on the label?"""
        return None not in self.phi

    def every(self, fact: Callable[[Phi], object]) -> bool:
        """Does a derived fact hold for φ at every label, and at every parameter value that the laws draw?"""
        return all(fact(self.shape(label, params)) for label in self.phi for params in self.drawn())

    def drawn(self) -> list[dict[str, fmpq]]:
        """The defaults, then each choice of one parameter with the others at their defaults."""
        out = [dict(self.defaults)]
        for name, texts in self.choices.items():
            out += [{**self.defaults, name: rational(t)} for t in texts if t != self.parameters[name]]
        return out

    @property
    def convex(self) -> bool:
        """Convex in the scores: φ is convex and the margins are linear. (With norms nothing is derived.)"""
        return not self.margins.norms and self.every(lambda phi: phi.convex)

    def scale_degree(self, params: Mapping[str, fmpq]) -> int | None:
        """k such that scaling scores and every length by t > 0 scales the loss by t^k; None where there is no such k.

        Derived by comparing φ at doubled lengths and margins with φ itself on both sides of every break.
        """
        if not self.margins.lengths:
            return None
        doubled = {n: v if n == "p" else 2 * v for n, v in params.items()}
        points = [fmpq(n, 4) for n in range(-13, 14)]
        degrees = {1, 2}
        for label in self.phi:
            small, large = self.shape(label, params), self.shape(label, doubled)
            degrees &= {k for k in degrees if all(large(2 * z) == 2**k * small(z) for z in points)}
        return min(degrees, default=None)

    @property
    def homogeneous(self) -> bool:
        return all(self.scale_degree(params) is not None for params in self.drawn())

    def latex(self) -> str:
        """The whole definition in LaTeX."""
        words = {"sum": "\\sum_k \\varphi(z_k)", "max": "\\max_k \\varphi(z_k)"}
        many = self.margins.row == "vector" and not self.margins.norms
        body = words[self.aggregate] if many else "\\varphi(z)"
        shapes = ",\\quad ".join(
            f"\\varphi{'' if label is None else f'_{{y={label:+d}}}'}(z) = {phi.latex()}"
            for label, phi in self.shapes.items()
        )
        scale = "\\frac{1}{K} " if self.per_class else ""
        return f"\\ell = {scale}{body},\\quad {self.margins.latex},\\quad {shapes}"


def rational(text: str) -> fmpq:
    """A decimal as a rational: "0.1" is 1/10."""
    whole, _, places = text.partition(".")
    return fmpq(int(whole + places), 10 ** len(places))
