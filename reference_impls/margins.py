"""Margin maps: how scores and labels become margins, exactly, with the error bound e(z) of the *computed* margin.

A sample's inputs are one flat row of coordinates (several input tensors stand one after the other). A map yields the
sample's terms; each is a margin z with its gradient over the row. Non-finite scores give non-finite margins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from flint import fmpq

from hingeproof.reference_impls.formats import Extended, Format

ZERO, ONE = fmpq(0), fmpq(1)
Params = Mapping[str, fmpq]
Row = Sequence[Extended]


@dataclass(frozen=True, slots=True)
class Term:
    """One margin: its value z, the bound `error` of a computed z, ∂z over the row, and that gradient's error bound.

    singular: z itself has no gradient here (coincident points, a zero vector); the gradient given is the policy's.
    """

    z: Extended
    gradient: dict[int, fmpq]
    error: fmpq = ZERO
    gradient_error: dict[int, fmpq] = field(default_factory=dict)
    singular: bool = False


# What a sample may be: how many tensors, a number or a vector in each, and the kind of its label. Whoever draws samples
# draws these.
Form = tuple[int, str, str | None]
FORMS: tuple[Form, ...] = (
    (1, "scalar", "sign"), (2, "scalar", "sign"), (1, "scalar", "real"), (1, "vector", "index"),
    (1, "vector", "multilabel"), (2, "vector", "sign"), (3, "vector", None),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MarginMap:
    """How a sample becomes margins.

    inputs: the tensors' names. row: "scalar" (one number a sample) or "vector" (K or D numbers a sample).
    targets: the kind of label: sign, real, index, multilabel, or None. operations: of arithmetic on one coordinate, to
    form its margin. norms: `terms` evaluates in balls. lengths: do margins grow with the scores? A cosine does not.
    """

    name: str
    formula: str
    latex: str
    inputs: tuple[str, ...]
    row: str
    targets: str | None
    terms: Callable[[Row, object, Params, Format], Iterator[Term]]
    operations: int
    norms: bool = False
    lengths: bool = True

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"{self.name}: no samples of the form {self.form} are drawn: it is one of {FORMS}")

    @property
    def form(self) -> Form:
        return len(self.inputs), self.row, self.targets

    @property
    def pairs(self) -> bool:
        """Are there margins for all pairs of classes, K² and not K of them?"""
        return self.targets == "multilabel"

    @cached_property
    def differences(self) -> bool:
        """Do all margins keep their values when one number is added to every score? (Derived from the gradients.)"""
        if self.norms or self.row != "vector":
            return False
        return all(sum(g.values(), ZERO) == 0 for g in self._gradients([1, -1, -1] if self.pairs else 1))

    @cached_property
    def signed(self) -> bool:
        """Does the label's sign turn the margin? (Derived from the gradients.)"""
        return self.targets == "sign" and not self.norms and self._gradients(1) != self._gradients(-1)

    def _gradients(self, target: object) -> list[dict[int, fmpq]]:
        return [t.gradient for t in self.terms([ZERO, ONE, 2 * ONE], target, {"margin": ONE}, _WIDE)]


_WIDE = Format("exact", 4096, -4096, 4096)


def subtract(a: Extended, b: Extended) -> Extended:
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return a - b
    return plain(a) - plain(b)


def plain(a: Extended) -> float:
    return 0.0 if isinstance(a, fmpq) else a


def times_sign(sign: int, a: Extended) -> Extended:
    return a if sign > 0 else -a


def difference_error(a: fmpq, b: fmpq, margin: fmpq, fmt: Format) -> fmpq:
    """The error of a − b before the last, monotone rounding, in whichever order Δ − (a − b) is evaluated.

    (Δ − (a − b)), ((Δ − a) + b) and ((Δ + b) − a) round their first operation; the inputs are known, so that
    rounding error is computed, not bounded.
    """
    return max(fmt.rounding_error(q) for q in (a - b, margin - a, margin + b))


