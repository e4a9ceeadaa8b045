"""The files for continuous integration: valid by the vendored schemas, their commands exist, their script works."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hingeproof.commands.main import run

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "action.yml": "vendor.github-actions",
    ".github/workflows/ci.yml": "vendor.github-workflows",
    ".ci/gitlab-template.yml": "vendor.gitlab-ci",
}


@pytest.mark.parametrize(("name", "schema"), FILES.items())
def test_a_file_is_valid_by_its_schema(name: str, schema: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*command, str(ROOT / name)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / "broken.yml"
    broken.write_text(
        (ROOT / name).read_text(encoding="utf-8").replace("runs", "rnus").replace("script:", "script: 7 #")
    )
    done = subprocess.run([*command, str(broken)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0, "a schema that lets everything pass checks nothing"


def commands() -> list[tuple[str, str, list[str]]]:
    found = []
    for name in (*FILES, ".ci/action.sh"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(
            r"^\s*(?:- run: >\s*\n\s*)?hingeproof (verify|diff|report)\b([^\n]*(?:\n\s+--[^\n]*)*)", text, re.M
        ):
            found.append((name, line[0], re.findall(r"--[a-z-]+", line[1])))
    return found


def test_every_option_that_is_used_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert {command for _, command, _ in commands()} == {"verify", "diff", "report"}
    assert len(commands()) >= 5
    for name, command, options in commands():
        assert run([command, "--help"]) == 0
        text = capsys.readouterr().out
        for option in options:
            assert option in text, f"{name}: hingeproof {command} has no {option}"


def test_no_input_is_pasted_into_a_script() -> None:
    """An expression inside `run` would be code of whoever names a branch or an input."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
    assert all(step.get("shell") for step in action["runs"]["steps"] if "run" in step)


def test_the_matrix_is_the_table_of_versions() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    matrix = set(workflow_versions(workflow))
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    (section,) = (name for name in tox.sections() if name.startswith("testenv:compat-"))
    assert set(re.findall(r"^(\S+): ", tox[section]["deps"], re.MULTILINE)) == matrix
    assert f"testenv:compat-{{{','.join(workflow_versions(workflow))}}}" == section
    pairs = workflow["jobs"]["compare"]["strategy"]["matrix"]["include"]
    assert {side for pair in pairs for side in pair.values()} <= matrix


def workflow_versions(workflow: dict[str, Any]) -> list[str]:
    versions: list[str] = workflow["jobs"]["versions"]["strategy"]["matrix"]["version"]
    return versions


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / ".ci" / "action.sh", tmp_path / "action.sh")
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "SCALE = 1\n"
        "def f(scores, targets):\n"
        "    return np.maximum(0, 1 - targets * scores) * SCALE\n"
    )
    return tmp_path


def work(project: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    given = {
        "TARGETS": "mine:f", "ARGUMENTS": "--loss hinge --framework numpy --law value --dtype float32 --jobs 1",
        "PROFILE": "quick",
        "GITHUB_STEP_SUMMARY": str(project / "summary.md"), "GITHUB_OUTPUT": str(project / "output"),
    }  # fmt: skip
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "action.sh"], cwd=project, env={**os.environ, **given, **settings, "PATH": path},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_script_of_the_action_verifies_compares_and_reports(project: Path) -> None:
    first = work(project)
    assert first.returncode == 0, first.stderr
    assert "no run of the base branch is stored yet" in first.stdout
    shutil.copytree(project / ".hingeproof" / "head", project / ".hingeproof" / "base")
    (project / "mine.py").write_text((project / "mine.py").read_text().replace("SCALE = 1", "SCALE = 2"))
    second = work(project)
    assert second.returncode == 1
    assert re.search(r"^::error title=mine:f|^::error title=mine%3Af", second.stdout, re.M)
    report = project / ".hingeproof" / "report"
    assert {"report.html", "diff.html", "junit.xml", "findings.sarif", "badge.svg"} <= {
        p.name for p in report.iterdir()
    }
    assert "newly fail" in (project / "summary.md").read_text()
    assert "verdict=" in (project / "output").read_text()
    log = json.loads((report / "findings.sarif").read_text())
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "mine.py"
    # what the base had too is forgiven on demand
    shutil.rmtree(project / ".hingeproof" / "base")
    shutil.copytree(project / ".hingeproof" / "head", project / ".hingeproof" / "base")
    assert work(project, FAIL_ON="worse").returncode == 0
    assert work(project).returncode == 1


def test_the_script_forgives_no_usage_error(project: Path) -> None:
    assert work(project, ARGUMENTS="--loss hing --framework numpy", FAIL_ON="worse").returncode == 2
