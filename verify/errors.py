"""Exit codes, and the errors that a user made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

GOOD, FINDING, USAGE, UNDECIDED, INVALID, NOTHING, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130


class UsageError(Exception):
    """Something that the user can mend. The message is one line: what, where, and what to do next."""


def nearest(name: str, known: Iterable[str], *, at_most: int = 3) -> str:
    """Return `; did you mean a, b?` with the known names most like this one, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=at_most, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""


def among(name: str, known: Iterable[str], what: str, *, see: str = "") -> str:
    """Return the name if it is known. Raises: UsageError with the nearest names."""
    known = list(known)
    if name in known:
        return name
    hint = nearest(name, known) or (f": see {see}" if see else f": there are {', '.join(known)}")
    raise UsageError(f"no {what} is named {name!r}{hint}")


def with_article(noun: str) -> str:
    """Return `a noun`, or `an` where it begins with a vowel."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
