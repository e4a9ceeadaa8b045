"""river.optim.losses: on Python numbers and NumPy arrays, labels {0, 1}, with gradients of their own."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.contract import Contract


def _loss(name: str, loss: str, cls: str, argument: str, **more: object) -> Implementation:
    made = f"losses.{cls}({argument})"
    return Implementation(
        name=f"river.optim.losses.{name}",
        framework="numpy",
        loss=loss,
        target=f"river.optim.losses:{cls}",
        expression=f"{made}(targets, scores)",
        gradient=f"cotangent * {made}.gradient(targets, scores)",
        imports=("from river.optim import losses",),
        reductions=("none",),
        dtypes=("float64",),
        requires=("river",),
        versions="river>=0.26,<0.27",
        source=f"https://riverml.xyz/latest/api/optim/losses/{cls}/",
        **more,  # type: ignore[arg-type]
    )


IMPLEMENTATIONS = (
    # its page states the gradient: 0 where p y ≥ 1, −y where p y < 1
    _loss("Hinge", "hinge", "Hinge", "threshold=margin", labels="01", contract=Contract(kink="0")),
    _loss("Hinge.perceptron", "perceptron", "Hinge", "threshold=0", labels="01"),
    _loss("EpsilonInsensitiveHinge", "epsilon_insensitive", "EpsilonInsensitiveHinge", "eps=epsilon"),
)
