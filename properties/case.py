"""One example as a law sees it: a batch drawn, what the implementation answered, and what the pass offers beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from flint import fmpq

from hingeproof.properties.batch import Array, Batch, extended
from hingeproof.properties.call import Output, Subject, call, gradient_rows
from hingeproof.properties.contract import Contract
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import Extended

if TYPE_CHECKING:
    from hingeproof.properties.svm.optima import Optimum, RidgeArrays, Solver
    from hingeproof.properties.svm.visit import Visit

Move = Callable[[Batch], Batch]


@dataclass(kw_only=True)
class Pool:
    """What a pass offers to its laws beside the implementation, and what laws that are judged once share.

    reference: the reference of a loss in the implementation's framework. cross_entropy: of class 0, its value and the
    size of its slope, row by row. optimum: an SVM oracle, which nobody believes. settings: of the parameters, one for
    each certified problem. train: (batch, arrays, steps, smooth) → θ along a training run.
    """

    reference: Callable[[str], Subject]
    cross_entropy: Callable[[Array], list[tuple[float, float]]]
    optimum: Solver
    settings: Sequence[Mapping[str, fmpq]]
    train: Callable[[Batch, RidgeArrays, int, bool], list[tuple[int, Array]]]
    visits: list[tuple[Optimum, Visit]] = field(default_factory=list)


@dataclass(frozen=True)
class Moved:
    """A moved batch and the values there."""

    batch: Batch
    values: list[Extended]


@dataclass
class Case:
    """A batch under one implementation. Calls are made when first asked for, and kept."""

    subject: Subject
    batch: Batch
    contract: Contract
    pool: Pool
    _reduced: dict[str, Output] = field(default_factory=dict)
    _moved: dict[Move, Moved] = field(default_factory=dict)

    @property
    def loss(self) -> Loss:
        return self.batch.loss

    @cached_property
    def seen(self) -> Output:
        """Per-sample values, and gradients under the batch's cotangent where they can be had."""
        return self.call(self.batch)

    @property
    def values(self) -> list[Extended]:
        return extended(self.seen.value)

    @cached_property
    def gradient_rows(self) -> list[list[Extended]] | None:
        return gradient_rows(self.seen)

    def reduced(self, reduction: str) -> Output:
        """The batch's sum or mean, with the gradient of 1 × that number."""
        if reduction not in self._reduced:
            self._reduced[reduction] = self.call(self.batch, reduction)
        return self._reduced[reduction]

    def moved(self, move: Move) -> Moved:
        """The values after a move; a move made by one law is kept for the next."""
        if move not in self._moved:
            batch = move(self.batch)
            self._moved[move] = Moved(batch, extended(self.call(batch, gradients=False).value))
        return self._moved[move]

    def offers(self, reduction: str) -> bool:
        return reduction in self.subject.implementation.reductions

    def call(self, batch: Batch, reduction: str = "none", gradients: bool = True) -> Output:
        """Call the implementation on another batch. Raises: Unanswered, OutOfContract."""
        return call(self.subject, batch, reduction, gradients)
