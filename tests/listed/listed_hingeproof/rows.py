"""Its losses."""

from hingeproof.frameworks.implementation import Implementation

IMPLEMENTATIONS = [
    Implementation(
        name=f"listed.{name}", framework="listed", loss="hinge", target=f"listed:{name}", reductions=("none",),
        dtypes=("float64",), versions="listed>=1,<2", source="its manual",
    )
    for name in ("hinge", "leaky")
]  # fmt: skip
