"""Which names a package of references exports: what its family files define. A loss is listed nowhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any


def functions(*families: ModuleType) -> dict[str, Callable[..., Any]]:
    """The losses, and in NumPy their gradients, that family files define: nothing imported or with an underscore."""
    return {
        name: found
        for family in families
        for name, found in vars(family).items()
        if inspect.isfunction(found) and found.__module__ == family.__name__ and not name.startswith("_")
    }
