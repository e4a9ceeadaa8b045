"""What is said of frameworks: facts without any framework, kernel files without us, one environment for workers."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.frameworks.environment import LIBRARIES, PACKAGES, distributions, environment, to_install
from hingeproof.frameworks.facts import Framework
from hingeproof.frameworks.process import worker_environment
from hingeproof.frameworks.registry import FRAMEWORKS, kernel_path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
every = pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=list(FRAMEWORKS))


@every
def test_facts_agree_with_each_other(framework: Framework) -> None:
    assert framework.modes[0] == "eager"
    for some in (framework.lattice, framework.compiled, framework.timed, framework.notation.compilers):
        assert set(some) <= set(framework.modes)
    assert bool(framework.timed) == bool(framework.kernel)
    assert bool(framework.notation.gradient) == framework.autograd
    assert not framework.extra or any(framework.distribution in r for r in EXTRAS[framework.extra])


def test_facts_import_no_framework() -> None:
    program = "import sys, hingeproof.contracts; print(sorted({'torch', 'jax', 'mlx', 'paddle'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@every
def test_a_kernel_file_stands_alone(framework: Framework) -> None:
    """The gate loads it in environments that have another hingeproof, or none."""
    tree = ast.parse(Path(kernel_path(framework.name)).read_text(encoding="utf-8"))
    found = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    found |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in found} <= sys.stdlib_module_names | {"numpy", framework.name}


def test_every_library_with_a_contract_is_known() -> None:
    asked = {name for row in IMPLEMENTATIONS.values() for name in row.requires}
    assert asked <= {*LIBRARIES, *FRAMEWORKS}
    for row in IMPLEMENTATIONS.values():
        package = row.versions.partition(">")[0]
        assert package in ("", *PACKAGES), row.name
    for module, distribution in LIBRARIES.items():
        assert any(distribution in r for r in EXTRAS[module])


def test_names_to_import_become_names_to_install() -> None:
    assert to_install("torch") == "'hingeproof[torch]'"
    assert to_install("sklearn") == "'hingeproof[sklearn]'"
    assert to_install("numpy") == "numpy"
    assert to_install("another") == "another"
    assert distributions("jax") == ("jax", "jaxlib")
    assert distributions("tensorflow") == ("tensorflow-cpu",)
    assert distributions("sklearn") == ("scikit-learn",)


def test_one_thread_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    one = worker_environment()
    told = (
        "OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1 "
        "NPROC=1 PYTHONHASHSEED=0"
    )
    assert {name: one[name] for name in (w.partition("=")[0] for w in told.split())} == {
        w.partition("=")[0]: w.partition("=")[2] for w in told.split()
    }
    alone = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    assert one["XLA_FLAGS"] == f"--mine {alone}"
    assert not [name for name in one if name.startswith("PYTEST_ADDOPTS")]
    flags = environment()["flags"]
    assert set(told.split()) <= set(flags.split())
    assert flags.endswith(f"XLA_FLAGS='{alone}'")


def test_more_threads_are_told_to_every_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    three = worker_environment(3)
    assert {three[name] for f in FRAMEWORKS.values() for name in f.threads} == {"3"}
    assert "XLA_FLAGS" not in three
