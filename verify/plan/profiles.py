"""The profiles: how much a run does."""

from __future__ import annotations

from dataclasses import dataclass

from hingeproof.frameworks.registry import LATTICE


@dataclass(frozen=True)
class Effort:
    """How much a run does. `examples` are batches for each focus; `thin`: fewer samples judged on a focus than this."""

    examples: int
    compiled_examples: int
    thin: int
    dtypes: tuple[str, ...]
    half_modes: tuple[str, ...]
    modes: tuple[str, ...]


PROFILES = {
    "quick": Effort(12, 5, 2, ("float32",), ("eager",), ("eager", "jit")),
    "ci": Effort(
        32, 7, 4, ("float32", "float64", "bfloat16", "float16"), ("eager",),
        ("eager", "jit", "compile", "vmap", "forward", "double_backward"),
    ),
    "nightly": Effort(
        300, 40, 20, ("float32", "float64", "bfloat16", "float16"),
        ("eager", "jit", "compile", "inductor", "vmap", "forward", "double_backward", *LATTICE),
        ("eager", "jit", "compile", "inductor", "vmap", "forward", "double_backward", *LATTICE),
    ),
}  # fmt: skip
HALF = ("float16", "bfloat16")
LIBRARIES = ("float32", "bfloat16")  # what `ci` looks at in other people's code; `nightly` at all
