"""Text that others chose (names, messages, numbers), made fit to print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Control characters, lone surrogates, and the marks that reorder or hide text: a name must not move
# the cursor, recolour the terminal or read differently from what it is. Line breaks stay.
UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def visible(text: str) -> str:
    """Return text with what would not be seen as `\\x..` or `\\u....`; a tab as four blanks."""

    def escape(found: re.Match[str]) -> str:
        code = ord(found[0])
        return "    " if code == 9 else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return UNSAFE.sub(escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text on one line, fit to print."""
    return visible(" ".join(text.split()))


def number(count: int, word: str = "") -> str:
    """Return `1,240 checks`, `1 check`."""
    plural = word if count == 1 or not word else f"{word}es" if word.endswith(("s", "sh")) else f"{word}s"
    return f"{count:,} {plural}".rstrip()


def shorten(name: str, width: int) -> str:
    """Return a name in at most `width` characters; the end tells more than the middle."""
    if len(name) <= width:
        return name
    tail = (width - 1) * 2 // 3
    return name[: width - 1 - tail] + "…" + name[len(name) - tail :]


def names(members: Sequence[str], everyone: Iterable[str], *, at_most: int = 4) -> list[str]:
    """Return names to list: `jax.* (18)` where at least three of one namespace are meant, then `3 more`.

    everyone: all names of the run, so that `jax.* (17 of 18)` says when one of them is not meant.
    """
    spaces: dict[str, list[str]] = {}
    for name in sorted(members):
        spaces.setdefault(_namespace(name), []).append(name)
    sizes: dict[str, int] = {}
    for name in set(everyone) | set(members):
        sizes[_namespace(name)] = sizes.get(_namespace(name), 0) + 1
    shown: list[str] = []
    for space, inside in spaces.items():
        if space and len(inside) >= 3:
            of = "" if len(inside) == sizes[space] else f" of {sizes[space]}"
            shown.append(f"{space}.* ({len(inside)}{of})")
        else:
            shown += inside
    if len(shown) > at_most:
        shown[at_most - 1 :] = [f"{len(shown) - at_most + 1} more"]
    return [one_line(name) for name in shown]


def _namespace(name: str) -> str:
    return "" if ":" in name else name.rpartition(".")[0]