def _difference(plus: int, minus: int, row: Row, params: Params, fmt: Format, sign: int = 1) -> Term:
    a, b = (row[plus], row[minus]) if sign > 0 else (row[minus], row[plus])
    gradient = {plus: ONE * sign, minus: -ONE * sign}
    if isinstance(a, fmpq) and isinstance(b, fmpq):
        return Term(a - b, gradient, difference_error(a, b, params.get("margin", ZERO), fmt))
    return Term(subtract(a, b), gradient)


def _binary(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    sign = int(target)  # type: ignore[call-overload]
    yield Term(times_sign(sign, row[0]), {0: ONE * sign})


def _plain_score(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    yield Term(row[0], {0: ONE})


def _ranking(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    yield _difference(0, 1, row, params, fmt, int(target))  # type: ignore[call-overload]


def _residual(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    s, t, epsilon = row[0], target, params["epsilon"]
    if isinstance(s, fmpq) and isinstance(t, fmpq):
        # (s − t) ∓ ε, (s ∓ ε) − t and s − (t ± ε): the first operation's rounding, as for differences
        first = (s - t, s - epsilon, s + epsilon, t + epsilon, t - epsilon)
        yield Term(s - t, {0: ONE}, max(fmt.rounding_error(q) for q in first))
    else:
        yield Term(subtract(s, t), {0: ONE})  # type: ignore[arg-type]


def _gaps(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    c = int(target)  # type: ignore[call-overload]
    for k in range(len(row)):
        if k != c:
            yield _difference(c, k, row, params, fmt)


def _one_vs_rest(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    for k, s in enumerate(row):
        sign = 1 if k == target else -1
        yield Term(times_sign(sign, s), {k: ONE * sign})


def label_set(labels: Sequence[int]) -> list[int]:
    """The labels before the first −1."""
    labels = [int(x) for x in labels]
    return labels[: labels.index(-1)] if -1 in labels else labels


def _multilabel(row: Row, target: object, params: Params, fmt: Format) -> Iterator[Term]:
    inside = label_set(target)  # type: ignore[arg-type]
    for j in inside:
        for k in range(len(row)):
            if k not in inside:
                yield _difference(j, k, row, params, fmt)


BINARY = MarginMap(
    name="binary", formula="z = y s", latex="z = y s", inputs=("scores",), row="scalar", targets="sign", terms=_binary,
    operations=1,
)  # fmt: skip
SCORE = MarginMap(
    name="score", formula="z = s", latex="z = s", inputs=("scores",), row="scalar", targets="sign", terms=_plain_score,
    operations=0,
)  # fmt: skip
RANKING = MarginMap(
    name="ranking", formula="z = y (x1 − x2)", latex="z = y (x_1 - x_2)", inputs=("x1", "x2"), row="scalar",
    targets="sign", terms=_ranking, operations=2,
)  # fmt: skip
RESIDUAL = MarginMap(
    name="residual", formula="z = s − t", latex="z = s - t", inputs=("scores",), row="scalar", targets="real",
    terms=_residual, operations=1,
)  # fmt: skip
GAPS = MarginMap(
    name="one_vs_rest_gaps", formula="z_k = s_c − s_k, k ≠ c", latex="z_k = s_c - s_k,\\ k \\ne c",
    inputs=("scores",), row="vector", targets="index", terms=_gaps, operations=1,
)  # fmt: skip
ONE_VS_REST = MarginMap(
    name="one_vs_rest", formula="z_k = y_k s_k", latex="z_k = y_k s_k", inputs=("scores",), row="vector",
    targets="index", terms=_one_vs_rest, operations=1,
)  # fmt: skip
MULTILABEL = MarginMap(
    name="multilabel", formula="z_jk = s_j − s_k, j ∈ T, k ∉ T",
    latex="z_{jk} = s_j - s_k,\\ j \\in T, k \\notin T", inputs=("scores",), row="vector", targets="multilabel",
    terms=_multilabel, operations=1,
)  # fmt: skip
