"""The gate's processes find what stands beside the studies by its name: `planted:slower_3`, `spellings:clamp`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hingeproof.bench.gate.side import Side, prepare

FOLDER = str(Path(__file__).resolve().parent)


def sides(base: str, head: str) -> tuple[Side, Side]:
    """Both sides of a gate, with one thread and this folder on their path."""
    first, second = prepare(base, head, 1)
    return _beside(first), _beside(second)


def _beside(side: Side) -> Side:
    return replace(side, place=side.place.having(path(side.place.environment)))


def path(environment: Mapping[str, str]) -> dict[str, str]:
    """The variable that puts this folder in front of an environment's path."""
    return {"PYTHONPATH": os.pathsep.join([FOLDER, *filter(None, [environment.get("PYTHONPATH")])])}
