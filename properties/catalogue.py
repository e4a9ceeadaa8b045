"""Every law, in the order of the table."""

from __future__ import annotations

from hingeproof.properties.law import LAWS as LAWS
from hingeproof.properties.laws import (  # noqa: F401  (importing a module enters its laws)
    gradient,
    interface,
    modes,
    numerics,
    reductions,
    relations,
    selection,
    symmetry,
    textbook,
    value,
)
from hingeproof.properties.svm import optimality, optimisers  # noqa: F401
