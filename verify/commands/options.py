"""A record of options as the parameters of a Typer command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from hingeproof.plan.option import Declared, declared, split

R = TypeVar("R", bound=msgspec.Struct)


def takes(record: type[R]) -> Callable[[Callable[[R], int]], Callable[..., int]]:
    """Make a command of a function that takes such a record and returns an exit code."""
    parameters = [_parameter(d) for d in declared(record)]

    def command(does: Callable[[R], int]) -> Callable[..., int]:
        @functools.wraps(does)
        def called(**given: Any) -> int:
            return does(_record(record, given))

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return command


def _parameter(d: Declared) -> inspect.Parameter:
    """Return what Typer is told of an option."""
    required = d.default is msgspec.NODEFAULT
    kind = bool if d.option.const else d.type if required or not d.many else d.type | None
    default = inspect.Parameter.empty if required else False if d.option.const else None if d.many else d.default
    about: dict[str, Any] = {"metavar": d.option.metavar, "help": d.option.help}
    info = typer.Argument(**about) if d.option.positional else typer.Option(*_names(d), **about)
    annotation = Annotated[kind, info]  # type: ignore[valid-type]
    return inspect.Parameter(d.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _names(d: Declared) -> list[str]:
    """Return how an option is written. One that may stay unsaid, so that pyproject.toml decides, has a `--no-`, too."""
    both = f"{d.flag}/--no-{d.flag[2:]}" if d.type == bool | None else d.flag
    return [both, *filter(None, [d.option.short])]


def _record(record: type[R], given: Mapping[str, Any]) -> R:
    values: dict[str, Any] = {d.among: {} for d in declared(record) if d.among}
    for d in declared(record):
        value = (d.option.const if given[d.name] else None) if d.option.const else given[d.name]
        if value is None:
            continue
        if d.many and not d.option.positional:
            value = split(value)
        (values[d.among] if d.among else values)[d.name] = value
    return record(**values)
