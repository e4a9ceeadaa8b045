"""The tables are whole: every loss has references and laws, every law says what it claims, few name a loss."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hingeproof import properties
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.frameworks.implementation import DTYPES, every_parameter
from hingeproof.frameworks.registry import MODES, REFERENCES
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.groups import GROUPS
from hingeproof.properties.law import Law
from hingeproof.properties.strategies import FOCI, foci_of
from hingeproof.reference_impls.definition import Loss, rational
from hingeproof.reference_impls.formats import to_float
from hingeproof.reference_impls.losses import LOSSES

losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
frameworks = pytest.mark.parametrize("framework", REFERENCES)
FOLDER = Path(properties.__file__ or "").parent

# Where the laws' code asks for a name, and why that is no fact of the loss that could be derived instead.
NAMED = {
    "textbook.py": "the chapter's statements are about losses that it names",
    "relations.py": "a relation has two ends, and its table is keyed by the name of one",
    "symmetry.py": "the range of float16",
}


def reference(framework: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(importlib.import_module(f"hingeproof.reference_impls.in_{framework}"), name)
    return found


# -- losses ------------------------------------------------------------------------------------------------------------


@frameworks
@losses
def test_every_loss_has_a_reference_with_all_its_parameters(loss: Loss, framework: str) -> None:
    assert IMPLEMENTATIONS[f"{framework}.{loss.name}"].reference
    found = inspect.signature(reference(framework, loss.name)).parameters
    keywords = {n for n, p in found.items() if p.kind is p.KEYWORD_ONLY}
    assert keywords == set(every_parameter(loss))
    positional = [n for n in found if n not in keywords]
    assert len(positional) == len(loss.margins.inputs) + (loss.margins.targets is not None)
    assert positional[: len(loss.margins.inputs)] == list(loss.margins.inputs)
    assert found["reduction"].default == "mean"
    assert found["weight"].default is None
    for name, value in loss.defaults.items():
        assert found[name].default == to_float(value), name


@losses
def test_every_numpy_reference_has_a_gradient_with_the_same_arguments(loss: Loss) -> None:
    value, gradient = (inspect.signature(reference("numpy", n)).parameters for n in (loss.name, f"{loss.name}_grad"))
    assert list(gradient) == [*value, "cotangent"]
    assert all(gradient[n].default == value[n].default for n in value)


@frameworks
@losses
def test_every_reference_says_shapes_errors_and_source(loss: Loss, framework: str) -> None:
    text = inspect.getdoc(reference(framework, loss.name)) or ""
    for line in ("Shapes: ", "Raises: ValueError", "Source: "):
        assert re.search(rf"^{line}\S*", text, re.MULTILINE), line
    assert text.splitlines()[0].strip()


@losses
def test_every_torch_reference_has_a_module(loss: Loss) -> None:
    import torch

    function = reference("torch", loss.name)
    here = importlib.import_module("hingeproof.reference_impls.in_torch")
    modules = [m for m in vars(here).values() if isinstance(m, type) and issubclass(m, torch.nn.Module)]
    (module,) = (m for m in modules if getattr(m, "function", None) is function)
    expected = set(every_parameter(loss)) - {"weight"}
    assert set(inspect.signature(module).parameters) == expected


@losses
def test_every_loss_has_laws_a_formula_and_a_source(loss: Loss) -> None:
    assert sum(law.applies(loss) for law in LAWS.values()) >= 10
    groups = {law.group for law in LAWS.values() if law.applies(loss)}
    assert groups >= {"value", "gradient", "symmetry", "reduction", "interface", "modes"}
    assert loss.title.strip()
    assert re.search(r"\d{4}|torch\.nn", loss.source)
    text = loss.latex()
    assert text.startswith(r"\ell = ")
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{cases}") == text.count(r"\end{cases}")


@pytest.mark.parametrize("loss", [x for x in LOSSES.values() if x.labels_decide], ids=lambda x: x.name)
def test_the_formulas_of_two_labels_are_kept_apart(loss: Loss) -> None:
    first, second = loss.latex().split(r"\varphi_{y=-1}")
    assert re.search(r"(,|;|\\quad|\\\\)\s*(\\quad)?\s*$", first), first
    assert second


@losses
def test_the_parameters_of_a_loss_agree_with_one_another(loss: Loss) -> None:
    assert set(loss.choices) == set(loss.parameters) >= set(loss.phi_parameters)
    for name, texts in loss.choices.items():
        assert {rational(loss.parameters[name]), *map(rational, texts)} == set(map(rational, texts)), name
        assert len(texts) == len(set(texts)) >= 2


@losses
def test_every_focus_of_a_loss_is_asked_for_by_a_law(loss: Loss) -> None:
    asked = {f for law in LAWS.values() if law.applies(loss) for f in law.foci}
    assert asked >= set(foci_of(loss))


# -- laws --------------------------------------------------------------------------------------------------------------


@laws
def test_every_law_says_what_it_claims(law: Law) -> None:
    for field in ("statement", "formula", "why", "breaks", "source"):
        assert len(getattr(law, field).strip()) >= 3, field
    assert law.statement.endswith(".")
    assert law.statement == " ".join(law.statement.split())
    assert law.judge.__name__ == law.name
    assert law.kind in ("law", "promise")
    assert law.group in GROUPS


@laws
def test_every_law_names_what_there_is(law: Law) -> None:
    assert set(law.foci) <= set(FOCI)
    assert len(law.foci) == len(set(law.foci))
    assert law.modes
    assert set(law.modes) <= {mode for modes in MODES.values() for mode in modes}
    needs = {"gradient", "sum", "mean", "reduction", "weight", "class_weight", "margin", "lengths", "optimum"}
    assert set(law.needs) <= needs
    assert set(law.dtypes) <= set(DTYPES)
    assert law.every >= 1
    assert not (law.once and law.foci)


@laws
def test_every_law_speaks_of_some_loss_on_each_of_its_foci(law: Law) -> None:
    family = [loss for loss in LOSSES.values() if law.applies(loss)]
    assert family
    assert {f for loss in family for f in foci_of(loss)} >= set(law.foci)


def test_every_promise_is_a_field_of_the_contract() -> None:
    from hingeproof.properties.contract import REFERENCE_POLICY

    named = {"kink_selection": "kink"}
    promises = {named.get(law.name, law.name) for law in LAWS.values() if law.kind == "promise"}
    assert promises <= set(vars(REFERENCE_POLICY))


def test_every_group_has_laws() -> None:
    assert {law.group for law in LAWS.values()} == set(GROUPS)


def test_every_file_of_laws_is_in_the_catalogue() -> None:
    """A file that is not imported there has laws that nobody judges."""
    files = {p.stem for p in FOLDER.rglob("*.py") if re.search(r"^@law\(", p.read_text(encoding="utf-8"), re.MULTILINE)}
    assert {law.judge.__module__.rpartition(".")[2] for law in LAWS.values()} == files
    assert len(LAWS) == sum(
        len(re.findall(r"^@law\(", p.read_text(encoding="utf-8"), re.MULTILINE)) for p in FOLDER.rglob("*.py")
    )


def test_no_law_asks_which_loss_it_has_but_where_it_must() -> None:
    """style.md: an exception to a rule is a field with a reason beside it."""
    asks = re.compile(r"\.name\s*(==|!=|in\b|not in\b)|\[[\w.]*loss\.name\]")
    places = {path.name for path in FOLDER.rglob("*.py") if asks.search(path.read_text(encoding="utf-8"))}
    assert places == set(NAMED)
