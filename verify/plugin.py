"""The pytest plugin: which checks there are, and what each comes to.

    pytest -p hingeproof.plugin --pyargs hingeproof.properties

It is loaded by name only (no entry point), so nobody's unrelated pytest run imports it; without `test_laws.py` it does
nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hingeproof.run.worker import Worker
from hingeproof.runs.kinds import VERIFY
from hingeproof.runs.passes import Passes
from hingeproof.runs.reader import read_info
from hingeproof.runs.records import Check, Plan

_VERDICTS = pytest.StashKey[Worker]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options: a run directory for `hingeproof verify`, or a few words on what to verify without one."""
    group = parser.getgroup("hingeproof", "hingeproof: laws of margin losses")
    group.addoption("--hingeproof-run", metavar="DIR", help="run directory: what to do is in its run.json")
    group.addoption(
        "--hingeproof-profile", choices=("quick", "ci", "nightly"), default="quick", help="how thorough [quick]"
    )
    group.addoption("--hingeproof-seed", type=int, default=0, metavar="N", help="seed [0]")
    group.addoption(
        "--hingeproof-select",
        action="append",
        default=[],
        metavar="PATTERN",
        help="implementations, fnmatch, repeatable or comma-separated [all whose framework is installed]",
    )
    group.addoption("--hingeproof-bench", metavar="DIR", help="run directory of `hingeproof bench run`")
    group.addoption("--hingeproof-bench-framework", metavar="NAME", help="only the timing cases of this framework")
    group.addoption("--hingeproof-watch-stdin", action="store_true", help="end when standard input does")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark that keeps the items of a pass together, known or not without xdist."""
    config.addinivalue_line("markers", "xdist_group(name): items that must run in the same worker")
    if config.getoption("hingeproof_watch_stdin") and not hasattr(config, "workerinput"):
        threading.Thread(target=_end_with_stdin, name="hingeproof-stdin", daemon=True).start()


def _end_with_stdin() -> None:
    """`hingeproof verify` holds the other end: when it is gone, so are we and our workers."""
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def _verdicts(config: pytest.Config) -> Worker:
    if _VERDICTS not in config.stash:
        directory = config.getoption("hingeproof_run")
        worker = getattr(config, "workerinput", {}).get("workerid", "main")
        if directory:
            plan = read_info(Path(directory), VERIFY).plan
            config.stash[_VERDICTS] = Worker(plan, Passes(Path(directory)), worker)
        else:
            from hingeproof.ledger.deviations import shipped

            plan = Plan(
                patterns=tuple(p for text in config.getoption("hingeproof_select") for p in text.split(",") if p),
                profile=config.getoption("hingeproof_profile"),
                seed=config.getoption("hingeproof_seed"),
                deviations=shipped(),
            )
            config.stash[_VERDICTS] = Worker(plan, None, worker)
    return config.stash[_VERDICTS]


@pytest.fixture(scope="session")
def hingeproof_verdicts(pytestconfig: pytest.Config) -> Worker:
    """Return the verdicts on checks; a pass is run when the first of them is asked for."""
    return _verdicts(pytestconfig)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item a check; the items of a pass share a worker."""
    if "hingeproof_verdicts" not in metafunc.fixturenames or "check" not in metafunc.fixturenames:
        return
    checks = _verdicts(metafunc.config).todo()
    marks = {c.pass_id: pytest.mark.xdist_group(name=c.pass_id) for c in checks}
    metafunc.parametrize("check", [pytest.param(c, id=c.id, marks=marks[c.pass_id]) for c in checks])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Without a run directory only what is left after -k and the like is judged."""
    checks = [check for item in session.items if (check := _check(item)) is not None]
    if checks:
        _verdicts(session.config).selected(checks)


def _check(item: pytest.Item) -> Check | None:
    callspec = getattr(item, "callspec", None)
    check = callspec.params.get("check") if callspec is not None else None
    return check if isinstance(check, Check) else None


# -- workers -------------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out passes; xdist's own scheduler for groups waits for ever after some crashes, and see there."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from hingeproof.run.scheduling import PassScheduling

    return PassScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Note how the process of a worker ended: the next to come to its pass names the signal."""
    directory = node.config.getoption("hingeproof_run")
    if not error or not directory:
        return
    process: Any = getattr(getattr(node.gateway, "_io", None), "popen", None)
    try:
        code = process.wait(timeout=10)
    except Exception:  # an execnet without `popen`, or a process that will not end: the signal stays unknown
        return
    Passes(Path(directory)).write_exit(process.pid, code)


@pytest.hookimpl(optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """In a run the limit is kept by a watchdog that needs no interpreter lock: see `passes`."""
    check = _check(item)
    if check is None or item.config.getoption("hingeproof_run") is None:
        return None
    _verdicts(item.config).limit = settings.timeout
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool | None:
    """Nothing to cancel: the watchdog ends with its pass."""
    return True if _check(item) is not None and item.config.getoption("hingeproof_run") is not None else None


def pytest_report_header(config: pytest.Config) -> Sequence[str]:
    """Say what is verified, where laws are collected at all."""
    directory = config.getoption("hingeproof_run")
    return [f"hingeproof run: {directory}"] if directory else []
