"""The wheel is what the tree says: no package forgotten, none invented, none under a generic name."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, requires, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = CONFIG["tool"]["setuptools"]
FOLDERS: dict[str, str] = SETUPTOOLS["package-dir"]


def packages_in_the_tree() -> set[str]:
    found = set()
    for package, folder in FOLDERS.items():
        for init in (ROOT / folder).rglob("*.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inner)))
    return found


def test_the_list_of_packages_is_the_tree() -> None:
    assert set(SETUPTOOLS["packages"]) == packages_in_the_tree()


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_every_folder_with_code_is_a_package_with_a_docstring(package: str) -> None:
    head = max((name for name in FOLDERS if f"{package}.".startswith(f"{name}.")), key=len)
    init = ROOT / FOLDERS[head] / Path(*package.removeprefix(head).split(".")) / "__init__.py"
    assert init.read_text(encoding="utf-8").startswith('"""')


def test_package_data_exist() -> None:
    for name in SETUPTOOLS["package-data"]["hingeproof"]:
        assert (ROOT / "verify" / name).is_file(), f"verify/{name} is listed in package-data"


def test_the_installed_package_is_this_one() -> None:
    assert version("hingeproof") == CONFIG["project"]["version"]
    assert importlib.import_module("hingeproof").__version__ == CONFIG["project"]["version"]
    (script,) = entry_points(group="console_scripts", name="hingeproof")
    assert script.value == "hingeproof.commands.main:main"
    assert not [e for e in entry_points(group="pytest11") if e.value.startswith("hingeproof")]


def test_the_installed_files_are_those_of_the_tree() -> None:
    installed = Path(importlib.import_module("hingeproof").__file__ or "").parent
    if installed == ROOT / "verify":
        pytest.skip("an editable install: there is no copy to compare")
    inside = {path.relative_to(installed) for path in installed.rglob("*.py")}
    tree = set()
    for package, folder in FOLDERS.items():
        prefix = Path(*package.split(".")[1:])
        tree |= {prefix / path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.py")}
    assert inside == tree, "setuptools keeps files of earlier builds: rm -rf build, and build again"


def test_base_dependencies_hold_no_framework() -> None:
    base = [line for line in requires("hingeproof") or [] if "extra ==" not in line]
    assert not [line for line in base if line.split()[0].startswith(("torch", "jax", "optax", "scikit", "cvxpy"))]


def test_every_dependency_is_pinned() -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for file in ROOT.glob("constraints*.txt")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    }
    extras = [line for group in CONFIG["project"]["optional-dependencies"].values() for line in group]
    wanted = {line.split(">=")[0].lower().replace("_", "-") for line in CONFIG["project"]["dependencies"] + extras}
    assert {name for name in wanted if not name.startswith("hingeproof[")} <= pinned
    torch = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    assert "+" not in torch[0], "a local version (+cpu) exists on some indexes only"


def test_imports_from_a_directory_that_holds_our_folder_names(tmp_path: Path) -> None:
    for name in ("bench", "reports", "properties", "reference_impls", "verify"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    code = "; ".join(f"import {name}" for name in ("hingeproof.reports", "hingeproof.properties", "hingeproof.bench"))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
