"""Entries of an older hingeproof, which told a failure's kind by its text: the kind as data, and the file rewritten.

The only place where such text is read still.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hingeproof.errors import UsageError
from hingeproof.ledger.deviations import Ledger, named
from hingeproof.properties.failure_kinds import KINDS, Kinded, in_words, same_kind
from hingeproof.runs.records import Deviation

# (law, what its text began with, the kind that this was), the first that fits; a group is the exception's class.
# None: the text does not tell
_TEXTS: tuple[tuple[str, str, str | None], ...] = (
    ("*", "a result of shape ", "shape"),
    ("*", "not finite", None),
    ("dtype_kept", "", "dtype"),
    ("inputs_untouched", "", "overwritten"),
    ("bad_label", r"label .+ is answered with \[", "accepted"),
    ("bad_label", r"label .+? raises (\w+)", "raised"),
    ("bad_shape", "shapes .+ are answered with ", "accepted"),
    ("bad_shape", r"(\w+): ", "raised"),
    ("label_dtypes", r"\w+ labels: raised (\w+)", "raised"),
    ("label_dtypes", r"\w+ labels: a result of shape ", "shape"),
    ("label_dtypes", "", None),
    ("any_shape", "", None),
    ("empty_batch", "", None),
)
_ONLY_NEW = ("dtype", "raised", "accepted", "overwritten")


class ToldKind(msgspec.Struct, frozen=True):
    """A kind, told from text."""

    kind: str
    error: str = ""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the witness of an entry shows here; `why`: it could not be asked, or breaks the law no longer."""

    kind: str = ""
    error: str = ""
    observed: str = ""
    why: str = ""


def by_text(entry: Deviation) -> Kinded | None:
    """Return the kind that an entry's text tells, or None where it tells none for sure."""
    if entry.kind in _ONLY_NEW:
        return entry
    if entry.kind.startswith("raised "):
        return ToldKind("raised", entry.kind.split()[1])
    for law, text, kind in _TEXTS:
        found = re.match(text, entry.observed) if law in ("*", entry.law) else None
        if found is not None:
            return None if kind is None else ToldKind(kind, "".join(found.groups()))
    return ToldKind(entry.kind) if entry.kind in KINDS else None


def as_told_before(observed: str) -> str:
    """Return what an older hingeproof took an observation for."""
    if observed.startswith("raised "):
        return " ".join(observed.split(":")[0].split()[:2])
    if "result of shape" in observed:
        return "shape"
    if "nan" in observed:
        return "nan"
    return "infinity" if "inf" in observed else "number"


def decided(entry: Deviation, shown: Shown) -> tuple[Deviation | None, str]:
    """Return an entry with its kind, or None where nothing tells it; and why its witness did not, if so."""
    why = shown.why
    if not why and same_kind(shown, entry):
        return entry, ""
    if not why and as_told_before(shown.observed) == entry.kind:
        return migrated(entry, shown), ""
    told = by_text(entry)
    return None if told is None else migrated(entry, told), why or f"the witness shows {in_words(shown)} now"


def migrated(entry: Deviation, kind: Kinded) -> Deviation:
    """Return an entry with its kind; an id that was made of the old one is made of this one."""
    assert kind.kind is not None
    name = named(entry, kind) if entry.id == named(entry, entry) else entry.id
    return replace(entry, id=name, kind=kind.kind, error=kind.error)


def apart(before: Sequence[Deviation], after: Sequence[Deviation]) -> list[Deviation]:
    """Return the entries after a migration; those that came to the same id keep the ones that they had."""
    count = Counter(entry.id for entry in after)
    return [new if count[new.id] == 1 else replace(new, id=old.id) for old, new in zip(before, after, strict=True)]


def rewrite(path: Path, entries: Sequence[Deviation]) -> None:
    """Put the ids, kinds and errors of these entries into a ledger that has them; the rest stays, letter by letter.

    Raises: UsageError where the file is not laid out as `deviations add` writes it, and nothing is written then.
    """
    head, *blocks = re.split(r"^(?=\[\[deviation\]\])", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = head + "".join(_rewritten(*both) for both in zip(blocks, entries, strict=False))
    try:
        right = msgspec.convert(tomllib.loads(text), Ledger).deviation == list(entries)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        right = False
    if not right:
        raise UsageError(f"{path}: give each entry a line [[deviation]], one of `id = …` and one of `kind = …`")
    path.write_text(text, encoding="utf-8")


def _rewritten(block: str, entry: Deviation) -> str:
    error = f"\nerror = {json.dumps(entry.error)}" if entry.error else ""
    lines = {"error": "", "id": f"id = {json.dumps(entry.id)}", "kind": f"kind = {json.dumps(entry.kind)}{error}"}
    for name, line in lines.items():
        end = r"\n" if name == "error" else ""
        old = rf"""^{name} *= *("[^"\n]*"|'[^'\n]*'){end}"""
        block = re.sub(old, line.replace("\\", r"\\"), block, count=1, flags=re.MULTILINE)
    return block
