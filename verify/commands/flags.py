"""What several small commands have: one spelling, one line of help. Imports Typer alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run directory that --out named.")]
Check = Annotated[str, typer.Argument(metavar="CHECK", help="The check, or a unique beginning of it.")]
