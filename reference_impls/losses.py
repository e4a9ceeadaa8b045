"""The family, as data: a new row here is checked everywhere, and so is one that another package registers."""

from __future__ import annotations

from flint import fmpq

from hingeproof.reference_impls import margins, norms
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.phi import Phi
from hingeproof.reference_impls.registry import registered


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
            margins=norms.TRIPLET,
            phi={None: hinge_phi},
            phi_parameters=("margin",),
            parameters={"margin": "1", "p": "2"},
            choices={"margin": ("1", "0.5", "2"), "p": ("2", "1")},
            source="Balntas et al. 2016, eq. 2; Schroff et al. 2015 with squared distances",
        ),
        Loss(
            name="cosine_embedding",
            title="Cosine embedding",
            margins=norms.COSINE,
            phi={1: distance_phi, -1: excess_phi},
            phi_parameters=("margin",),
            parameters={"margin": "0"},
            choices={"margin": ("0", "0.5", "-0.5")},
            source="torch.nn.CosineEmbeddingLoss",
        ),
    )
}
LOSSES |= {row.name: row for row in registered("hingeproof.losses", Loss, LOSSES)}
