"""A look at a user's callable before the run, in a process of its own: `python -m hingeproof.plan.preflight FOLDER`.

Is it there, can it be called with the arguments of its loss, what else does its signature take, what does it reduce to?
"""

from __future__ import annotations

import faulthandler
import importlib
import inspect
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from flint import fmpq

from hingeproof.errors import UsageError, nearest, with_article
from hingeproof.frameworks.implementation import every_parameter
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.formats import FORMATS
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reference_impls.oracle import Arithmetic, evaluate
from hingeproof.runs.journal import write
from hingeproof.runs.records import UserImplementation

SECONDS = 300.0  # for importing the module
PROBE = 20.0  # for calling it twice
WIDTH = 3  # of a row of scores
ENOUGH = fmpq(1, 2)
COORDINATES = (0.5, 1.5, -1.0, 2.0, 0.25, -2.0, 1.0)
CANDIDATES: dict[str | None, tuple[Any, ...]] = {
    "sign": (-1, 1), "index": (0, 1, 2), "real": (2,), "multilabel": ([0, -1, -1],), None: (None,),
}  # fmt: skip


class Question(msgspec.Struct, kw_only=True, frozen=True):
    """What to look at, and what was said of it."""

    target: str
    loss: str
    framework: str
    grad: str | None = None
    strict: bool = False
    contract: dict[str, str] = {}

    @property
    def family(self) -> Loss:
        return LOSSES[self.loss]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The implementation as found, or why it cannot be verified, in one line."""

    found: UserImplementation | None = None
    error: str = ""


def preflight(questions: Sequence[Question], environment: dict[str, str]) -> list[UserImplementation]:
    """Ask one subprocess about all; whatever dies there, and what stood behind it, is asked about alone.

    Raises: UsageError with the one line that says what is wrong with a callable.
    """
    answers, _ = _ask(questions, environment)
    found = []
    for question, first in zip(questions, answers, strict=True):
        answer, why = first, ""
        if answer is None:
            (answer,), why = _ask([question], environment)
        if answer is None or answer.found is None:
            raise UsageError(f"{question.target}: {why if answer is None else answer.error}")
        found.append(answer.found)
    return found


def _ask(questions: Sequence[Question], environment: dict[str, str]) -> tuple[list[Reading | None], str]:
    """Return the answers, None for each that the process died before, and how it died."""
    with tempfile.TemporaryDirectory() as folder:
        why = ""
        try:
            process = subprocess.run(
                [sys.executable, "-m", "hingeproof.plan.preflight", folder],
                input=msgspec.json.encode(questions),
                capture_output=True,
                timeout=SECONDS,
                env=environment,
                check=False,
            )
            last = (process.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
            why = f"the process died while importing it (exit code {process.returncode}) {last}".rstrip()
        except subprocess.TimeoutExpired:
            why = f"importing it took more than {SECONDS:.0f} s"
        outs = [Path(folder) / f"{i}.json" for i in range(len(questions))]
        # where an answer is there, whatever happened after it is for the run to judge
        return [msgspec.json.decode(o.read_bytes(), type=Reading) if o.exists() else None for o in outs], why


def main() -> None:
    """Answer the questions on stdin. The answers go to files, since the user's modules may print."""
    for i, question in enumerate(msgspec.json.decode(sys.stdin.buffer.read(), type=list[Question])):
        _answer(question, Path(sys.argv[1]) / f"{i}.json")
    os._exit(0)  # whatever threads the modules have started


def _answer(question: Question, out: Path) -> None:
    try:
        found, subject = look(question)
        out.write_bytes(msgspec.json.encode(Reading(found=found)))
        if "reduction" not in found.parameters:
            # what crashes or hangs here will do so in the run, where it is a verdict
            faulthandler.dump_traceback_later(PROBE, exit=True)
            found = msgspec.structs.replace(found, reductions=(reduction(subject, question),))
            faulthandler.cancel_dump_traceback_later()
        answer = Reading(found=found)
    except UsageError as error:
        answer = Reading(error=" ".join(str(error).split()))
    write(out, msgspec.json.encode(answer))


def look(question: Question) -> tuple[UserImplementation, Any]:
    """Return what the callable is, as read from its signature, and itself. Raises: UsageError."""
    subject = load(question.target)
    if question.grad is not None and not callable(load(question.grad)):
        raise UsageError(f"the gradient {question.grad} cannot be called")
    return described(question, subject), subject


def described(question: Question, subject: Any) -> UserImplementation:
    """Return what a callable is, as read from its signature. Raises: UsageError."""
    if not callable(subject):
        what = with_article(type(subject).__name__)
        raise UsageError(f"it is {what}, which cannot be called: name a function or a class of modules")
    style = _style(subject)
    settings = signature(subject)  # of a class: its constructor's
    if style == "module_class":
        if settings is not None and (needed := _needed(settings)):
            raise UsageError(f"its constructor needs {', '.join(needed)}: give defaults, or name an instance")
        call = getattr(subject, "forward", None) or next(
            (vars(base)["__call__"] for base in subject.__mro__ if "__call__" in vars(base)), None
        )
        if call is None:
            raise UsageError("it is a class whose instances cannot be called")
        called = signature(call, bound=True)
    else:
        called = signature(getattr(subject, "forward", subject) if style == "module" else subject)
    margins = question.family.margins
    tensors = (*margins.inputs, *(["targets"] if margins.targets is not None else []))
    if called is not None:
        try:
            called.bind(*tensors)
        except TypeError as error:
            raise UsageError(
                f"it cannot be called with ({', '.join(tensors)}), as {question.loss} is: {error}"
            ) from None
    settable = {"module": None, "module_class": settings, "function": called}[style]
    parameters = [
        n
        for n in every_parameter(question.family)
        if n != "weight" and _takes(settable, n, len(tensors) if style == "function" else 0)
    ]
    if _takes(called, "weight", len(tensors)):
        parameters.append("weight")
    return UserImplementation(
        target=question.target,
        loss=question.loss,
        framework=question.framework,
        style=style,
        parameters=tuple(parameters),
        reductions=("mean", "sum", "none") if "reduction" in parameters else ("mean",),
        grad=question.grad,
        strict=question.strict,
        contract=tuple(question.contract.items()),
    )


