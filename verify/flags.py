"""Options that several commands have: one spelling, one line of help. Imports Typer alone."""

from __future__ import annotations

from typing import Annotated

import typer

Names = list[str] | None
Loss = Annotated[Names, typer.Option(metavar="NAME,…", help="Losses [all].")]
Framework = Annotated[Names, typer.Option(metavar="NAME,…", help="numpy, torch, jax [all installed].")]
Device = Annotated[Names, typer.Option(metavar="NAME,…", help="cpu, cuda [cpu].")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
