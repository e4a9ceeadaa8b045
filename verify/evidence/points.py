"""The same stratified points through every implementation and mode: what each answers, kept to be compared."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np

from hingeproof.frameworks.implementation import Implementation
from hingeproof.properties.batch import Batch, extended
from hingeproof.properties.call import OutOfContract, Subject, Unanswered, call, gradient_rows
from hingeproof.properties.strategies import Spec, foci_of
from hingeproof.reference_impls.definition import rational
from hingeproof.reference_impls.formats import FORMATS, Extended, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic

SIZE, WIDTH, TIMES = 8, 4, 2  # the shape that compiled modes have compiled already


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What one implementation in one mode answered: for each batch the values and gradients in hex, or None."""

    implementation: str
    framework: str
    loss: str
    dtype: str
    device: str
    mode: str
    scale: str
    fixed: dict[str, str]
    values: list[list[str] | None]
    gradients: list[list[list[str]] | None]


def points(loss: str, dtype: str, fixed: dict[str, str]) -> Iterator[Batch]:
    """The batches of a loss in a dtype: some for each focus, then some with scores in [0, 1]; default parameters."""
    spec = Spec(
        loss=LOSSES[loss],
        arithmetic=Arithmetic(FORMATS[dtype]),
        settable=frozenset(),
        fixed=tuple((n, rational(v)) for n, v in sorted(fixed.items())),
    )
    foci = foci_of(LOSSES[loss])
    unit = replace(spec, domain=(0.0078125, 1.0))
    for make, focus in [*((spec, f) for f in foci), (unit, "kink"), (unit, "inside")]:
        if focus not in foci:
            continue
        source = random.Random(zlib.crc32(f"{loss}|{dtype}|{focus}".encode()))
        width = WIDTH if LOSSES[loss].margins.row == "vector" else 1
        for _ in range(TIMES):
            batch = make.decode(focus, SIZE, width, source.randbytes(4096))
            yield batch.change(cotangent=np.ones_like(batch.cotangent))


def answers(made: Subject, implementation: Implementation, dtype: str, device: str, mode: str) -> Answers:
    """Ask a subject at all points. A call that is refused or leaves the contract is None."""
    values: list[list[str] | None] = []
    gradients: list[list[list[str]] | None] = []
    for batch in points(implementation.loss, dtype, dict(implementation.fixed)):
        try:
            seen = call(made, batch)
        except (Unanswered, OutOfContract):
            values.append(None)
            gradients.append(None)
            continue
        values.append([_hex(v) for v in extended(seen.value)])
        rows = gradient_rows(seen)
        gradients.append(None if rows is None else [[_hex(g) for g in row] for row in rows])
    return Answers(
        implementation=implementation.name, framework=implementation.framework, loss=implementation.loss, dtype=dtype,
        device=device, mode=mode, scale=implementation.scale, fixed=dict(implementation.fixed), values=values,
        gradients=gradients,
    )  # fmt: skip


def _hex(x: Extended) -> str:
    return to_float(x).hex()
