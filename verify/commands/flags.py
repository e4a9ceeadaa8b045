"""Options that several commands have: one spelling, one line of help. Imports Typer alone."""

from __future__ import annotations

from typing import Annotated

import typer

Names = list[str] | None
Loss = Annotated[Names, typer.Option(metavar="NAME,…", help="Losses [all].")]
Framework = Annotated[Names, typer.Option(metavar="NAME,…", help="Frameworks, as doctor lists them [all installed].")]
Device = Annotated[Names, typer.Option(metavar="NAME,…", help="cpu, cuda [cpu].")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Contract = Annotated[
    str | None,
    typer.Option(
        metavar="KEY=VALUE,…",
        help="What your own callable promises: labels=01,kink=any,scale=1/K; strict: the references' whole policy.",
    ),
]
