"""The command line: what it lists and explains, how it takes options, and what it says of a mistake."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hingeproof import __version__
from hingeproof.commands import main as cli
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import UsageError
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.plan.option import split
from hingeproof.plan.options import VerifyOptions, configured, options
from hingeproof.plan.plan import plan
from hingeproof.plan.preflight import Question, example, look
from hingeproof.properties.catalogue import LAWS
from hingeproof.reference_impls import in_numpy
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.records import Plan


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def hide(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Make a module look as if it were not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, package=None: None if name == module else real(name, package)
    )


# -- light and quick ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["hingeproof.commands.main", "hingeproof.plugin"])
def test_nothing_heavy_is_imported_before_it_is_needed(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted({'torch', 'jax', 'numpy', 'hypothesis', 'flint', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_help_imports_no_framework() -> None:
    code = (
        "import sys; from hingeproof.commands.main import run; run(['verify', '--help']); "
        "print(sorted({'torch', 'jax', 'numpy', 'hypothesis', 'flint'} & set(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "--last-failed" in out
    assert out.splitlines()[-1] == "[]"


def test_listing_and_planning_import_no_framework() -> None:
    code = (
        "import sys; from hingeproof.commands.main import run; "
        "run(['list', 'implementations']); run(['verify', '--dry-run']); "
        "print(sorted({'torch', 'jax', 'sklearn', 'optax'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"hingeproof {__version__}\n"


# -- tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "names"), [("losses", LOSSES), ("implementations", IMPLEMENTATIONS), ("laws", LAWS)])
def test_lists_name_everything(what: str, names: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", what]) == 0
    out = capsys.readouterr().out
    assert {line.split()[0] for line in out.splitlines() if not line.startswith(" ")} == {"name", *names}
    assert cli.run(["list", what, "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(names)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_is_explained(law: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", law]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for part in (LAWS[law].statement, LAWS[law].formula, LAWS[law].why, LAWS[law].breaks, LAWS[law].source):
        assert " ".join(part.split()) in out


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "jax")
    for name, question in {"numpy": "print('cpu')", "jax": "", "torch": "1 / 0"}.items():
        monkeypatch.setitem(FRAMEWORKS, name, replace(FRAMEWORKS[name], question=question))
    assert cli.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "✓ numpy" in out
    assert "not installed (pip install 'hingeproof[jax]')" in out
    assert "ZeroDivisionError" in out or "not installed (pip install 'hingeproof[torch]')" in out


# -- mistakes: one line, what, where, what next; exit 2 -------------------------------------------------------

MISTAKES = [
    (["--bogus"], "--bogus"),
    (["--jobs", "many"], "--jobs"),
    (["--jobs", "0"], "--jobs 0: give at least 1"),
    (["--timeout", "0"], "--timeout 0"),
    (["numpy.hing"], "did you mean numpy.hinge"),
    (["Numpy.*"], "no implementation matches 'Numpy.*'"),
    (["--loss", "hing"], "no loss is named 'hing'; did you mean hinge"),
    (["--dtype", "float23"], "did you mean float32"),
    (["--mode", "eagre"], "did you mean eager"),
    (["--framework", "torhc"], "did you mean torch"),
    (["--device", "tpu"], "no device is named 'tpu'"),
    (["--profile", "fast"], "there are quick, ci, nightly"),
    (["--law", "vlaue"], "did you mean value"),
    (["--contract", "lax"], "no contract key is named 'lax'"),
    (["--contract", "lables=01"], "did you mean labels"),
    (["--contract", "kink=2"], "there are any, 0, 1/2, 1"),
    (["--contract", "scale=1/k"], "an exact rational function of K"),
    (["--contract", "labels"], "give a value"),
    (["--contract", "strict"], "module:attribute"),
    (["--grad", "m:f"], "--grad goes with one"),
    (["torch.nn.*", "--reference"], "none of torch.nn.* is a reference"),
    (["m:f"], "say which loss"),
    (["m:f", "--loss", "hinge"], "say which framework"),
    (["m:f", "--loss", "hinge,ramp", "--framework", "numpy"], "say which loss"),
    (["m f:", "--loss", "hinge", "--framework", "numpy"], "is not module:attribute"),
    (["no_such_module_here:f", "--loss", "hinge", "--framework", "numpy"], "no module named no_such_module_here"),
    (["--resume"], "there is no incomplete run"),
    (["--resume", "--out", "nowhere"], "is not a run"),
    (["--resume", "--last-failed"], "exclude each other"),
    (["--last-failed"], "there is no complete run"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_a_mistake_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hingeproof: ")
    assert err.count("\n") == 1
    assert said in err


def test_unknown_law_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", "valeu"]) == 2
    assert "did you mean value" in capsys.readouterr().err
    assert cli.run(["bogus"]) == 2
    assert "bogus" in capsys.readouterr().err


def test_an_internal_error_is_70_and_names_its_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hingeproof.commands.list.show", lambda *_, **__: 1 / 0)
    assert cli.run(["list", "laws"]) == 70
    err = capsys.readouterr().err
    assert err.startswith("hingeproof: internal error: ZeroDivisionError")
    assert "ZeroDivisionError" in Path(err.split("see ")[1].strip()).read_text()


# -- what is not installed ------------------------------------------------------------------------------------


def test_a_framework_asked_for_by_name_must_be_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, "torch")
    for arguments in (["--framework", "torch"], ["torch.hinge"], ["m:f", "--loss", "hinge", "--framework", "torch"]):
        assert cli.run(["verify", *arguments]) == 2
        assert "torch is not installed (pip install 'hingeproof[torch]')" in capsys.readouterr().err


def test_a_framework_that_a_pattern_implies_is_counted_as_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, "torch")
    assert cli.run(["verify", "*.hinge", "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts["missing"]) - {"tensorflow", "paddle"} == {"torch"}
    assert facts["checks"] > 0
    assert cli.run(["verify", "torch.*"]) == 5
    assert "which is not installed" in capsys.readouterr().err


def test_an_empty_plan_is_5(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", "numpy.hinge", "--mode", "jit"]) == 5
    assert "nothing to judge" in capsys.readouterr().err
    assert not Path(".hingeproof/runs").exists() or not any(Path(".hingeproof/runs").iterdir())


# -- options --------------------------------------------------------------------------------------------------


def test_repeated_and_comma_separated_values_are_equal() -> None:
    assert split(["a,b", "c", "a"]) == ["a", "b", "c"]
    assert split(None) == []


def configure(text: str) -> Path:
    path = Path("pyproject.toml")
    path.write_text(text, encoding="utf-8")
    return path


def test_pyproject_gives_defaults_and_the_command_line_wins() -> None:
    path = configure(
        '[tool.hingeproof]\nprofile = "quick"\nfail-fast = true\ndtype = "float32,float64"\nloss = ["hinge"]\n'
    )
    given = options(VerifyOptions(profile="nightly"), path)
    assert given.profile == "nightly"
    assert given.fail_fast is True
    assert given.dtype == ["float32", "float64"]
    assert given.loss == ["hinge"]
    assert options(VerifyOptions(fail_fast=False), path).fail_fast is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tool.hingeproof]\nprofle = "ci"\n', "did you mean profile"),
        ('[tool.hingeproof]\njobs = "two"\n', "jobs"),
        ("[tool.hingeproof\n", "cannot be read"),
        ('[tool.hingeproof]\nprofile = "fast"\n', "there are quick, ci, nightly"),
    ],
)
def test_pyproject_mistakes(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(text)
    assert cli.run(["verify", "--dry-run"]) == 2
    assert said in capsys.readouterr().err


def test_no_pyproject_is_no_mistake() -> None:
    assert configured(Path("pyproject.toml")) == VerifyOptions()


def test_plan_from_options() -> None:
    wanted = VerifyOptions(patterns=["numpy.*"], law=["value", "grad*"], seed=3, reference=True)
    made = plan(wanted)
    assert isinstance(made, Plan)
    assert made.laws == ("value", "grad*")
    assert set(made.patterns) == {f"numpy.{loss}" for loss in LOSSES}
    assert msgspec.json.decode(msgspec.json.encode(made), type=Plan) == made


def test_dry_run_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", "numpy.hinge", "--dry-run"]) == 0
    assert "checks in" in capsys.readouterr().out
    assert not Path(".hingeproof").exists()


# -- a look at a user's callable ------------------------------------------------------------------------------

LOOKED_AT = """
def plain(scores, targets): return scores
def settings(scores, targets, margin=1.0, *, weight=None, reduction="mean"): return scores
def positional(scores, targets, margin, /): return scores
def one(scores): return scores
def needs(scores, targets, *, temperature): return scores
class Module:
    def __init__(self, margin=1.0, reduction="mean"): pass
    def forward(self, scores, targets, weight=None): return scores
    __call__ = forward
