"""A pass in a worker: run when its first check is asked for, journaled verdict by verdict, reported item by item."""

from __future__ import annotations

import faulthandler
import os
import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from hingeproof.runs import parts
from hingeproof.runs.passes import Passes, Tries
from hingeproof.runs.records import Check, Plan, Record, Verdict, Witness

PREPARE = 600.0  # seconds that importing a framework may take before a pass; its own limit begins after that


class Worker:
    """The verdicts of one worker. Without a run directory nothing is written and a crash is pytest's."""

    def __init__(self, plan: Plan, run: Passes | None, worker: str) -> None:
        self.plan, self.run, self.worker = plan, run, worker
        self.limit: float | None = None
        self._todo: set[str] = set()
        self._passes: dict[str, list[Check]] = {}
        self._judged: dict[str, dict[str, Record]] = {}
        self._broken: dict[str, str] = {}

    # -- what there is to do ---------------------------------------------------------------------------------

    def todo(self) -> list[Check]:
        """Return the checks to collect, dear passes first: the same list in every worker, however late it starts."""
        from hingeproof.plan.checks import build, implementations
        from hingeproof.plan.estimate import dear_first

        checks = dear_first(build(self.plan).checks)
        self.selected(checks)  # the engine is asked for whole passes, so that resuming cannot change a verdict
        if self.run is None:
            # one process, one environment: rows that need another are for `hingeproof verify`
            known = implementations(self.plan)
            checks = [c for c in checks if known[c.implementation].environment.items() <= os.environ.items()]
        else:
            self._todo = self.run.todo()
            checks = [check for check in checks if check.id in self._todo]
        return checks

    def selected(self, checks: Sequence[Check]) -> None:
        """Take note of which checks are judged together. In a run that is all of a pass, judged before or not."""
        if self.run is not None and self._passes:
            return
        self._passes = {}
        for check in checks:
            self._passes.setdefault(check.pass_id, []).append(check)

    # -- one item --------------------------------------------------------------------------------------------

    def report(self, check: Check) -> None:
        """Pass, fail or skip the item of this check."""
        if check.pass_id not in self._judged:
            judged = self._judged[check.pass_id] = {}
            for found in self._pass(check):
                judged[found.check] = found
        record = self._judged[check.pass_id].get(check.id)
        if record is None:
            pytest.fail(self._broken.get(check.pass_id, f"the engine gave no verdict on {check.id}"), pytrace=False)
        if record.verdict in ("unsupported", "undecided", "known"):
            pytest.skip(f"{record.verdict}: {record.reason}")
        if record.verdict != "pass":
            pytest.fail(message(record), pytrace=False)

    # -- one pass --------------------------------------------------------------------------------------------

    def _pass(self, check: Check) -> Iterator[Record]:
        checks = self._passes[check.pass_id]
        if self.run is None:
            from hingeproof.judge.engine import run_pass

            yield from run_pass(checks, self.plan, lambda tried: None)
            return
        pass_id = check.pass_id
        ours = {c.id for c in checks}
        left = self.run.left_behind(pass_id)
        known: dict[str, Record] = {}
        if left is not None or self.run.ended(pass_id) or not ours <= self._todo:
            known = {i: r for i, r in self.run.journal.rows().items() if i in ours}
            yield from known.values()
        missing = [c for c in checks if c.id not in known]
        if not missing or self.run.ended(pass_id):
            return
        if left is not None:
            verdict, reason, witness = post_mortem(self.run, pass_id, self.limit)
            yield from self._write(unjudged_all(missing, self.plan, verdict, reason, witness))
            self.run.end(pass_id)
            return
        tries = Tries(self.run, pass_id)
        try:
            for record in self._engine(checks, tries):
                if record.check not in known:
                    known[record.check] = record
                    yield from self._write([record])
        except OSError:  # a full disk, say: whoever finds the pass unended would take the implementation for dead
            self._internal_error(pass_id)
        finally:
            tries.done()

    def _engine(self, checks: list[Check], tries: Tries) -> Iterator[Record]:
        """Run the engine under the watchdog. An exception of ours is kept apart from verdicts on the implementation."""
        assert self.run is not None
        pass_id = checks[0].pass_id
        judged: set[str] = set()
        try:
            with self._watchdog(pass_id) as begin:
                from hingeproof.frameworks.registry import adaptor
                from hingeproof.judge.engine import run_pass
                from hingeproof.plan.checks import implementations

                adaptor(implementations(self.plan)[checks[0].implementation].framework)
                begin()
                for record in run_pass(checks, self.plan, tries, answered=partial(self.run.keep, pass_id)):
                    judged.add(record.check)
                    yield record
        except SystemExit as error:
            from hingeproof.judge.unjudged import last_words

            rest = [c for c in checks if c.id not in judged]
            reason = f"it called sys.exit({error.code!r})"
            left = self.run.left_behind(pass_id)
            seen = last_words(left.input, reason) if left is not None else None
            yield from unjudged_all(rest, self.plan, "crash", reason, seen)
        except Exception:
            self._internal_error(pass_id)

    def _internal_error(self, pass_id: str) -> None:
        """Keep the exception that is being handled, which says nothing about the implementation."""
        assert self.run is not None
        text = f"internal error of hingeproof in the pass {pass_id}\n{traceback.format_exc()}"
        self._broken[pass_id] = text
        self.run.write_internal_error(pass_id, text)

    def _write(self, records: Iterable[Record]) -> Iterator[Record]:
        assert self.run is not None
        part = parts.part(self.run.directory, self.worker)
        for record in records:
            parts.append(part, record)
            yield record

    @contextmanager
    def _watchdog(self, pass_id: str) -> Iterator[Any]:
        """Keep the limit by a thread in C: it ends the process even where nobody gives the interpreter lock back."""
        assert self.run is not None
        if not self.limit:
            yield lambda: None
            return
        path = self.run.path(pass_id, "timeout")
        limit = self.limit
        with path.open("w") as stack:
            faulthandler.dump_traceback_later(max(PREPARE, limit), exit=True, file=stack)
            try:
                yield lambda: faulthandler.dump_traceback_later(limit, exit=True, file=stack)
            finally:
                faulthandler.cancel_dump_traceback_later()
        path.unlink()


