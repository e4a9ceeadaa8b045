"""Options are declared once: the command line, pyproject.toml, plans and --resume all take them from their record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
import typer
from tests.made import everything, stored

from hingeproof.bench.options import GateOptions, RunOptions
from hingeproof.commands.diff import DiffOptions
from hingeproof.commands.main import run
from hingeproof.commands.options import takes
from hingeproof.commands.publish import PublishOptions
from hingeproof.commands.renderings import RENDERINGS, Rendering, Runs, write_runs
from hingeproof.commands.report import ReportOptions
from hingeproof.errors import UsageError
from hingeproof.plan.option import Each, Option, as_plan, check, decided, declared, said
from hingeproof.plan.options import VerifyOptions, options
from hingeproof.plan.proof_options import ProveOptions
from hingeproof.runs.records import Plan
from hingeproof.runs.timings import BenchPlan

RECORDS: dict[str, type[msgspec.Struct]] = {
    "verify": VerifyOptions,
    "prove": ProveOptions,
    "bench run": RunOptions,
    "bench gate": GateOptions,
    "report": ReportOptions,
    "diff": DiffOptions,
    "publish": PublishOptions,
}


def plain(text: str) -> str:
    return "".join(text.split())  # help is wrapped at words and at hyphens


@pytest.mark.parametrize("command", RECORDS)
def test_help_says_what_is_declared_in_its_order(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    rest = plain(capsys.readouterr().out)
    for d in declared(RECORDS[command]):
        for part in (d.option.metavar or "", d.option.help) if d.option.positional else (d.flag, d.option.help):
            before, found, rest = rest.partition(plain(part))
            assert found, f"{part!r} is missing, or not in its place after {before[-60:]!r}"


# -- what an option decides of a plan --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "plan", "elsewhere"),
    [(VerifyOptions, Plan, {"checks"}), (RunOptions, BenchPlan, {"block_seconds"})],
)
def test_every_field_of_a_plan_is_decided_by_an_option(
    record: type[msgspec.Struct], plan: type[msgspec.Struct], elsewhere: set[str]
) -> None:
    fields = {f for d in declared(record) for f in (d.option.sets, *d.option.decides) if f}
    assert fields == set(plan.__struct_fields__) - elsewhere


def test_a_plan_has_its_own_defaults_where_nothing_was_said() -> None:
    assert as_plan(VerifyOptions(), Plan) == Plan()
    assert as_plan(RunOptions(), BenchPlan) == BenchPlan()
    some = as_plan(VerifyOptions(loss=["hinge"], profile="quick", seed=0, strict=True), Plan)
    assert some == Plan(losses=("hinge",), profile="quick", strict=True)


def test_what_pyproject_says_is_not_what_was_said() -> None:
    path = Path("pyproject.toml")
    path.write_text('[tool.hingeproof]\nseed = 3\nloss = "hinge"\n', encoding="utf-8")
    found = options(VerifyOptions(reference=True, mode=["eager"], grad="m:f", jobs=2, fail_fast=False), path)
    assert (found.seed, found.loss) == (3, ["hinge"])
    assert found.decided == ("modes", "patterns", "users")
    assert decided(VerifyOptions(patterns=["numpy.*"])) == ("patterns", "users")
    assert decided(VerifyOptions(seed=0)) == ("seed",)


def test_what_a_gate_times_is_declared_as_in_a_run() -> None:
    runs = {d.name: d for d in declared(RunOptions)}
    shared = [d for d in declared(GateOptions) if d.name in runs]
    assert {d.name for d in shared} >= {"patterns", "loss", "device", "size", "threads", "contract"}
    for d in shared:
        assert (d.type, d.default) == (runs[d.name].type, runs[d.name].default)
    gate = GateOptions(base="impl:a", head="impl:b", loss=["hinge"], inside=["0.5"], threads=2)
    wanted = msgspec.convert(gate, RunOptions, from_attributes=True)
    assert said(wanted) == {"loss": ["hinge"], "inside": ["0.5"], "threads": 2}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (VerifyOptions(jobs=0), "--jobs 0: give at least 1"),
        (VerifyOptions(timeout=-0.5), "--timeout -0.5: give a number of seconds above 0"),
        (VerifyOptions(timeout=float("nan")), "--timeout nan"),
        (RunOptions(blocks=0), "--blocks 0: give at least 1"),
        (GateOptions(base="a", head="b", equivalence=0.0), "--equivalence 0: give a number above 0"),
    ],
)
def test_numbers_that_must_be_above_0(wanted: msgspec.Struct, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(wanted)


# -- pyproject.toml ---------------------------------------------------------------------------------------------

VALUES: dict[Any, Any] = {str | None: "cpu", int | None: 1, float | None: 2.0, bool | None: False, bool: True}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("d", declared(VerifyOptions), ids=lambda d: d.name)
def test_pyproject_takes_what_may_be_stored(d: Any) -> None:
    special: dict[str, Any] = {"profile": "nightly", "contract": "strict"}
    value: Any = special.get(d.name, ["a", "b"] if d.many else VALUES.get(d.type))
    path = Path("pyproject.toml")
    path.write_text(f"[tool.hingeproof]\n{d.flag[2:]} = {msgspec.json.encode(value).decode()}\n", encoding="utf-8")
    if d.option.stored:
        assert getattr(options(VerifyOptions(), path), d.name) == value
    else:
        with pytest.raises(UsageError, match="no option is named"):
            options(VerifyOptions(), path)


@pytest.mark.parametrize("key", ["decided", "implementation"])
def test_what_is_no_option_is_none_in_pyproject(key: str) -> None:
    path = Path("pyproject.toml")
    path.write_text(f'[tool.hingeproof]\n{key} = ["seed"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match=f"no option is named '{key}'"):
        options(VerifyOptions(), path)


# -- a record as a command ---------------------------------------------------------------------------------------


class Some(msgspec.Struct, kw_only=True, frozen=True):
    what: Annotated[str, Option(positional=True, metavar="WHAT", help="What.")]
    names: Annotated[list[str], Option(metavar="NAME,…", help="Names.")] = []
    dry_run: Annotated[bool, Option(help="Dry.")] = False
    loud: Annotated[bool | None, Option(short="-l", help="Loud.")] = None
    number: Annotated[int, Option(metavar="N", help="Number.")] = 3
    files: Annotated[
        dict[str, str], Each({"one": Option(metavar="FILE", help="One."), "out": Option(const="-", help="Out.")})
    ] = {}
    kept: str = "not an option"


def asked(*arguments: str) -> Some:
    found: list[Some] = []

    @takes(Some)
    def command(some: Some) -> int:
        found.append(some)
        return 7

    app = typer.Typer()
    app.command()(command)
    assert app(args=arguments, standalone_mode=False) == 7
    return found[0]


def test_a_record_is_a_command() -> None:
    assert asked("x") == Some(what="x")
    assert asked("x", "--names", "a,b", "--names", "b, c").names == ["a", "b", "c"]
    assert asked("x", "--dry-run", "--number", "4") == Some(what="x", dry_run=True, number=4)
    assert [asked("x", *flag).loud for flag in ([], ["-l"], ["--no-loud"])] == [None, True, False]
    assert asked("x", "--one", "f").files == {"one": "f"}
    assert asked("x", "--out", "--one", "-").files == {"one": "-", "out": "-"}


@pytest.mark.parametrize("arguments", [[], ["x", "--kept", "y"], ["x", "--files", "y"], ["x", "--no-dry-run"]])
def test_what_a_record_does_not_declare_is_no_option(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"(?i)missing|no such option") as error:
        asked(*arguments)
    assert hasattr(error.value, "format_message")


# -- renderings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_rendering_is_an_option_of_report_and_diff(
    name: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    base = str(stored(tmp_path / "base", []))
    head = str(stored(tmp_path / "head", everything()[:-1]))  # the last is no text that UTF-8 has
    option = [f"--{name}"] if RENDERINGS[name].option.const else [f"--{name}", "-"]
    for command in (["report", head], ["diff", base, head]):
        run([*command, *option])
        out = capsysbinary.readouterr().out
        assert out
        if not RENDERINGS[name].option.const:
            run([*command, f"--{name}", str(tmp_path / "new" / name)])
            assert (tmp_path / "new" / name).read_bytes() == out


def test_adding_a_rendering_is_adding_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Rendering(
        option=Option(metavar="FILE", help="How many."),
        writer="badge",
        runs=lambda badge, shown: f"{badge.LABEL} {len(shown.told)}",
        difference=lambda badge, shown: "",
    )
    monkeypatch.setitem(RENDERINGS, "count", row)  # type: ignore[arg-type]
    write_runs(Runs(told=()), {"count": str(tmp_path / "count")})
    assert (tmp_path / "count").read_text() == "hingeproof 0"
