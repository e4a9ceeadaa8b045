"""`hingeproof prove`: a planted wrong score is found, and nothing else; proofs survive deaths, forgeries do not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hingeproof.commands.main import run
from hingeproof.commands.repro import execute
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import FINDING, GOOD, NOTHING, UNDECIDED, USAGE, UsageError
from hingeproof.judge.proof import domain
from hingeproof.judge.proof.sweep import Sweep
from hingeproof.plan.checks import user_implementation
from hingeproof.reports.proofs import changed, changed_lines
from hingeproof.run.rate import Rate
from hingeproof.runs.kinds import PROOF
from hingeproof.runs.proofs import Certificate, Claim, Counts, Task, added, forged, tasks, whole
from hingeproof.runs.reader import read
from hingeproof.runs.records import UserImplementation

WRONG_SCORES = Path(__file__).with_name("wrong_scores.py")


@pytest.fixture(autouse=True)
def _beside_wrong_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(WRONG_SCORES, tmp_path / "wrong_scores.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def prove(*arguments: str) -> int:
    return run(["prove", *arguments, "--quiet", "-j", "1"])


def own(name: str, framework: str, *more: str, dtype: str = "float16", mode: str = "eager", out: str = "out") -> int:
    return prove(f"wrong_scores:{name}", "--loss", "hinge", "--framework", framework, "--dtype", dtype, "--mode", mode,
                 "--out", out, *more)  # fmt: skip


def certificates(out: str = "out") -> list[Certificate]:
    paths = sorted((Path(out) / "certificates").glob("*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=Certificate) for path in paths]


def the_one(out: str = "out") -> Certificate:
    (found,) = certificates(out)
    return found


# -- what is right ---------------------------------------------------------------------------------------------


def test_a_loss_is_proved_in_every_framework_and_mode() -> None:
    assert prove("numpy.hinge", "torch.hinge", "jax.hinge", "--dtype", "float16", "--out", "out") == GOOD
    found = certificates()
    assert {(c.implementation, c.mode) for c in found} == {
        ("numpy.hinge", "eager"), ("torch.hinge", "eager"), ("torch.hinge", "compile"), ("torch.hinge", "vmap"),
        ("jax.hinge", "eager"), ("jax.hinge", "jit"), ("jax.hinge", "vmap"),
    }  # fmt: skip
    for c in found:
        assert c.proved
        assert not forged(c)
        # by hand: 2^16 patterns a label, of which 2 · (2^10 − 1) NaN and 2 infinite; 1 has 0x3c00 numbers below it
        assert c.counts.scores == c.counts.values == 2 * 65536
        assert c.counts.gradients == 2 * 63488
        assert c.counts.regions == {"NaN": 4092, "±∞": 4, "z < 1": 94208, "z = 1": 2, "z > 1": 32766}
        assert c.counts.selection == {"z = 1": {"0": 2}}
        assert c.counts.worst is not None
        assert c.counts.worst.ulp == 0.5
        assert c.sha256 == whole(c.shards)
    assert {c.subnormals for c in found if c.framework != "jax"} == {"keep"}


def test_regression_is_proved_against_its_targets() -> None:
    assert prove("numpy.epsilon_insensitive", "--dtype", "bfloat16", "--out", "out") == GOOD
    assert the_one().labels == [0.0, 1.0, -0.75]
    assert "three targets" in the_one().statement


def test_a_loss_stands_for_its_installed_implementations(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "ramp", "--dtype", "float16", "--mode", "eager", "--json", "-j", "2"]) == GOOD
    facts = msgspec.json.decode(capsys.readouterr().out)
    assert [c["implementation"] for c in facts["certificates"]] == ["jax.ramp", "numpy.ramp", "torch.ramp"]
    assert facts["exit_code"] == GOOD


# -- what is wrong ---------------------------------------------------------------------------------------------


def test_a_wrong_value_at_one_score_is_found_and_nothing_else() -> None:
    assert own("value_off", "numpy", "--grad", "wrong_scores:hinge_grad") == FINDING
    c = the_one()
    (offender,) = c.offenders
    assert (offender.kind, offender.label, offender.bits) == ("value", 1.0, "0xbf00")
    assert (offender.decimal, float.fromhex(offender.hex)) == ("-1.75", -1.75)
    assert c.counts.wrong == 1
    assert not c.counts.open
    assert not c.proved
    assert execute(f"import sys; sys.path.insert(0, {str(Path.cwd())!r})\n{offender.script}")[0] == 1


def test_a_wrong_gradient_at_one_score_is_found_and_nothing_else() -> None:
    assert own("gradient_off", "jax", dtype="bfloat16", mode="jit") == FINDING
    assert [(o.kind, o.label, o.bits) for o in the_one().offenders] == [("gradient", 1.0, "0xbfe0")]


def test_a_gradient_that_ignores_the_upstream_one_is_found() -> None:
    assert own("upstream_ignored", "torch") == FINDING
    c = the_one()
    assert {o.kind for o in c.offenders} == {"gradient"}
    assert len(c.offenders) == 100
    assert c.counts.open > 1000  # the oracle had rejected enough, and says so


def test_a_selection_that_is_not_promised_is_found_in_the_mode_that_has_it() -> None:
    code = own("selects_when_compiled", "torch", "--contract", "kink=0", mode="eager,compile")
    assert code == FINDING
    compiled, eager = sorted(certificates(), key=lambda c: c.mode)
    assert eager.proved
    assert [(o.label, o.bits, "promised: kink 0" in o.expected) for o in compiled.offenders] == [
        (-1.0, "0xbc00", True), (1.0, "0x3c00", True),
    ]  # fmt: skip
    assert (eager.counts.selection, compiled.counts.selection) == ({"z = 1": {"0": 2}}, {"z = 1": {"1": 2}})


def test_a_swallowed_nan_is_a_convention_or_breaks_a_promise() -> None:
    assert own("swallows", "torch") == GOOD
    assert the_one().counts.swallowed == 2 * 2046
    assert "NaN scores, answered with a number" in the_one().statement
    assert own("swallows", "torch", "--contract", "nan=propagate", out="strict") == FINDING
    assert {o.kind for o in the_one("strict").offenders} == {"nan"}
    assert the_one("strict").counts.wrong == 2 * 2046


def test_what_refuses_scores_that_are_not_finite_is_proved_at_the_others() -> None:
    assert own("only_finite", "torch") == GOOD
    assert the_one().counts.refused == 2 * 2048
    assert the_one().counts.gradients == 2 * 63488


# -- what does not answer --------------------------------------------------------------------------------------


def test_one_that_dies_costs_its_shard_and_names_the_scores() -> None:
    assert own("dies", "torch") == FINDING
    c = the_one()
    (said,) = c.failed
    assert said.startswith("+1, 0x00000000: crash: the process died of SIGABRT when asked the scores 0x00000000")
    assert c.counts.scores == 65536  # the other label was judged
    assert (c.shards[0] != "", c.shards[1], c.sha256) == (True, "", "")


def test_one_that_hangs_costs_its_shard() -> None:
    assert own("hangs", "numpy", "--timeout", "7") == FINDING
    assert "timeout: no answer within 7 s" in the_one().failed[0]


def test_one_that_raises_is_no_proof() -> None:
    sweep, task = planted("ulp_off", "numpy", "float16", gradient=None)
    sweep.implementation = user_implementation(user("raises", "numpy"))
    sweep.subject = domain_subject(sweep)
    row = sweep.shard(task, lambda *_: None)
    assert (row.status, row.sha256) == ("raised", "")
    assert "no such thing" in row.reason


# -- float32, shard by shard -----------------------------------------------------------------------------------


def user(name: str, framework: str, gradient: str | None = None) -> UserImplementation:
    return UserImplementation(target=f"wrong_scores:{name}", loss="hinge", framework=framework, reductions=("none",),
                              grad=gradient)  # fmt: skip


def domain_subject(sweep: Sweep) -> Any:
    from hingeproof.frameworks.registry import subject

    return subject(sweep.implementation, sweep.claim.dtype, "cpu", "eager")


def planted(
    name: str, framework: str, dtype: str, gradient: str | None = "wrong_scores:hinge_grad"
) -> tuple[Sweep, Task]:
    made = user_implementation(user(name, framework, gradient))
    claim = Claim(made.name, "hinge", dtype, "cpu", "eager")
    return Sweep(claim, made), tasks(claim, [1.0])[0]


def test_one_ulp_at_one_float32_score_is_found_and_nothing_else() -> None:
    sweep, _ = planted("ulp_off", "numpy", "float32")
    bits = int(np.float32(float.fromhex("0x1.765432p-9")).view(np.uint32))
    (task,) = (t for t in tasks(sweep.claim, [1.0]) if t.first <= bits < t.first + t.count)
    row = sweep.shard(task, lambda *_: None)
    assert [(o.kind, o.bits) for o in row.offenders] == [("value", f"{bits:#010x}")]
    assert row.counts.values == row.counts.gradients == task.count
    assert row.counts.decided == 1


@pytest.mark.parametrize("first", [0x00000000, 0x3F800000, 0x7F800000, 0xBF800000, 0xFF400000])
def test_float32_shards_at_0_the_kink_and_the_end_of_the_range_are_right(first: int) -> None:
    claim = Claim("torch.hinge", "hinge", "float32", "cpu", "eager")
    sweep = Sweep(claim, IMPLEMENTATIONS["torch.hinge"])
    row = sweep.shard(Task(claim, 1.0, first, 1 << 20), lambda *_: None)
    assert (row.counts.wrong, row.counts.open, row.counts.unbounded) == (0, 0, 0)
    assert row.counts.values == sum(row.counts.regions.values()) == 1 << 20


@pytest.mark.nightly
def test_every_float32_score_of_a_planted_loss() -> None:
    assert own("ulp_off", "numpy", "--grad", "wrong_scores:hinge_grad", dtype="float32") == FINDING
    assert len(the_one().offenders) == 1
    assert the_one().counts.scores == 1 << 33


def test_the_hash_does_not_depend_on_how_many_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep, task = planted("right", "torch", "float16")
    rows = []
    for size in (1 << 17, 1 << 12, 1 << 10):
        monkeypatch.setattr(domain, "CALL", size)
        rows.append(sweep.shard(task, lambda *_: None))
    assert len({(r.sha256, r.marks) for r in rows}) == 1
    assert rows[0].counts == rows[1].counts == rows[2].counts


def test_upstream_gradients_are_neither_uniform_nor_1() -> None:
    for dtype in ("float16", "float32"):
        given = domain.upstream(dtype, 0, 1 << 17)
        assert len(set(given.astype(float).tolist())) >= 4
        # where a score stands in its call decides nothing
        assert np.array_equal(domain.upstream(dtype, 0x9000, 64), given[0x9000:0x9040])


# -- going on --------------------------------------------------------------------------------------------------


def without_time(c: Certificate) -> Certificate:
    return msgspec.structs.replace(c, seconds=0.0)


def test_a_killed_proof_goes_on_and_ends_in_the_same_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    claim = ("wrong_scores:slow", "--loss", "hinge", "--framework", "numpy", "--dtype", "float16,bfloat16", "-j", "1")
    command = [sys.executable, "-m", "hingeproof", "prove", *claim, "--out"]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen([*command, "killed"], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not any(p.stat().st_size for p in Path("killed/parts").glob("prover-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(read(Path("killed"), PROOF).records)
    assert 0 < before < 4
    assert prove("--resume", "--out", "killed") == GOOD
    assert run(["prove", *claim, "--out", "whole", "-q"]) == GOOD
    assert [without_time(c) for c in certificates("killed")] == [without_time(c) for c in certificates("whole")]
    assert prove("--resume", "--out", "killed") == USAGE
    assert "complete: there is nothing to resume" in capsys.readouterr().err


def test_a_proof_that_is_given_too_little_time_is_not_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert own("slow", "numpy", "--seconds", "0.1") == UNDECIDED
    said = capsys.readouterr()
    assert "to go on: hingeproof prove --resume --out out" in said.err
    assert "The run is not complete" in said.out
    assert prove("--resume", "--out", "out") == GOOD
    assert the_one().proved
    assert prove("numpy.hinge", "--dtype", "bfloat16", "--resume", "--out", "out") == USAGE


def test_progress_says_rate_and_time_left() -> None:
    rate = Rate(1000, sys.stderr, quiet=True)
    rate.done, rate.wrong = 250, 2
    assert rate.line(2.0) == "25% of 1,000 scores · 0.0 million/s · 6 s left · 2 wrong"


# -- certificates ----------------------------------------------------------------------------------------------


def changed_file(c: Certificate, **fields: Any) -> str:
    path = Path("changed.json")
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(c, **fields)))
    return str(path)


def test_a_certificate_is_confirmed_and_a_forged_one_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert prove("numpy.perceptron", "--dtype", "float16", "--out", "out") == GOOD
    c = the_one()
    path = str(next(Path("out/certificates").glob("*.json")))
    assert prove("--verify", path, "--out", "again") == GOOD
    assert "is confirmed" in capsys.readouterr().out
    shards = ["0" * 64, c.shards[1]]
    worst = msgspec.structs.replace(c.counts, worst=None)
    for number, fields in enumerate(
        (
            {"shards": shards},  # their hash is another
            {"shards": shards, "sha256": whole(shards)},  # consistent, and not what comes out
            {"counts": worst},
            {"statement": "all is well"},
        )
    ):
        assert prove("--verify", changed_file(c, **fields), "--out", f"forged{number}") == FINDING
        assert "is rejected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"sha256": "0"}, "not that of its shards"),
        ({"shards": []}, "0 shards where 2 are due"),
        ({"dtype": "float64"}, "no dtype"),
        ({"complete": False}, "lacks shards"),
        ({"counts": Counts(wrong=1)}, "lists offenders"),
        ({"counts": Counts(scores=7)}, "7 scores were judged"),
    ],
)
def test_a_certificate_that_contradicts_itself_is_forged(fields: dict[str, Any], why: str) -> None:
    shards = ["a" * 64, "b" * 64]
    c = Certificate(
        statement="", proved=True, complete=True, implementation="numpy.hinge", framework="numpy", loss="hinge",
        parameters={}, dtype="float16", device="cpu", mode="eager", versions={}, subnormals="keep", domain="",
        labels=[-1.0, 1.0], counts=Counts(scores=1 << 17), offenders=[], failed=[], sha256=whole(shards), shard=1 << 16,
        shards=shards, marks=["", ""], seconds=0.0, machine="",
    )  # fmt: skip
    assert forged(c) == ""
    assert why in forged(msgspec.structs.replace(c, **fields))


def test_a_diff_says_which_scores_changed_their_bits(capsys: pytest.CaptureFixture[str]) -> None:
    assert own("value_off", "numpy", "--grad", "wrong_scores:hinge_grad") == FINDING
    head = the_one()
    assert own("right_array", "numpy", "--grad", "wrong_scores:hinge_grad", out="base") == GOOD
    base = the_one("base")
    found = changed(base, head)
    # 0xbf00 lies in the twelfth sixteenth of label +1
    assert [(r.label, r.first, r.last) for r in found.ranges] == [(1.0, 0xB000, 0xBFFF)]
    assert found.worse
    assert "label +1: bits 0xb000 … 0xbfff" in "\n".join(changed_lines(found))
    assert any(text.startswith("wrong: 0 → 1") for text in found.counts)
    paths = [str(next(Path(out).glob("certificates/*.json"))) for out in ("base", "out")]
    assert run(["diff", *paths]) == FINDING
    assert "0xb000 … 0xbfff" in capsys.readouterr().out
    assert run(["diff", paths[0], paths[0]]) == GOOD
    assert "bit for bit" in capsys.readouterr().out
    assert run(["diff", "base", "base"]) == GOOD
    with pytest.raises(UsageError, match="one loss and one dtype"):
        changed(base, msgspec.structs.replace(head, dtype="bfloat16"))


def test_counts_add_up() -> None:
    one = Counts(scores=2, regions={"a": 1}, selection={"z = 1": {"0": 1}})
    total = added([one, one])
    assert (total.scores, total.regions, total.selection) == (4, {"a": 2}, {"z = 1": {"0": 2}})
    assert one.regions == {"a": 1}


# -- what makes no sense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["numpy.hinge", "--dtype", "float64"], USAGE, "2^64 scores are too many"),
        (["numpy.hinge", "--dtype", "int8"], USAGE, "no dtype is named"),
        (["numpy.hinge", "--mode", "forward"], USAGE, "answers no gradient"),
        (["numpy.hinj"], USAGE, "did you mean numpy.hinge"),
        ([], USAGE, "what is to be proved?"),
        (["numpy.triplet_margin"], NOTHING, "no loss of one score"),
        (["numpy.hinge", "--mode", "compile"], NOTHING, "nothing to prove"),
        (["--verify", "nowhere.json"], USAGE, "cannot be read"),
        (["numpy.hinge", "--verify", "x"], USAGE, "leave out implementations"),
        (["numpy.hinge", "--jobs", "0"], USAGE, "at least 1"),
    ],
)
def test_what_cannot_be_proved_is_said_in_one_line(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prove", *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_proof_run_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    assert own("value_off", "numpy", "--grad", "wrong_scores:hinge_grad") == FINDING
    assert run(["report", "out"]) == FINDING
    said = capsys.readouterr().out
    assert "0 claims proved of 1; 1 wrong" in said
    assert "0xbf00" in said
    assert run(["report", "out", "--html", "page.html", "--markdown", "page.md"]) == FINDING
    for page in ("page.html", "page.md"):
        assert "wrong_scores:value" in Path(page).read_text(encoding="utf-8").replace("\\", "")
        assert "Proved at every score" in Path(page).read_text(encoding="utf-8")


def test_the_page_is_what_its_certificates_say() -> None:
    from proved import PROOFS, page, stored

    found = stored(PROOFS)  # none of them contradicts itself
    assert Path(PROOFS.parents[2], "docs", "proofs.md").read_text(encoding="utf-8") == page(found)
    assert {c.dtype for c in found} == {"float16", "bfloat16", "float32"}
