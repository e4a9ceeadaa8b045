"""The ledger: known deviations, each with a witness that is replayed at every run.

The shipped ledger is `ledger/deviations.toml`; a project's own is `./hingeproof-deviations.toml` (--ledger), read in
addition. An entry speaks of one law of one implementation, in the dtypes, modes and releases that it names.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

from hingeproof.errors import UsageError, among
from hingeproof.ledger.versions import within
from hingeproof.properties.failure_kinds import KINDS, Kinded, in_words, same_kind
from hingeproof.runs.records import Check, Deviation, Record

OWN = Path("hingeproof-deviations.toml")
REVIEW = datetime.timedelta(days=182)


class Ledger(msgspec.Struct, forbid_unknown_fields=True):
    deviation: list[Deviation] = []


def shipped() -> tuple[Deviation, ...]:
    """Return the entries that come with hingeproof."""
    return read(files("hingeproof.ledger") / "deviations.toml")  # type: ignore[arg-type]


def ledger(own: str | None) -> tuple[Deviation, ...]:
    """Return all entries: the shipped ones, then the project's.

    Raises: UsageError for a file that is missing or no ledger, and for an entry that names nothing.
    """
    path = Path(own) if own is not None else OWN
    if own is None and not path.exists():
        return shipped()
    mine = read(path)
    _check(mine, path)
    entries = (*shipped(), *mine)
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise UsageError(f"{path}: two entries have the id {entry.id!r}: rename one")
        seen.add(entry.id)
    return entries


def read(path: Path) -> tuple[Deviation, ...]:
    """Return the entries of one file. Raises: UsageError, for the kinds of an older hingeproof too."""
    entries = decoded(path)
    for entry in entries:
        if entry.kind not in KINDS or (entry.kind == "raised") != bool(entry.error):
            raise UsageError(
                f"{path}, entry {entry.id!r}: no kind is {in_words(entry)!r}: if an older hingeproof wrote it, "
                f"run hingeproof deviations migrate --ledger {path}; kinds are {', '.join(KINDS)}"
            )
    return entries


def decoded(path: Path) -> tuple[Deviation, ...]:
    """Return the entries of one file, whatever their kinds. Raises: UsageError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return tuple(msgspec.convert(data, Ledger).deviation)
    except FileNotFoundError:
        raise UsageError(f"--ledger {path} does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is no ledger: {' '.join(str(error).split())}") from None


def _check(entries: Iterable[Deviation], path: Path) -> None:
    from hingeproof.contracts import IMPLEMENTATIONS
    from hingeproof.properties.catalogue import LAWS

    for entry in entries:
        try:
            among(entry.law, LAWS, "law")
            if ":" not in entry.implementation:  # a callable of the project's, in this run or not
                among(entry.implementation, IMPLEMENTATIONS, "implementation")
            within(entry.versions)
        except (UsageError, ValueError) as error:
            raise UsageError(f"{path}, entry {entry.id!r}: {error}") from None


def applies(entry: Deviation, check: Check) -> bool:
    """Tell whether an entry speaks of this check, on the releases that are installed."""
    return (
        entry.law == check.law
        and entry.implementation == check.implementation
        and entry.loss == check.loss
        and check.dtype in entry.dtypes
        and check.mode in entry.modes
        and check.device in entry.devices
        and within(entry.versions) is True
    )


def overdue(entries: Iterable[Deviation], today: datetime.date) -> list[Deviation]:
    """Return the entries that should have been looked at again by now."""
    return [e for e in entries if e.review_by < today]


# -- writing -----------------------------------------------------------------------------------------------------------


