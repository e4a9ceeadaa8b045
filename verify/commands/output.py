"""Where commands write: a console, standard output, files that were named."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hingeproof.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

Content = str | bytes | Iterable[str]


def console(color: bool | None, stream: TextIO | None = None) -> Console:
    """Return a console on standard output, or on another stream. color: None where the terminal is to say."""
    from rich.console import Console

    stream = stream or sys.stdout
    if color is None:
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, no_color=not color, force_terminal=color or None)


def statements() -> Mapping[str, str]:
    """Return what each law says. Imports the catalogue, hence no earlier than it is wanted."""
    from hingeproof.properties.catalogue import LAWS

    return {name: law.statement for name, law in LAWS.items()}


def say(text: str) -> None:
    """Print a text, in the characters that standard output has."""
    if text:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def write(option: str, target: str, content: Content) -> None:
    """Write to a file, or to standard output where the target is `-`. Raises: UsageError where it cannot be written."""
    chunks = [content] if isinstance(content, str | bytes) else content
    data = (c if isinstance(c, bytes) else c.encode("utf-8", "backslashreplace") for c in chunks)
    if target == "-":
        sys.stdout.flush()
        sys.stdout.buffer.writelines(data)
        return
    try:
        path = Path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(data)
    except OSError as error:
        raise cannot_write(option, target, error) from None


def cannot_write(option: str, target: str, error: OSError) -> UsageError:
    """Return what is said of a file or folder that cannot be written."""
    return UsageError(f"{option} {target} cannot be written: {error.strerror}")
