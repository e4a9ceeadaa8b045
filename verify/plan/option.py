"""What stands beside a field of a record of options: how it is said on a command line, and what it decides of a plan.

The options of a command are one `msgspec.Struct`, declared once: a field is `Annotated[type, Option(…)]`. `commands/`
makes a command line of it, pyproject.toml is read with it, and a plan takes from it what it decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from hingeproof.errors import UsageError

P = TypeVar("P", bound=msgspec.Struct)


@dataclass(frozen=True, kw_only=True)
class Option:
    """sets: the field of a plan that takes the value as it is; decides: those that are made from it and others.

    positive: what to give (`at least 1`) where a number must be above 0. stored: it may stand in pyproject.toml.
    const: it is a flag, and stands for this text.
    """

    help: str
    metavar: str | None = None
    short: str = ""
    positional: bool = False
    const: str = ""
    sets: str = ""
    decides: tuple[str, ...] = ()
    positive: str = ""
    stored: bool = True


@dataclass(frozen=True)
class Each:
    """Stands beside a `dict[str, str]`: the options of a table, and which of them were said, by name."""

    options: Mapping[str, Option]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One option of a record. `type` is that of its value; `among`: the field that holds it, with others, by name."""

    name: str
    type: Any
    default: Any
    option: Option
    among: str = ""

    @property
    def many(self) -> bool:
        return get_origin(self.type) is list

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    def of(self, wanted: msgspec.Struct) -> Any:
        """Return its value in a record."""
        return getattr(wanted, self.among).get(self.name) if self.among else getattr(wanted, self.name)


@cache
def declared(record: type[msgspec.Struct]) -> tuple[Declared, ...]:
    """Return the options that a record declares, in its order."""
    found: list[Declared] = []
    for field in msgspec.structs.fields(record):
        match getattr(field.type, "__metadata__", ()):
            case (Option() as option,):
                default = [] if field.default_factory is list else field.default  # NODEFAULT: it is required
                found.append(Declared(name=field.name, type=get_args(field.type)[0], default=default, option=option))
            case (Each(options),):
                found += [
                    Declared(name=name, type=str | None, default=None, option=option, among=field.name)
                    for name, option in options.items()
                ]
    return tuple(found)


def split(values: Sequence[str] | None) -> list[str]:
    """Make repeated and comma-separated values equal, and each stand once."""
    return list(dict.fromkeys(part.strip() for value in values or () for part in value.split(",") if part.strip()))


def said(wanted: msgspec.Struct) -> dict[str, Any]:
    """Return the values that are not what they are when nobody says anything."""
    return {d.name: value for d in declared(type(wanted)) if (value := d.of(wanted)) != d.default}


def decided(wanted: msgspec.Struct) -> tuple[str, ...]:
    """Return the fields of a plan that what was said decides."""
    given = said(wanted)
    options = [d.option for d in declared(type(wanted)) if d.name in given]
    return tuple(dict.fromkeys(field for o in options for field in (o.sets, *o.decides) if field))


def check(wanted: msgspec.Struct) -> None:
    """Raise UsageError for a number that must be above 0 and is not."""
    for d in declared(type(wanted)):
        value = d.of(wanted)
        if d.option.positive and value is not None and not value > 0:
            raise UsageError(f"{d.flag} {value:g}: give {d.option.positive}")


def as_plan(wanted: msgspec.Struct, plan: type[P]) -> P:
    """Return a plan with what the options set as it is; what nobody said is left to the plan's own defaults."""
    values = {d.option.sets: d.of(wanted) for d in declared(type(wanted)) if d.option.sets}
    return msgspec.convert({field: value for field, value in values.items() if value not in (None, [])}, plan)
