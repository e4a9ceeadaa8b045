"""Every law, in the order of the table."""

from __future__ import annotations

from hingeproof.properties import (  # noqa: F401  (importing a module enters its laws)
    gradient,
    interface,
    modes,
    numerics,
    optimality,
    optimisers,
    reductions,
    relations,
    selection,
    symmetry,
    textbook,
    value,
)
from hingeproof.properties.law import LAWS as LAWS

GROUPS = ("value", "gradient", "symmetry", "relation", "reduction", "numerics", "interface", "modes", "textbook", "svm")
