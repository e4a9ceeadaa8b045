"""figures.jsonl of a run: curves as numbers, at most 2,000 points a figure. Any reader can import this."""

from __future__ import annotations

from typing import Any

import msgspec

AT_MOST = 2_000  # points of a figure
COLUMNS = 512  # of an error envelope


def _alike(*columns: list[Any]) -> None:
    """Raise ValueError (which a reader reports as damage) unless there is one value of each for every point."""
    if len({len(column) for column in columns}) > 1 or len(columns[0]) > AT_MOST:
        raise ValueError("a figure's lists must be of one length, at most 2,000")


class Kink(msgspec.Struct, frozen=True):
    """A point where φ has an interval of sub-gradients."""

    z: float
    value: float
    low: float
    high: float


class LossCurve(msgspec.Struct, frozen=True, kw_only=True, tag="curve"):
    """φ of a loss and its slope over the margin z, from the exact definition.

    label: the label it holds for, where φ depends on it. A z that stands twice is a break: the slope left and right
    of it. facts: what is derived from φ, as text.
    """

    loss: str
    title: str
    label: int | None = None
    formula: str
    latex: str
    margin: str
    parameters: dict[str, str] = {}
    facts: dict[str, str] = {}
    source: str
    z: list[float]
    value: list[float]
    slope: list[float]
    kinks: list[Kink]

    def __post_init__(self) -> None:
        _alike(self.z, self.value, self.slope)
        if not self.z:
            raise ValueError("a curve without points")


class UlpError(msgspec.Struct, frozen=True, kw_only=True, tag="ulp"):
    """The signed error of an implementation along all finite scores of a format, at one label.

    Column i holds the scores from `first[i]` on, in ascending order: the least and the greatest
    (computed − exact) / ulp(exact). None where nothing in the column was finite. wrong: results that are NaN, or
    infinite where the exact value does not round to infinity, or the other way round.
    """

    implementation: str
    loss: str
    framework: str
    dtype: str
    mode: str
    label: int
    scores: int
    first: list[float]
    low: list[float | None]
    high: list[float | None]
    worst: float
    worst_at: str
    wrong: int = 0

    def __post_init__(self) -> None:
        _alike(self.first, self.low, self.high)
        float.fromhex(self.worst_at)
        if not self.first:
            raise ValueError("an envelope without columns")


class Boundary(msgspec.Struct, frozen=True):
    """A line w₁x₁ + w₂x₂ + b = 0 and what it is."""

    name: str
    w: tuple[float, float]
    b: float


class SvmPicture(msgspec.Struct, frozen=True, kw_only=True, tag="svm"):
    """A binary problem in the plane with its certified optimum, and models trained on it."""

    name: str
    points: list[tuple[float, float]]
    labels: list[int]
    support: list[int]
    optimum: Boundary
    margin: float = 1.0
    trained: list[Boundary] = []
    facts: dict[str, str] = {}

    def __post_init__(self) -> None:
        _alike(self.points, self.labels)
        if not self.points:
            raise ValueError("a picture without samples")


class Training(msgspec.Struct, frozen=True, kw_only=True, tag="training"):
    """Training on a problem whose optimum is certified.

    suboptimality: (P(w) − P*)/|P*|, exact before it is rounded, None where it is not finite. margin: 1/‖w‖ over
    that of the optimum, None for w = 0.
    """

    check: str
    title: str
    optimiser: str
    steps: list[int]
    suboptimality: list[float | None]
    margin: list[float | None]

    def __post_init__(self) -> None:
        _alike(self.steps, self.suboptimality, self.margin)


class Moment(msgspec.Struct, frozen=True):
    """A point of a history: when (or which run), the value with its interval, and which environment."""

    at: str
    value: float
    low: float | None = None
    high: float | None = None
    environment: str = ""
    note: str = ""


class Trend(msgspec.Struct, frozen=True, kw_only=True, tag="history"):
    """A series over runs. change_points: indices at which the level changed, found by `bench/history`."""

    name: str
    unit: str
    points: list[Moment]
    change_points: list[int] = []


Figure = LossCurve | UlpError | SvmPicture | Training | Trend
