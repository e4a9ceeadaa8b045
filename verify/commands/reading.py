"""What `report`, `diff` and `publish` share: runs read, the series of a history, and how to say less or otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from hingeproof.plan.option import Option

if TYPE_CHECKING:
    from hingeproof.reports.model import Told
    from hingeproof.runs.figures import Trend

Quiet = Annotated[bool, Option(short="-q", help="Print only the verdict sentence.")]
Json = Annotated[bool, Option(help="Print JSON instead of text.")]
Stored = Annotated[str | None, Option(metavar="DB", help="Draw the series of this history, with their changes.")]


def read(runs: Sequence[str], *, summarised: bool = True) -> list[Told]:
    """Return the runs in directories, under names that tell them apart. Raises: UsageError."""
    from hingeproof.reports import model

    directories = [Path(run) for run in runs]
    names = model.distinct_names(directories)
    told = [model.run(directory, summarised=summarised) for directory in directories]
    return [msgspec.structs.replace(run, name=name) for run, name in zip(told, names, strict=True)]


def series(history: str | None) -> Sequence[Trend]:
    """Return the series of a history, to be drawn."""
    if history is None:
        return ()
    from hingeproof.bench.history import figures
    from hingeproof.bench.history.database import History

    with History(history, create=False) as stored:
        return figures.of(stored)
