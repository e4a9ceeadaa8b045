"""What an implementation may promise beyond the formula: the promises that laws of kind `promise` judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Selection = Literal["0", "1/2", "1", "any"]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Promises. `any` means: nothing promised, so what is seen is reported as a convention, never as a failure.

    kink: the weight w of the sub-gradient chosen at a kink, dφ = w·(the slope on the violated side); in `kink_in` by
    mode, where that differs.
    ties: among tied active classes, `first` gives the lowest index the whole sub-gradient.
    """

    kink: Selection = "any"
    ties: Literal["first", "any"] = "any"
    bad_label: Literal["raise", "any"] = "any"
    bad_shape: Literal["raise", "any"] = "any"
    label_dtypes: Literal["all", "any"] = "any"
    empty_batch: Literal["nan", "any"] = "any"
    mean_overflow: Literal["exact", "any"] = "any"
    accumulation: Literal["float32", "any"] = "any"
    nan: Literal["propagate", "any"] = "any"
    any_shape: Literal["works", "any"] = "any"
    kink_in: tuple[tuple[str, Selection], ...] = ()

    def for_mode(self, mode: str) -> Contract:
        """The promises for one mode."""
        return replace(self, kink=dict(self.kink_in).get(mode, self.kink), kink_in=())


REFERENCE_POLICY = Contract(
    kink="0", ties="first", bad_label="raise", bad_shape="raise", label_dtypes="all", empty_batch="nan",
    mean_overflow="exact", accumulation="float32", nan="propagate", any_shape="works",
)  # fmt: skip