class Needy:
    def __init__(self, width): pass
    def __call__(self, scores, targets): return scores
class Dumb: pass
number = 3
"""


def question(target: str, loss: str = "hinge", **more: Any) -> Question:
    return Question(target=target, loss=loss, framework="numpy", **more)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_sample_that_a_callable_is_tried_on_costs_something(loss: str) -> None:
    asked = question("x:f", loss)
    arrays = example(asked, 2)
    function = getattr(in_numpy, loss)
    assert function(*arrays, reduction="sum") >= 0.5 - 1e-6
    assert function(*arrays, reduction="sum") == 2 * function(*arrays)


@pytest.fixture
def looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"looked_at_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(LOOKED_AT)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("attribute", "style", "parameters"),
    [
        ("plain", "function", ()),
        ("settings", "function", ("margin", "reduction", "weight")),
        ("Module", "module_class", ("margin", "reduction", "weight")),
    ],
)
def test_what_a_signature_offers(looked_at: str, attribute: str, style: str, parameters: tuple[str, ...]) -> None:
    found, _ = look(question(f"{looked_at}:{attribute}"))
    assert (found.style, found.parameters) == (style, parameters)


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("one", "cannot be called with (scores, targets)"),
        ("needs", "temperature"),
        ("positional", "cannot be called with"),
        ("Needy", "its constructor needs width"),
        ("Dumb", "instances cannot be called"),
        ("number", "it is an int, which cannot be called"),
        ("plian", "has no attribute plian; did you mean plain"),
    ],
)
def test_what_cannot_be_verified_is_said(looked_at: str, attribute: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        look(question(f"{looked_at}:{attribute}"))
    assert said in str(error.value)


def test_a_module_that_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raises_at_import.py").write_text("print('noise')\nraise SystemExit('nothing here')\n")
    (tmp_path / "lacks.py").write_text("import no_such_thing_at_all\n")
    for module, said in (("raises_at_import", "raises SystemExit: nothing here"), ("lacks", "no_such_thing_at_all")):
        assert cli.run(["verify", f"{module}:f", "--loss", "hinge", "--framework", "numpy"]) == 2
        assert said in capsys.readouterr().err