def load(target: str) -> Any:
    """Import `module:attribute`. Raises: UsageError that says which part is missing, or what its import raised."""
    module, _, attribute = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise UsageError(
                f"no module named {error.name} here or on the path: run it from the folder that holds it"
            ) from None
        raise UsageError(f"importing {module} fails: {error}") from None
    except BaseException as error:  # a module may even call sys.exit
        raise UsageError(f"importing {module} raises {type(error).__name__}: {error}") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [name for name in dir(found) if not name.startswith("_")]
            raise UsageError(f"{module} has no attribute {attribute}{nearest(part, public)}")
        found = getattr(found, part)
    return found


def _style(subject: Any) -> Literal["function", "module_class", "module"]:
    if inspect.isclass(subject):
        return "module_class"
    torch = sys.modules.get("torch")
    return "module" if torch is not None and isinstance(subject, torch.nn.Module) else "function"


def signature(subject: Callable[..., Any], *, bound: bool = False) -> inspect.Signature | None:
    """Return the signature without `self`; None where it has none to be read (a builtin)."""
    try:
        found = inspect.signature(subject)
    except (ValueError, TypeError):
        return None
    return found.replace(parameters=list(found.parameters.values())[1:]) if bound else found


def _needed(found: inspect.Signature) -> list[str]:
    plain = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [n for n, p in found.parameters.items() if p.default is p.empty and p.kind not in plain]


def _takes(found: inspect.Signature | None, name: str, after: int) -> bool:
    """Tell whether a setting can be given by keyword, and is not one of the first, which are the tensors."""
    if found is None or name not in found.parameters:
        return False
    place = list(found.parameters).index(name)
    parameter = found.parameters[name]
    keyword = parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return keyword and (place >= after or parameter.kind == inspect.Parameter.KEYWORD_ONLY)


def reduction(subject: Callable[..., Any], question: Question) -> str:
    """Return what a callable without `reduction` answers: a sample twice doubles a sum and leaves a mean as it is.

    Where it cannot be told (the call raises, the loss is 0), `mean`; the laws will have their say.
    """
    import numpy as np

    try:
        called: Any = subject() if inspect.isclass(subject) else subject
        one, two = (np.asarray(_plain(called(*example(question, n)))) for n in (1, 2))
    except BaseException:  # a verdict on the callable is the engine's to give
        return "mean"
    if two.ndim > 0 and two.shape != one.shape:
        return "none"
    if two.size != 1 or one.size != 1:
        return "mean"
    return "sum" if float(one) != 0 and abs(float(two) / float(one) - 2) < 0.25 else "mean"


def example(question: Question, n: int) -> list[Any]:
    """Return one and the same sample n times, with a loss well above 0."""
    import numpy as np

    margins = question.family.margins
    row, label = costly(question.family)
    parts = np.split(np.array([row] * n, np.float32), len(margins.inputs), axis=1)
    arrays = [x if margins.row == "vector" else x[:, 0] for x in parts]
    if question.contract.get("labels") == "01":
        label = (label + 1) // 2
    elif question.contract.get("labels") == "one_hot":
        label = [int(k == label) for k in range(WIDTH)]
    if label is not None:
        signs = margins.targets in ("sign", "real") or question.contract.get("labels") == "one_hot"
        labels: Any = np.array([label] * n, np.float32 if signs else np.int64)
        arrays.insert(0 if question.contract.get("order") == "targets_first" else len(arrays), labels)
    made = load(FRAMEWORKS[question.framework].of_numpy)
    return [made(x) for x in arrays]


def costly(loss: Loss) -> tuple[list[float], Any]:
    """Return the coordinates and the label of a sample that costs something: the first of some that costs enough."""
    size = len(loss.margins.inputs) * (WIDTH if loss.margins.row == "vector" else 1)
    rows = [list(itertools.islice(itertools.cycle(COORDINATES), i, i + size)) for i in range(len(COORDINATES))]

    def cost(sample: tuple[list[float], Any]) -> fmpq:
        row, label = sample
        exactly = [fmpq(*x.as_integer_ratio()) for x in row]
        target = fmpq(label) if loss.margins.targets == "real" else label
        found = evaluate(loss, loss.defaults, exactly, target, Arithmetic(FORMATS["float32"])).value
        assert isinstance(found, fmpq), "finite scores have a finite loss"
        return min(found, ENOUGH)

    return max(itertools.product(rows, CANDIDATES[loss.margins.targets]), key=cost)


def _plain(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


if __name__ == "__main__":
    main()
