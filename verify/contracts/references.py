"""The three references of every loss, where its row says that they stand."""

from __future__ import annotations

from hingeproof.frameworks.implementation import REFERENCES, Implementation, every_parameter
from hingeproof.properties.contract import REFERENCE_POLICY
from hingeproof.reference_impls.losses import LOSSES

IMPLEMENTATIONS = tuple(
    Implementation(
        name=f"{framework}.{loss.name}",
        framework=framework,
        loss=loss.name,
        target=loss.reference(framework),
        keywords=every_parameter(loss),
        gradient=f"{loss.reference(framework)}_grad" if framework == "numpy" else None,
        contract=REFERENCE_POLICY,
        reference=True,
        source="interfaces.md, kink policy of the references",
    )
    for framework in REFERENCES
    for loss in LOSSES.values()
)
