"""The error of an implementation along all finite float16 scores, as a least and a greatest ulp for each column."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from flint import fmpq

from hingeproof.frameworks.environment import present
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import subject
from hingeproof.plan.checks import implementations
from hingeproof.properties.batch import Array, Batch
from hingeproof.reference_impls.formats import FORMATS, exact, to_float
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic
from hingeproof.runs.figures import COLUMNS, SvmPicture, UlpError
from hingeproof.runs.records import Plan

DTYPE = "float16"
FORMAT = FORMATS[DTYPE]


def applies(implementation: Implementation) -> bool:
    """One score decides a sample, float16 is offered, and so is a loss for each sample."""
    margins = LOSSES[implementation.loss].margins
    single = margins.row == "scalar" and margins.inputs == ("scores",) and margins.targets == "sign"
    return single and DTYPE in implementation.dtypes and "none" in implementation.reductions


def scores() -> Array:
    """All finite float16 numbers in ascending order, one zero."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    return np.unique(finite)


def label_of(loss: str) -> int:
    """+1, or where φ depends on the label the one that gives it more breaks."""
    shapes = LOSSES[loss].shapes
    return max((1, -1), key=lambda label: len(shapes.get(label, shapes.get(None)).breaks))  # type: ignore[union-attr]


@lru_cache(maxsize=32)
def truth(loss: str) -> tuple[Array, Array]:
    """The exact values at `label_of` the loss and default parameters, and the ulp at each.

    They are rounded to float64, which moves an error by at most 2⁻⁴² ulp of float16.
    """
    family = LOSSES[loss]
    phi = family.shape(label_of(loss) if family.labels_decide else None, family.defaults)
    values = []
    for x in scores().tolist():
        q = exact(x)
        assert isinstance(q, fmpq)
        values.append(to_float(phi(q)))
    value = np.array(values)
    _, exponent = np.frexp(np.abs(value))
    ulp = np.exp2(np.clip(exponent - 1, FORMAT.emin, FORMAT.emax).astype(np.float64) - FORMAT.precision + 1)
    return value, ulp


def envelope(implementation: Implementation) -> UlpError:
    """Call an implementation on all scores at once and measure it."""
    x = scores()
    labels = np.full(len(x), label_of(implementation.loss), dtype=np.int64)
    loss = LOSSES[implementation.loss]
    batch = Batch(
        loss=loss,
        arithmetic=Arithmetic(FORMAT, False),
        inputs=(x,),
        targets=labels,
        params=loss.defaults,
        cotangent=np.ones(len(x)),
    )
    output = subject(implementation, DTYPE, "cpu", "eager").run(batch, "none")
    return measured(implementation, np.asarray(output.value).astype(np.float64).reshape(-1))


def measured(implementation: Implementation, got: Array) -> UlpError:
    """Return the figure for values got at `scores()`."""
    x = scores()
    want, ulp = truth(implementation.loss)
    overflows = np.abs(want) >= to_float(FORMAT.overflow)
    both = overflows & np.isinf(got) & (np.sign(got) == np.sign(want))
    with np.errstate(invalid="ignore"):
        error = np.where(both, 0.0, (got - want) / ulp)
    wrong = ~np.isfinite(error) | (overflows & ~both)
    error = np.where(wrong, np.nan, error)
    starts = [len(x) * i // COLUMNS for i in range(COLUMNS)]
    columns = [error[a:b][~wrong[a:b]] for a, b in zip(starts, [*starts[1:], len(x)], strict=True)]
    size = np.abs(np.where(wrong, 0.0, error))
    worst = int(np.argmax(size))
    return UlpError(
        implementation=implementation.name,
        loss=implementation.loss,
        framework=implementation.framework,
        dtype=DTYPE,
        mode="eager",
        label=label_of(implementation.loss),
        scores=len(x),
        first=[float(x[a]) for a in starts],
        low=[_short(c.min()) if len(c) else None for c in columns],
        high=[_short(c.max()) if len(c) else None for c in columns],
        worst=_short(size[worst]),
        worst_at=float(x[worst]).hex(),
        wrong=int(wrong.sum()),
    )


def _short(value: Any) -> float:
    return float(f"{float(value):.6g}")


def figures(plan: Plan) -> Iterator[UlpError | SvmPicture | str]:
    """Yield the figures of a plan's implementations that call them, or why there is none."""
    # users' code last: should it take the process down, the rest is on the disk
    for name, implementation in sorted(implementations(plan).items(), key=lambda item: item[1].user):
        for wanted, make in ((applies(implementation), envelope), (_trains(implementation), _picture)):
            if not wanted:
                continue
            try:
                yield make(implementation)
            except Exception as error:  # whatever a user's code raises: its verdicts stand in the records
                yield f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _trains(implementation: Implementation) -> bool:
    return implementation.name == "textbook.hinge_loss" and all(map(present, ("torch", "cvxpy")))


def _picture(_: Implementation) -> SvmPicture:
    from hingeproof.evidence.picture import picture

    return picture()


def main(directory: Path) -> None:
    """Write the figures of a run to `figures.part`, one line each; what has none is said on stderr."""
    from hingeproof.runs.kinds import VERIFY
    from hingeproof.runs.reader import read_info

    sys.path.insert(0, "")
    plan = read_info(directory, VERIFY).plan
    with (directory / "figures.part").open("wb") as file:
        for figure in figures(plan):
            if isinstance(figure, str):
                print(figure, file=sys.stderr)
            else:
                file.write(msgspec.json.encode(figure) + b"\n")
                file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
