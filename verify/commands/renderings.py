"""What runs, and the difference of two, are rendered as. A row of the table is an option of `report` and of `diff`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

from hingeproof.commands.output import Content, statements, write
from hingeproof.errors import UsageError
from hingeproof.plan.option import Each, Option

if TYPE_CHECKING:
    from hingeproof.reports.compare import Difference
    from hingeproof.reports.model import Told
    from hingeproof.reports.summary import Summary
    from hingeproof.runs.figures import Trend
    from hingeproof.runs.records import RunInfo


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What a report shows: runs of any kind, and the series of a history."""

    told: Sequence[Told]
    stored: Sequence[Trend] = ()

    @property
    def verified(self) -> list[tuple[RunInfo, Summary]]:
        return [(run.verified, run.summary) for run in self.told if run.info is not None]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a diff shows: the difference, and both runs."""

    difference: Difference
    sides: tuple[Told, Told]

    @property
    def head(self) -> RunInfo | None:
        return self.sides[1].info


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """writer: the module in `reports/write/`, imported when it is asked for and given to the functions."""

    option: Option
    writer: str
    runs: Callable[[ModuleType, Runs], Content]
    difference: Callable[[ModuleType, Compared], Content]


def _file(help: str) -> Option:
    return Option(metavar="FILE", help=help)


def _lines(lines: Sequence[str]) -> Content:
    return "".join(f"{line}\n" for line in lines)


RENDERINGS: Mapping[str, Rendering] = {
    "html": Rendering(
        option=_file("One self-contained page (-: stdout)."),
        writer="html",
        runs=lambda html, shown: html.of_runs(shown.told, statements(), stored=shown.stored),
        difference=lambda html, shown: html.of_difference(shown.difference, shown.sides, statements()),
    ),
    "markdown": Rendering(
        option=_file("For a step summary: at most 1 MiB."),
        writer="markdown",
        runs=lambda md, shown: md.of_runs(shown.told, statements(), limit=md.SUMMARY),
        difference=lambda md, shown: md.of_difference(shown.difference, shown.head, statements(), limit=md.SUMMARY),
    ),
    "comment": Rendering(
        option=_file("Markdown for a comment: at most 65,536 characters."),
        writer="markdown",
        runs=lambda md, shown: md.of_runs(shown.told, statements(), limit=md.COMMENT),
        difference=lambda md, shown: md.of_difference(shown.difference, shown.head, statements(), limit=md.COMMENT),
    ),
    "junit": Rendering(
        option=_file("JUnit XML."),
        writer="junit",
        runs=lambda junit, shown: junit.document([(run.verified, run.records) for run in shown.told if run.info]),
        difference=lambda junit, shown: junit.of_difference(shown.difference),
    ),
    "sarif": Rendering(
        option=_file("SARIF 2.1.0, for code-scanning."),
        writer="sarif",
        runs=lambda sarif, shown: sarif.of_runs(shown.verified, statements(), _locate),
        difference=lambda sarif, shown: sarif.of_difference(shown.difference, shown.head, statements(), _locate),
    ),
    "badge": Rendering(
        option=_file("An SVG with the verdict."),
        writer="badge",
        runs=lambda badge, shown: badge.render([summary for _, summary in shown.verified]),
        difference=lambda badge, shown: badge.of_difference(shown.difference),
    ),
    "annotations": Rendering(
        option=Option(const="-", help="Print at most 10 GitHub annotations."),
        writer="annotations",
        runs=lambda annotations, shown: _lines(annotations.of_runs(shown.verified)),
        difference=lambda annotations, shown: _lines(annotations.of_difference(shown.difference, shown.head)),
    ),
}
# Where each rendering goes that was asked for, by its option: a file, or `-` for standard output.
Targets = Annotated[dict[str, str], Each({name: row.option for name, row in RENDERINGS.items()})]


def write_runs(shown: Runs, targets: Mapping[str, str]) -> None:
    """Write every rendering of runs that was asked for. Raises: UsageError where one cannot be written."""
    for name, row in _wanted(targets):
        write(f"--{name}", targets[name], row.runs(_writer(row), shown))


def write_difference(shown: Compared, targets: Mapping[str, str]) -> None:
    """Write every rendering of a difference that was asked for. Raises: UsageError where one cannot be written."""
    for name, row in _wanted(targets):
        write(f"--{name}", targets[name], row.difference(_writer(row), shown))


def _wanted(targets: Mapping[str, str]) -> list[tuple[str, Rendering]]:
    return [(name, row) for name, row in RENDERINGS.items() if name in targets]


def _writer(row: Rendering) -> ModuleType:
    return importlib.import_module(f"hingeproof.reports.write.{row.writer}")


def distinct(targets: Mapping[str, str]) -> None:
    """Raise UsageError where two renderings would go to one file."""
    given = [str(Path(target).resolve()) for name, target in targets.items() if not RENDERINGS[name].option.const]
    twice = next((target for target in given if given.count(target) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice: give each rendering a file of its own")


def _locate(target: str) -> str:
    """Return the file of a user's callable under the current directory, or the one that its module would have."""
    from hingeproof.reports.write.sarif import module_file

    wanted = module_file(target)
    package = wanted.removesuffix(".py") + "/__init__.py"
    candidates = (wanted, f"src/{wanted}", package, f"src/{package}")
    return next((name for name in candidates if Path(name).is_file()), wanted)