def post_mortem(run: Passes, pass_id: str, limit: float | None) -> tuple[Verdict, str, Witness | None]:
    """Return what became of a pass whose worker died: verdict, reason, and the input it was about to try."""
    from hingeproof.judge.unjudged import last_words

    left = run.left_behind(pass_id)
    if run.timed_out(pass_id):
        reason = "no answer in time" if not limit else f"no answer within {limit:g} s"
        verdict: Verdict = "timeout"
    else:
        reason = how(run.how_it_ended(left.pid) if left is not None else None)
        verdict = "crash"
    return verdict, reason, last_words(left.input, reason) if left is not None else None


def how(code: int | None) -> str:
    if code is None:
        return "the process died"
    if code < 0:
        try:
            return f"the process died of {signal.Signals(-code).name}"
        except ValueError:
            return f"the process died of signal {-code}"
    return f"the process left with exit code {code}"


def unjudged_all(
    checks: Iterable[Check], plan: Plan, verdict: Verdict, reason: str, witness: Witness | None
) -> Iterator[Record]:
    """Yield the same verdict on all these checks."""
    from hingeproof.judge.unjudged import unjudged

    for check in checks:
        yield unjudged(check, plan, verdict=verdict, reason=reason, witness=witness)


def message(record: Record) -> str:
    """Return what is wrong, as text: what, got, should be, which call, lines to paste."""
    lines = [f"{record.verdict}: {record.law} {record.reason}".rstrip(), f"CHECK {record.check}"]
    witness = record.witness
    if witness is not None:
        for name, tensor in witness.inputs.items():
            lines.append(f"{name} = {', '.join(tensor.decimal)}  ({', '.join(tensor.hex)})")
        lines += [f"{name} = {value!r}" for name, value in witness.parameters.items()]
        lines += [f"should be: {witness.expected}", f"got: {witness.observed}"]
        if witness.repro:
            lines += ["to see it:", *(f"    {line}" for line in witness.repro.splitlines())]
    return "\n".join(lines)
