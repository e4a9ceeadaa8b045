"""The three references of every loss, where its row says that they stand."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation, every_parameter
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.properties.contract import REFERENCE_POLICY
from hingeproof.reference_impls.losses import LOSSES

IMPLEMENTATIONS = tuple(
    Implementation(
        name=f"{framework.name}.{loss.name}",
        framework=framework.name,
        loss=loss.name,
        target=loss.reference(framework.name),
        keywords=every_parameter(loss),
        gradient=None if framework.autograd else f"{loss.reference(framework.name)}_grad",
        contract=REFERENCE_POLICY,
        reference=True,
        source="interfaces.md, kink policy of the references",
    )
    for framework in FRAMEWORKS.values()
    if framework.references
    for loss in LOSSES.values()
)
