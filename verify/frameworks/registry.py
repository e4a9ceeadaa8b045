"""All frameworks: a folder each, and what other packages register. One is imported when its adaptor or kernel is."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from hingeproof.frameworks import jax, mlx, numpy, paddle, tensorflow, torch
from hingeproof.frameworks.facts import Framework
from hingeproof.reference_impls.registry import registered

if TYPE_CHECKING:
    from hingeproof.frameworks.implementation import Implementation

FOLDERS = (numpy, torch, jax, mlx, tensorflow, paddle)

FRAMEWORKS: dict[str, Framework] = {folder.FRAMEWORK.name: folder.FRAMEWORK for folder in FOLDERS}
FRAMEWORKS |= {f.name: f for f in registered("hingeproof.frameworks", Framework, FRAMEWORKS)}

MODES = {f.name: f.modes for f in FRAMEWORKS.values()}
LATTICE = tuple(dict.fromkeys(mode for f in FRAMEWORKS.values() for mode in f.lattice))
COMPILED = tuple(dict.fromkeys(mode for f in FRAMEWORKS.values() for mode in f.compiled))
REFERENCES = tuple(f.name for f in FRAMEWORKS.values() if f.references)


def adaptor(name: str) -> Any:
    """The adaptor of a framework, imported now: arrays in, values and gradients out."""
    return importlib.import_module(FRAMEWORKS[name].adaptor)


def subject(implementation: Implementation, dtype: str, device: str, mode: str) -> Any:
    """An implementation ready to be called in one dtype, device and mode."""
    return adaptor(implementation.framework).subject(implementation, dtype, device, mode)


def kernel(name: str) -> Any:
    """The class of a framework's timing kernels, imported now."""
    return importlib.import_module(FRAMEWORKS[name].kernel).Kernel


def kernel_path(name: str) -> str:
    """Where that class is written: it can be loaded by its path alone. The framework need not be here."""
    found = importlib.util.find_spec(FRAMEWORKS[name].kernel)
    assert found is not None
    assert found.origin is not None
    return found.origin
