"""Exact arithmetic in C cannot be interrupted: work under a time limit is done in a child process that can be ended."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Callable
from typing import Any

from hingeproof.svm.solver.lemke import OutOfTimeError


def within(deadline: float, work: Callable[[Callable[[Any], None]], Any], heard: Callable[[Any], None]) -> Any:
    """Return work(send), done in a child, or raise OutOfTimeError at the deadline; `heard` gets each thing sent.

    An exception of the child is raised here.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def child() -> None:
        try:
            answer: tuple[str, Any] = ("done", work(lambda news: theirs.send(("news", news))))
        except BaseException as error:
            answer = ("raised", error)
        theirs.send(answer)

    process = context.Process(target=child, daemon=True)
    with warnings.catch_warnings():
        # the child computes and answers; it takes no lock that a thread of ours may hold
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        process.start()
    theirs.close()
    try:
        while ours.poll(max(deadline - time.monotonic(), 0)):
            try:
                kind, value = ours.recv()
            except EOFError:
                raise MemoryError("the process of the exact stage died, most likely for want of memory") from None
            if kind == "done":
                return value
            if kind == "raised":
                raise value
            heard(value)
        raise OutOfTimeError
    finally:
        process.kill()
        process.join()
        ours.close()