def made(records: Sequence[Record], wanted: Record, *, link: str, why: str, today: datetime.date) -> Deviation:
    """Return an entry for a failing verdict; its scope is every dtype, mode and device of the run that fails alike."""
    from hingeproof.contracts import IMPLEMENTATIONS
    from hingeproof.frameworks.environment import distributions, version

    assert wanted.witness is not None
    assert wanted.witness.kind is not None
    alike = [
        r for r in records
        if (r.law, r.implementation, r.loss, r.verdict) == (wanted.law, wanted.implementation, wanted.loss, "fail")
        and r.witness is not None and same_kind(r.witness, wanted.witness)
    ]  # fmt: skip
    known = IMPLEMENTATIONS.get(wanted.implementation)
    package = distributions(wanted.framework)[0]
    versions = known.versions if known is not None and known.versions else f"{package}=={version(package)}"
    return Deviation(
        id=named(wanted, wanted.witness),
        implementation=wanted.implementation,
        law=wanted.law,
        loss=wanted.loss,
        dtypes=_distinct(r.dtype for r in alike),
        modes=_distinct(r.mode for r in alike),
        devices=_distinct(r.device for r in alike),
        versions=versions,
        kind=wanted.witness.kind,
        error=wanted.witness.error,
        check=wanted.check,
        observed=_short(wanted.witness.observed),
        allowed=_short(wanted.witness.expected),
        why=why,
        link=link,
        since=today,
        review_by=today + REVIEW,
        witness=wanted.witness.asked or wanted.witness.inputs,
        parameters={k: v for k, v in wanted.witness.parameters.items() if k not in ("reduction", "sample")},
    )


def named(where: Record | Deviation, kind: Kinded) -> str:
    """Return the id of an entry, unless somebody gave it another."""
    return f"{where.implementation}/{where.law}/{in_words(kind).replace(' ', '-')}"


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:159]}…"


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def as_toml(entry: Deviation) -> str:
    """Return an entry as the text that is appended to a ledger."""
    lines = ["[[deviation]]"]
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if name in ("witness", "parameters") or (name == "error" and not value):
            continue
        shown = str(value) if isinstance(value, datetime.date) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{name} = {shown}")
    lines.append("parameters = { " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in entry.parameters.items()) + " }")
    for name, tensor in entry.witness.items():
        lines.append(f"[deviation.witness.{json.dumps(name)}]")
        lines += [f"{f} = {json.dumps(getattr(tensor, f))}" for f in ("dtype", "shape", "hex")]
        lines.append("decimal = []")
    return "\n".join(lines) + "\n"


def add(run: Path, check: str, *, link: str, why: str, own: str | None, today: datetime.date) -> tuple[Path, Deviation]:
    """Append an entry to the project's ledger. Raises: UsageError where there is nothing to record."""
    from hingeproof.runs.kinds import VERIFY
    from hingeproof.runs.reader import read as read_run

    if not link.startswith(("https://", "http://")):
        raise UsageError(f"--link {link!r} is no URL: give the issue where the deviation is reported")
    if not why.strip():
        raise UsageError("--why is empty: say in a sentence why this is known and left as it is")
    records = read_run(run, VERIFY).records
    record = the_one(records, check)
    if record.verdict != "fail" or record.witness is None:
        raise UsageError(f"{record.check} is {record.verdict}: only a failing verdict can be recorded")
    if record.witness.kind is None:
        raise UsageError(f"{run} was written by an older hingeproof, which noted no kinds of failures: verify again")
    path = Path(own) if own is not None else OWN
    entry = made(records, record, link=link, why=why, today=today)
    before = read(path) if path.exists() else ()
    if any(e.id == entry.id for e in (*shipped(), *before)):
        raise UsageError(f"{entry.id} is in the ledger already: remove that entry first")
    text = as_toml(entry)
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if path.stat().st_size else "") + text)
    return path, entry


def the_one(records: Sequence[Record], check: str) -> Record:
    """Return the record that a CHECK, or a unique beginning of one, means. Raises: UsageError."""
    exact = [r for r in records if r.check == check]
    found = exact or [r for r in records if r.check.startswith(check)]
    failing = [r for r in found if r.verdict == "fail"]
    if len(failing) == 1:
        return failing[0]
    if not found:
        raise UsageError(f"no check of the run is {check!r}: CHECK is printed with every failure")
    if len(found) > 1:
        some = ", ".join(r.check for r in (failing or found)[:3])
        raise UsageError(f"{check!r} begins {len(failing or found)} checks ({some} …): give more of it")
    return found[0]
