"""One adaptor a framework: arrays in, values and gradients out. A framework is imported when its adaptor is."""

from __future__ import annotations

import importlib
from typing import Any

from hingeproof.frameworks.implementation import Implementation

MODES = {
    "numpy": ("eager",),
    "torch": (
        "eager", "compile", "inductor", "vmap", "forward", "double_backward", "func_grad", "checkpoint", "autocast",
        "threads",
    ),
    "jax": ("eager", "jit", "vmap", "forward", "double_backward", "remat", "x64"),
    "mlx": ("eager", "compile", "vmap", "forward", "double_backward"),
    "tensorflow": ("eager", "compile"),
    "paddle": ("eager",),
}  # fmt: skip
# the same points again, by another way through the framework: nightly, or by --mode
LATTICE = ("func_grad", "checkpoint", "autocast", "threads", "remat", "x64")
COMPILED = ("jit", "compile", "inductor")


def backend(framework: str) -> Any:
    """The adaptor of a framework, imported now."""
    return importlib.import_module(f"hingeproof.frameworks.{framework}.adaptor")


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> Any:
    """An implementation ready to be called in one dtype, device and mode."""
    return backend(implementation.framework).subject(implementation, dtype, device, mode)
