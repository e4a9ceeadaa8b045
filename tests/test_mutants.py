"""Every law rejects a wrong implementation made for it, and no law rejects a legal one: through the public command."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from tests.mutants.table import LEGAL, ROWS, Legal, Row

from hingeproof.properties.catalogue import LAWS
from hingeproof.runs.records import Record

ROOT = Path(__file__).parent.parent
SECONDS = 600
AT_ONCE = 9  # mutants in a command: each is judged by the laws of all, and shrunk for each that it breaks


def verify(out: Path, targets: list[str], **options: str) -> list[Record]:
    """What `hingeproof verify` writes down. Its exit code must be that of a verdict; which one, the tests say."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if value]
    flags += ["--profile=quick", "--jobs=1", "--quiet", f"--out={out}"]
    command = [sys.executable, "-m", "hingeproof", "verify", *targets, *flags]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode in (0, 1), done.stderr.decode()
    return [msgspec.json.decode(line, type=Record) for line in (out / "records.jsonl").read_bytes().splitlines()]


def honest(row: Row) -> str:
    """The reference of the row's loss: it stands in the same command, and the same law must pass it."""
    return f"{row.framework}.{row.loss}"


def judge_mutants(folder: Path, rows: list[Row]) -> list[Record]:
    """All mutants that one command can judge, under the laws that their rows name."""
    loss, framework, mode, dtype, strict, grad = rows[0].group
    # without `answers`, a call that raises would fail whichever law made it
    laws = sorted({r.law for r in rows} | {"answers"})
    return verify(
        folder / f"mutants-{ROWS.index(rows[0])}",
        [*dict.fromkeys(r.target for r in rows), honest(rows[0])],
        loss=loss, framework=framework, mode=mode, dtype=dtype, law=",".join(laws),
        contract="strict" if strict else "", grad=grad and f"tests.mutants.{grad}",
    )  # fmt: skip


def judge_legal(folder: Path, legal: Legal) -> list[Record]:
    return verify(
        folder / f"legal-{LEGAL.index(legal)}",
        [f"tests.mutants.{legal.module}:{name}" for name in legal.names],
        loss=legal.loss, framework=legal.framework, mode=",".join(legal.modes), dtype="float32",
        grad=legal.grad and f"tests.mutants.{legal.grad}",
    )  # fmt: skip


@pytest.fixture(scope="module")
def commands(request, tmp_path_factory):
    """The commands that the selected tests need, two at a time: a future for each."""
    folder = tmp_path_factory.mktemp("runs")
    mine = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = [item.callspec.params for item in mine]
    rows, legal = ({p[name] for p in wanted if name in p} for name in ("row", "legal"))
    with ThreadPoolExecutor(2) as pool:
        futures: dict[object, Future[list[Record]]] = {
            x: pool.submit(judge_legal, folder, x) for x in LEGAL if x in legal
        }
        for group in dict.fromkeys(r.group for r in ROWS if r in rows):
            alike = [r for r in ROWS if r in rows and r.group == group]
            for start in range(0, len(alike), AT_ONCE):
                part = alike[start : start + AT_ONCE]
                futures |= dict.fromkeys(part, pool.submit(judge_mutants, folder, part))
        yield futures
        pool.shutdown(cancel_futures=True)


def find(commands: dict[object, Future[list[Record]]], row: Row, implementation: str) -> Record:
    records = commands[row].result()
    (found,) = [r for r in records if r.law == row.law and r.implementation == implementation]
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.law}-{r.mutant}")
def test_law_rejects_its_mutant(commands, row):
    got = find(commands, row, row.target)
    assert got.verdict == "fail", f"{got.verdict} {got.reason} {got.convention}"
    assert got.witness is not None
    assert got.witness.expected != got.witness.observed
    assert got.witness.kind is not None
    assert (got.witness.kind == "raised") == bool(got.witness.error)
    differentiates = {"torch": ".backward(", "jax": "jax.vjp("}.get(row.framework, "")
    assert (differentiates if "gradient" in LAWS[row.law].needs else "print(") in got.witness.repro
    if row.one_sample:
        assert {x.shape[0] for name, x in got.witness.inputs.items() if name != "class_weight"} == {1}


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.law}-{r.mutant}")
def test_same_law_does_not_reject_the_reference(commands, row):
    got = find(commands, row, honest(row))
    if got.verdict == "undecided":  # few examples, and the seed is the name's
        assert got.reason.startswith("thin")
    else:
        assert got.verdict == "pass", got


@pytest.mark.parametrize("legal", LEGAL, ids=lambda x: f"{x.framework}-{x.names[0]}")
def test_no_law_rejects_a_legal_variant(commands, legal):
    records = commands[legal].result()
    assert {r.implementation.partition(":")[2] for r in records} == set(legal.names)
    assert {r.mode for r in records} == set(legal.modes)
    bad = [(r.check, r.verdict, r.witness) for r in records if r.verdict not in ("pass", "unsupported", "undecided")]
    assert not bad
    # thin is for a law here and there, not a way for a whole mode to slip through
    assert all(r.reason.startswith("thin") for r in records if r.verdict == "undecided")
    assert sum(r.verdict == "undecided" for r in records) < 0.1 * len(records)
    assert any(r.verdict == "pass" for r in records)


def test_every_law_has_a_mutant():
    assert {row.law for row in ROWS} == set(LAWS)


def test_every_promise_is_held_to_strictly():
    """A promise is a failure under --contract strict alone; label_dtypes rejects wrong numbers without, too."""
    promises = {law.name for law in LAWS.values() if law.kind == "promise"}
    assert promises <= {row.law for row in ROWS if row.strict}


def test_every_row_names_a_law_once():
    assert len(set(ROWS)) == len(ROWS)
    assert set(chain.from_iterable(x.names for x in LEGAL)) & {r.mutant.partition(":")[2] for r in ROWS} <= {"hinge"}
