"""The house stays what CONTRIBUTING says: one name for one thing, small files, frameworks in their folders.

That imports point downwards is import-linter's business (`tox -e lint`).
"""

from __future__ import annotations

import ast
import re
import statistics
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("verify", "properties", "reference_impls", "bench", "reports")
FILE_LINES, FUNCTION_LINES = 120, 8  # medians, as they were when the house was built


@cache
def modules() -> dict[str, ast.Module]:
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def test_a_class_name_means_one_thing() -> None:
    where = defaultdict(list)
    for name, tree in modules().items():
        for node in ast.walk(tree):
            # a kernel of each framework has the same part to play, and the same name
            if isinstance(node, ast.ClassDef) and not name.endswith("/kernel.py"):
                where[node.name].append(name)
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


def test_files_and_functions_stay_small() -> None:
    lines = [len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in modules()]
    functions = [
        (node.end_lineno or 0) - node.lineno + 1
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert statistics.median(lines) <= FILE_LINES
    assert statistics.median(functions) <= FUNCTION_LINES


def test_no_branch_asks_which_framework_it_is() -> None:
    """What a framework is or has stands in its folder; the files of other folders ask its facts."""
    asks = re.compile(r"framework\s*(==|!=|in\b|not in\b)\s*\(?[\"']")
    names = {path.parent.name for path in (ROOT / "verify" / "frameworks").glob("*/__init__.py")}
    tables = re.compile(rf"[\"']({'|'.join(sorted(names - {'numpy'}))})[\"']\s*:")
    guilty = []
    for name in modules():
        if name.startswith(("verify/frameworks/", "verify/contracts/", "reference_impls/")):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        guilty += [f"{name}: {found[0]}" for found in (*asks.finditer(text), *tables.finditer(text))]
    assert guilty == []


def test_nothing_lies_flat_in_verify() -> None:
    flat = {path.name for path in (ROOT / "verify").glob("*.py")}
    assert flat == {"__init__.py", "__main__.py", "errors.py", "plugin.py"}


def test_contributing_names_files_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:verify|properties|reference_impls|reports|bench|tests|studies)/[\w/.]*)`", text)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
