"""Exact arithmetic in C cannot be interrupted: work that may outlast a time limit is done in a child that can be."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Callable
from typing import Any

from hingeproof.svm.solver.lemke import OutOfTimeError


def within(deadline: float, work: Callable[[], Any]) -> Any:
    """Return work(), or raise OutOfTimeError at the deadline. An exception of the child is raised here."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def child() -> None:
        try:
            answer: tuple[Any, BaseException | None] = (work(), None)
        except BaseException as error:
            answer = (None, error)
        theirs.send(answer)

    process = context.Process(target=child, daemon=True)
    with warnings.catch_warnings():
        # the child computes and answers; it takes no lock that a thread of ours may hold
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        process.start()
    theirs.close()
    try:
        if not ours.poll(max(deadline - time.monotonic(), 0)):
            raise OutOfTimeError
        try:
            value, error = ours.recv()
        except EOFError:
            raise MemoryError("the process of the exact stage died, most likely for want of memory") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if error is not None:
        raise error
    return value
