"""`hingeproof report`, `diff` and `publish`: read runs, write every rendering that was asked for, exit by the worst."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hingeproof.commands.flags import Json
from hingeproof.errors import FINDING, GOOD, INTERNAL, INTERRUPTED, INVALID, NOTHING, UNDECIDED, USAGE, UsageError

Html = Annotated[str | None, typer.Option("--html", metavar="FILE", help="One self-contained page (-: stdout).")]
Markdown = Annotated[
    str | None, typer.Option("--markdown", metavar="FILE", help="For a step summary: at most 1 MiB.")
]  # fmt: skip
Comment = Annotated[
    str | None, typer.Option("--comment", metavar="FILE", help="Markdown for a comment: at most 65,536 characters.")
]
Junit = Annotated[str | None, typer.Option("--junit", metavar="FILE", help="JUnit XML.")]
Sarif = Annotated[str | None, typer.Option("--sarif", metavar="FILE", help="SARIF 2.1.0, for code-scanning.")]
Badge = Annotated[str | None, typer.Option("--badge", metavar="FILE", help="An SVG with the verdict.")]
Annotations = Annotated[bool, typer.Option("--annotations", help="Print at most 10 GitHub annotations.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the verdict sentence.")]
Color = Annotated[bool | None, typer.Option("--color/--no-color", help="[on a terminal, unless NO_COLOR is set]")]
Stored = Annotated[
    str | None, typer.Option("--history", metavar="DB", help="Draw the series of this history, with their changes.")
]

# The worst exit code wins, in this order.
WORST = (INTERRUPTED, INTERNAL, USAGE, INVALID, FINDING, NOTHING, UNDECIDED, GOOD)


def report(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run directories; several make one report.")],
    html: Html = None,
    markdown: Markdown = None,
    comment: Comment = None,
    junit: Junit = None,
    sarif: Sarif = None,
    badge: Badge = None,
    annotations: Annotations = False,
    history: Stored = None,
    json: Json = False,
    quiet: Quiet = False,
    color: Color = None,
) -> None:
    """Render runs: in the terminal, as HTML, Markdown, JUnit, JSON, SARIF, annotations and a badge."""
    from hingeproof.reports import model as load

    told = [load.run(Path(run)) for run in runs]
    names = load.distinct_names([Path(run) for run in runs])
    told = [msgspec.structs.replace(run, name=name) for run, name in zip(told, names, strict=True)]
    _reject_same_files((html, markdown, comment, junit, sarif, badge))
    verified = [run for run in told if run.info is not None]
    pairs = [(run.verified, run.summary) for run in verified]

    if html is not None:
        from hingeproof.reports.write import html as pages

        series = _series(history) if history is not None else ()
        _write("--html", html, pages.of_runs(told, _statements(), stored=series))
    elif history is not None:
        raise UsageError("--history is drawn on a page: add --html FILE")
    for option, target, limit in (("--markdown", markdown, "SUMMARY"), ("--comment", comment, "COMMENT")):
        if target is not None:
            from hingeproof.reports.write import markdown as md

            _write(option, target, md.of_runs(told, _statements(), limit=getattr(md, limit)))
    if junit is not None:
        from hingeproof.reports.write import junit as xml

        suites = [(run.verified, run.records) for run in verified]
        if junit == "-":
            sys.stdout.writelines(xml.document(suites))
        else:
            _guarded("--junit", junit, lambda: xml.write_runs(suites, Path(junit)))
    if sarif is not None:
        from hingeproof.reports.write import sarif as log

        _write("--sarif", sarif, log.of_runs(pairs, _statements(), _locate))
    if badge is not None:
        from hingeproof.reports.write import badge as picture

        _write("--badge", badge, picture.render([summary for _, summary in pairs]))
    if annotations:
        from hingeproof.reports.write import annotations as commands

        _print("\n".join(commands.of_runs(pairs)))
    if json:
        _print(msgspec.json.encode(load.as_data(told)).decode())
    elif quiet:
        _print("\n".join(load.sentence(run) for run in told))
    elif not annotations and not any((html, markdown, comment, junit, sarif, badge)):
        _terminal(told, color)
    raise typer.Exit(min((run.exit_code for run in told), key=WORST.index))


def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The run that counts as right so far.")],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The run to judge.")],
    html: Html = None,
    markdown: Markdown = None,
    comment: Comment = None,
    junit: Junit = None,
    sarif: Sarif = None,
    badge: Badge = None,
    annotations: Annotations = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Checks no longer judged are an exit code of their own (3).")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    color: Color = None,
) -> None:
    """Compare two runs; exit 1 when something got worse."""
    from hingeproof.reports import model as load
    from hingeproof.reports import tables
    from hingeproof.reports.write.terminal_diff import render

    sides = [load.run(Path(side), summarised=False) for side in (base, head)]
    names = load.distinct_names([Path(base), Path(head)])
    _reject_same_files((html, markdown, comment, junit, sarif, badge))
    if sides[0].kind != sides[1].kind:
        kinds = " and ".join(f"{path} is a {side.kind} run" for path, side in zip((base, head), sides, strict=True))
        raise UsageError(f"{kinds}: a diff needs two of one kind")
    if sides[0].kind == "gate":
        raise UsageError("a gate run is a comparison already: see hingeproof report, or diff two bench runs")
    d = load.difference(sides[0], sides[1], (names[0], names[1]), strict=strict)
    info = sides[1].info

    if html is not None:
        from hingeproof.reports.write import html as pages

        _write("--html", html, pages.of_difference(d, sides, _statements()))
    for option, target, limit in (("--markdown", markdown, "SUMMARY"), ("--comment", comment, "COMMENT")):
        if target is not None:
            from hingeproof.reports.write import markdown as md

            _write(option, target, md.of_difference(d, info, _statements(), limit=getattr(md, limit)))
    if junit is not None:
        from hingeproof.reports.write import junit as xml

        _write("--junit", junit, xml.of_difference(d))
    if sarif is not None:
        from hingeproof.reports.write import sarif as log

        _write("--sarif", sarif, log.of_difference(d, info, _statements(), _locate))
    if badge is not None:
        from hingeproof.reports.write import badge as picture

        _write("--badge", badge, picture.of_difference(d))
    if annotations:
        from hingeproof.reports.write import annotations as commands

        _print("\n".join(commands.of_difference(d, info)))
    if json:
        _print(msgspec.json.encode({"sentence": tables.diff_sentence(d), "difference": d}).decode())
    elif quiet:
        _print(tables.diff_sentence(d))
    elif not annotations and not any((html, markdown, comment, junit, sarif, badge)):
        render(d, info, _statements(), _console(color))
    raise typer.Exit(d.exit_code)


def publish(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run directories of any kind and age.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="The site's folder: new, empty, or an earlier site.")],
    history: Stored = None,
    quiet: Quiet = False,
) -> None:
    """Write a static site over runs: index, a page a run, loss and implementation, history. No server is needed."""
    from hingeproof.reports import model as load
    from hingeproof.reports.write import site

    names = load.distinct_names([Path(run) for run in runs])
    told = [msgspec.structs.replace(load.run(Path(run)), name=name) for run, name in zip(runs, names, strict=True)]
    files = site.pages(told, _statements(), _series(history) if history is not None else ())
    try:
        _guarded("--out", out, lambda: site.write(files, Path(out)))
    except FileExistsError:
        raise UsageError(f"--out {out} holds something that is no site of hingeproof: name another folder") from None
    if not quiet:
        print(f"{len(files):,} pages over {len(told):,} runs: {Path(out) / 'index.html'}")


def _series(where: str) -> Sequence[Any]:
    from hingeproof.bench.history import figures
    from hingeproof.bench.history.database import History

    with History(where, create=False) as history:
        return figures.of(history)


def _statements() -> Mapping[str, str]:
    """Return what each law says. Imports the catalogue, hence no earlier than it is wanted."""
    from hingeproof.properties.catalogue import LAWS

    return {name: law.statement for name, law in LAWS.items()}


def _terminal(told: Sequence[Any], color: bool | None) -> None:
    from hingeproof.reports import model as load

    console = _console(color)
    for place, run in enumerate(told):
        if len(told) > 1:
            _print(("\n" if place else "") + f"== {run.name}")
        load.to_terminal(run, _statements(), console)


def _console(color: bool | None) -> Any:
    from rich.console import Console

    if color is None:
        return Console(file=sys.stdout, highlight=False)
    return Console(file=sys.stdout, highlight=False, no_color=not color, force_terminal=color or None)


def _reject_same_files(targets: Sequence[str | None]) -> None:
    given = [str(Path(target).resolve()) for target in targets if target is not None]
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


def _write(option: str, target: str, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    if target == "-":
        sys.stdout.buffer.write(data)
        return

    def write() -> None:
        path = Path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    _guarded(option, target, write)


def _guarded(option: str, target: str, write: Callable[[], None]) -> None:
    try:
        write()
    except FileExistsError:
        raise
    except OSError as error:
        raise UsageError(f"{option} {target} cannot be written: {error.strerror}") from None


def _print(text: str) -> None:
    if text:
        sys.stdout.write(
            text.encode(sys.stdout.encoding or "utf-8", "backslashreplace").decode(sys.stdout.encoding) + "\n"
        )
