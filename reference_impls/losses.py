"""The family, as data. A loss is `margin map → φ → aggregate → reduce`; a new row here is checked everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from flint import fmpq

from hingeproof.reference_impls import margins
from hingeproof.reference_impls.margins import MarginMap
from hingeproof.reference_impls.phi import Phi

HALF = fmpq(1, 2)


def hinge_phi(margin: fmpq) -> Phi:
    """max(0, Δ − z)"""
    return Phi.of([margin], [[margin, -1], [0]])


def squared_hinge_phi(margin: fmpq) -> Phi:
    """max(0, Δ − z)²"""
    return hinge_phi(margin) ** 2


def power_hinge_phi(margin: fmpq, p: fmpq) -> Phi:
    """max(0, Δ − z)^p"""
    return hinge_phi(margin) ** int(p.p)


def perceptron_phi() -> Phi:
    """max(0, −z)"""
    return hinge_phi(fmpq(0))


def smooth_hinge_phi(margin: fmpq, gamma: fmpq) -> Phi:
    """(Δ − z)²/2γ over [Δ − γ, Δ], Δ − z − γ/2 below, 0 above"""
    square = [margin**2 / (2 * gamma), -margin / gamma, 1 / (2 * gamma)]
    return Phi.of([margin - gamma, margin], [[margin - gamma / 2, -1], square, [0]])


def modified_huber_phi() -> Phi:
    """−4z up to −1, then (1 − z)², 0 from 1 on"""
    return Phi.of([-1, 1], [[0, -4], [1, -2, 1], [0]])


def ramp_phi() -> Phi:
    """min(1, max(0, 1 − z))"""
    return Phi.of([0, 1], [[1], [1, -1], [0]])


def epsilon_phi(epsilon: fmpq) -> Phi:
    """max(0, |z| − ε)"""
    return Phi.of([-epsilon, epsilon], [[-epsilon, -1], [0], [-epsilon, 1]])


def squared_epsilon_phi(epsilon: fmpq) -> Phi:
    """max(0, |z| − ε)²"""
    return epsilon_phi(epsilon) ** 2


def identity_phi(margin: fmpq) -> Phi:
    """z"""
    return Phi.of([], [[0, 1]])


def distance_phi(margin: fmpq) -> Phi:
    """1 − z"""
    return Phi.of([], [[1, -1]])


def excess_phi(margin: fmpq) -> Phi:
    """max(0, z − Δ)"""
    return Phi.of([margin], [[0], [-margin, 1]])


@lru_cache(maxsize=4096)
def _made(make: Callable[..., Phi], values: tuple[fmpq, ...]) -> Phi:
    return make(*values)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One loss of the family.

    `phi` maps a label to the shape used for it, None meaning every label; `parameters` are the defaults and, behind
    them in `choices`, the values that the laws draw. `per_class` divides by the number of classes K.
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
    source: str

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
        if self.margins.name == "cosine":  # its margin is not a length
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


_MARGIN = {"margin": ("1", "0.5", "2", "0", "-0.5")}
_SEVERAL = {"margin": "1"}

LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            name="hinge",
            title="Hinge",
            margins=margins.BINARY,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="Cortes and Vapnik 1995, eq. 18",
        ),
        Loss(
            name="squared_hinge",
            title="Squared hinge",
            margins=margins.BINARY,
            phi={None: squared_hinge_phi},
            phi_parameters=("margin",),
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="Cortes and Vapnik 1995, §3 with σ = 2; Fan et al. 2008 (LIBLINEAR), eq. 3",
        ),
        Loss(
            name="perceptron",
            title="Perceptron",
            margins=margins.BINARY,
            phi={None: perceptron_phi},
            source="Rosenblatt 1958; Bishop 2006, eq. 4.54",
        ),
        Loss(
            name="smooth_hinge",
            title="Smoothed hinge",
            margins=margins.BINARY,
            phi={None: smooth_hinge_phi},
            phi_parameters=("margin", "gamma"),
            parameters={"margin": "1", "gamma": "1"},
            choices={**_MARGIN, "gamma": ("1", "0.5", "2")},
            source="Shalev-Shwartz and Zhang 2013, eq. 27",
        ),
        Loss(
            name="modified_huber",
            title="Modified Huber",
            margins=margins.BINARY,
            phi={None: modified_huber_phi},
            source="Zhang 2004, §2, modified Huber",
        ),
        Loss(
            name="ramp",
            title="Ramp (truncated hinge)",
            margins=margins.BINARY,
            phi={None: ramp_phi},
            source="Collobert, Sinz, Weston and Bottou 2006, eq. 5",
        ),
        Loss(
            name="hinge_embedding",
            title="Hinge embedding",
            margins=margins.SCORE,
            phi={1: identity_phi, -1: hinge_phi},
            phi_parameters=("margin",),
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="torch.nn.HingeEmbeddingLoss; Hadsell, Chopra and LeCun 2006, without the squares",
        ),
        Loss(
            name="margin_ranking",
            title="Margin ranking",
            margins=margins.RANKING,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            parameters={"margin": "0"},
            choices=_MARGIN,
            source="Herbrich, Graepel and Obermayer 2000, eq. 9",
        ),
        Loss(
            name="epsilon_insensitive",
            title="ε-insensitive",
            margins=margins.RESIDUAL,
            phi={None: epsilon_phi},
            phi_parameters=("epsilon",),
            parameters={"epsilon": "0.1"},
            choices={"epsilon": ("0.1", "0.5", "1", "0")},
            source="Vapnik 1995, §6.1",
        ),
        Loss(
            name="squared_epsilon_insensitive",
            title="Squared ε-insensitive",
            margins=margins.RESIDUAL,
            phi={None: squared_epsilon_phi},
            phi_parameters=("epsilon",),
            parameters={"epsilon": "0.1"},
            choices={"epsilon": ("0.1", "0.5", "1", "0")},
            source="Ho and Lin 2012, eq. 4, without ½",
        ),
        Loss(
            name="weston_watkins",
            title="Weston–Watkins",
            margins=margins.GAPS,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="Weston and Watkins 1999, eq. 5",
        ),
        Loss(
            name="multi_margin",
            title="Multi-margin",
            margins=margins.GAPS,
            phi={None: power_hinge_phi},
            phi_parameters=("margin", "p"),
            per_class=True,
            class_weight=True,
            parameters={"margin": "1", "p": "1"},
            choices={**_MARGIN, "p": ("1", "2")},
            source="torch.nn.MultiMarginLoss: Weston–Watkins divided by K",
        ),
        Loss(
            name="crammer_singer",
            title="Crammer–Singer",
            margins=margins.GAPS,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            aggregate="max",
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="Crammer and Singer 2001, eq. 3",
        ),
        Loss(
            name="one_vs_rest_hinge",
            title="One-versus-rest hinge",
            margins=margins.ONE_VS_REST,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="Rifkin and Klautau 2004, §3",
        ),
        Loss(
            name="multiclass_perceptron",
            title="Multi-class perceptron",
            margins=margins.GAPS,
            phi={None: perceptron_phi},
            aggregate="max",
            source="Duda and Hart 1973, §5.12 (Kesler); Collins 2002",
        ),
        Loss(
            name="multilabel_margin",
            title="Multi-label margin",
            margins=margins.MULTILABEL,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            per_class=True,
            parameters=_SEVERAL,
            choices=_MARGIN,
            source="torch.nn.MultiLabelMarginLoss; Elisseeff and Weston 2001, eq. 2, unnormalised by |T|",
        ),
        Loss(
            name="triplet_margin",
            title="Triplet margin",
            margins=margins.TRIPLET,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            parameters={"margin": "1", "p": "2"},
            choices={"margin": ("1", "0.5", "2"), "p": ("2", "1")},
            source="Balntas et al. 2016, eq. 2; Schroff et al. 2015 with squared distances",
        ),
        Loss(
            name="cosine_embedding",
            title="Cosine embedding",
            margins=margins.COSINE,
            phi={1: distance_phi, -1: excess_phi},
            phi_parameters=("margin",),
            parameters={"margin": "0"},
            choices={"margin": ("0", "0.5", "-0.5")},
            source="torch.nn.CosineEmbeddingLoss",
        ),
    )
}
