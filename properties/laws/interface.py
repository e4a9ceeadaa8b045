"""Laws of the call itself: it answers, keeps the dtype, leaves its inputs alone, and refuses what it should refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hingeproof.properties.batch import Array, Batch, extended, show
from hingeproof.properties.blame import ours
from hingeproof.properties.call import Output, Unanswered, ask, first_line
from hingeproof.properties.case import Case
from hingeproof.properties.failure_kinds import Kind, kind_of
from hingeproof.properties.judgement import Failure, Judgement
from hingeproof.properties.law import law

_POLICY = "issue: reference policy; interfaces.md, a user's own callable"
_EAGER = ("eager",)


@law(
    group="interface", formula="f(s, y) is an array of the right shape", source="the signature",
    why="Every batch drawn is valid: finite or not, its labels are in the set and its shapes match.",
    breaks="An exception for NaN or infinity, for one sample, or for one class; an N×N result from broadcasting.",
)  # fmt: skip
def answers(case: Case) -> Judgement:
    """Every valid batch is answered, without an exception and with the right shape."""
    try:
        _ = case.seen
    except Unanswered as error:
        return error.judgement
    return Judgement(judged=case.batch.size)


@law(
    group="interface", formula="dtype(ℓ) = dtype(s)", source=_POLICY, once=True, modes=("eager", "jit", "compile", "vmap"),
    why="A loss that widens doubles the memory of all that follows; one that narrows loses digits.",
    breaks="Python or NumPy scalars that promote; a mean taken in float64.",
)  # fmt: skip
def dtype_kept(case: Case) -> Judgement:
    """The result has the dtype of the scores, for every reduction."""
    out = Judgement()
    for reduction in case.subject.implementation.reductions:
        got = case.call(case.batch, reduction, gradients=False).dtype
        out.judged += 1
        if got == "":
            out.convention = "the result is a Python float: it has no dtype to keep"
        elif got != case.batch.format.name:
            out.fail(Failure(case.batch, case.batch.format.name, got, "dtype", reduction))
    return out


@law(
    group="interface", formula="s, y, w before = after", source=_POLICY, once=True, modes=_EAGER,
    why="The caller still owns the arrays.", breaks="In-place operators: s *= y, np.clip(…, out=s).",
)  # fmt: skip
def inputs_untouched(case: Case) -> Judgement:
    """No input is modified."""
    out = Judgement()
    settable, batch = case.subject.implementation.keywords, case.batch
    dtype = batch.inputs[0].dtype
    if "weight" in settable:
        batch = batch.change(weight=np.full(batch.size, 0.5, dtype))
    if "class_weight" in settable:
        batch = batch.change(class_weight=np.full(batch.width, 0.5, dtype))
    expected = [x.astype(np.float64) for x in case.subject.prepared(batch)]
    for reduction in case.subject.implementation.reductions:
        if len(case.subject.implementation.reductions) == 1 and reduction != "none":
            ask(case.subject, batch, reduction)  # the whole batch, not each row
        else:
            case.call(batch, reduction, gradients=False)
        for before, after in zip(expected, case.subject.given, strict=True):
            out.judged += 1
            if not np.array_equal(before, after.astype(np.float64), equal_nan=True):
                wanted = f"inputs as they were: {before.tolist()}"
                out.fail(Failure(batch, wanted, f"{after.tolist()}", "overwritten", reduction))
    return out


@law(
    group="interface", formula="f(strided view) = f(contiguous copy)", source="NumPy and PyTorch: strides are layout, not value", once=True,
    why="A view is the same array.", breaks="Reading the buffer by pointer, reshape or view with assumed strides.", modes=_EAGER,
)  # fmt: skip
def strided(case: Case) -> Judgement:
    """Strided, negative-stride and transposed inputs give what contiguous ones give, bit for bit."""
    out = Judgement()
    plain = extended(case.call(case.batch, gradients=False).value)
    for layout in case.subject.layouts:
        got = extended(case.call(case.batch.change(layout=layout), gradients=False).value)
        out.judged += 1
        if got != plain:
            observed = f"{[show(x) for x in got]} for {layout} inputs"
            laid = case.batch.change(layout=layout)
            out.fail(Failure(laid, str([show(x) for x in plain]), observed, kind_of(*got)))
    return out


def _attempt(case: Case, batch: Batch, reduction: str | None = None) -> Output | Exception:
    """One call whose answer may well be an exception."""
    offered = case.subject.implementation.reductions
    reduction = reduction or ("none" if "none" in offered else offered[0])
    try:
        upstream = batch.cotangent if reduction == "none" else np.ones((), batch.cotangent.dtype)
        return case.subject.run(batch, reduction, cotangent=upstream if case.subject.compiled else None)
    except Exception as error:  # any exception of the implementation is an answer here, and is judged
        if ours(error):
            raise
        return error


def _short(error: Exception) -> str:
    return first_line(error)[:120]


def _error(got: Output | Exception) -> str:
    return type(got).__name__ if isinstance(got, Exception) else ""


@law(
    group="interface", kind="promise", formula="f(s.reshape(2, −1)) = f(s).reshape(2, −1); f(s₀) is 0-d", source=_POLICY, once=True, modes=_EAGER,
    why="The loss is defined sample by sample, in any shape.", breaks="len(scores), a fixed axis, or a mean over the last axis only.",
)  # fmt: skip
def any_shape(case: Case) -> Judgement:
    """Zero-dimensional inputs work (one sample alone), and for scalar scores any equal shape does."""
    out = Judgement()
    plain = extended(case.call(case.batch, gradients=False).value)
    offered = case.subject.implementation.reductions
    whole = "none" in offered
    shapes: list[tuple[Batch, tuple[int, ...], list[object]]] = [(case.batch.take([0]), (), list(plain[:1]))]
    if case.loss.margins.row == "scalar" and whole:
        shapes.append((case.batch, (2, case.batch.size // 2), list(plain)))
    for batch, shape, want in shapes:
        got = _attempt(case, batch.change(shape=shape))
        out.judged += 1
        kind: Kind
        if isinstance(got, Exception):
            kind, text = "raised", _short(got)
        elif whole and got.value.shape != shape:
            kind, text = "shape", f"shape {got.value.shape}"
        elif extended(got.value) != want:
            kind, text = kind_of(*extended(got.value)), f"shape {got.value.shape}"
        else:
            continue
        if case.contract.any_shape == "works":
            expected = f"the same values in shape {shape}"
            out.fail(Failure(batch.change(shape=shape), expected, text, kind, sample=0, error=_error(got)))
        else:
            out.convention = f"inputs of shape {shape} are not accepted: {text}"
    return out


@law(
    group="interface", kind="promise", formula="N = 0: Σ = 0, mean = NaN, none = []", source=_POLICY, once=True, modes=_EAGER,
    why="An empty sum is 0 and an empty mean has no value; uninitialised memory has neither.", breaks="A result buffer that is never written.",
)  # fmt: skip
def empty_batch(case: Case) -> Judgement:
    """An empty batch has sum 0, mean NaN and no values, also after the allocator was made dirty."""
    out = Judgement()
    empty = case.batch.take([])
    for reduction in case.subject.implementation.reductions:
        dirt = [case.subject.array(np.full(n, 777.0, case.batch.inputs[0].dtype)) for n in (1, 2, 4, 8, 64) * 8]
        del dirt
        got = _attempt(case, empty, reduction)
        out.judged += 1
        kind: Kind
        if isinstance(got, Exception):
            kind, text = "raised", f"raised {type(got).__name__}: {_short(got)}"
        else:
            values = got.value.astype(np.float64)
            shaped = values.shape == ((0,) if reduction == "none" else ())
            right = {
                "none": shaped,
                "sum": shaped and values == 0,
                "mean": bool(np.isnan(values).all()),
            }
            if right[reduction]:
                continue
            kind, text = kind_of(*extended(values)) if shaped else "shape", f"{values.tolist()}"
        if case.contract.empty_batch == "nan":
            expected = {"none": "[]", "sum": "0.0", "mean": "nan"}[reduction]
            out.fail(Failure(empty, expected, text, kind, reduction, error=_error(got)))
        else:
            # what it is may differ from call to call, where memory is read that nobody wrote
            number = not isinstance(got, Exception) and np.isfinite(values).any() and values.any()
            out.convention = f"an empty batch gives {'a number that is not 0' if number else text} for {reduction}"
    return out


def _bad_targets(case: Case) -> list[tuple[str, Array]]:
    """Label arrays of which one is outside the set, written as the implementation wants its labels."""
    targets = case.batch.targets
    assert targets is not None
    width = case.batch.inputs[0].shape[-1]
    kind = case.loss.margins.targets
    convention = case.subject.implementation.labels
    out: list[tuple[str, Array]] = []
    if convention == "one_hot":
        rows = np.eye(width, dtype=case.batch.inputs[0].dtype)[targets]
        for name, every in (("a row of zeros", 0), ("a row of ones", 1)):
            out.append((name, np.concatenate([np.full_like(rows[:1], every), rows[1:]])))
    elif kind == "sign":
        if convention == "01":
            targets = (targets + 1) // 2
        for bad in (-1, 2, -3) if convention == "01" else (0, 2, -3):
            out.append((str(bad), np.where(np.arange(len(targets)) == 0, bad, targets)))
        out.append(("255 (uint8)", np.where(np.arange(len(targets)) == 0, 255, 1).astype(np.uint8)))
        out.append(
            ("nan", np.where(np.arange(len(targets)) == 0, np.nan, targets.astype(np.float32)).astype(np.float32))
        )
    elif kind == "index":
        for bad in (-1, width, 10**6):
            out.append((str(bad), np.where(np.arange(len(targets)) == 0, bad, targets)))
    elif kind == "multilabel":
        for row in ([width], [-2]) + (([0, 0],) if width > 1 else ()):
            bad_row = np.array((list(row) + [-1] * width)[:width])
            out.append((str(row), np.concatenate([bad_row[None], targets[1:]])))
    return out


@law(
    group="interface", kind="promise", formula="y ∉ labels ⇒ ValueError (traced: NaN)", source=_POLICY, once=True,
    why="A label outside the set has no loss; a finite number for it is a silent error in training.", modes=("eager", "jit", "compile", "vmap"),
    breaks="Labels {0, 1}: 0 gives the constant Δ with gradient 0; an index −1 wraps around.", applies=lambda loss: loss.margins.targets not in ("real", None),
)  # fmt: skip
def bad_label(case: Case) -> Judgement:
    """A label outside the set raises ValueError; where values cannot be looked at it gives NaN, never a finite number."""
    out = Judgement()
    offered = case.subject.implementation.reductions
    wanted = ("none",) if "none" in offered else offered[:1]
    for name, targets in _bad_targets(case):
        batch = case.batch.change(targets=targets, as_given=True)
        if wanted != ("none",):
            batch = batch.take([0])
        got = _attempt(case, batch, wanted[0])
        out.judged += 1
        kind: Kind
        if isinstance(got, Output):
            value = got.value.astype(np.float64).ravel()
            safe = bool(value.size == 0 or np.isnan(value[0]))
            right = safe and case.subject.mode != "eager"
            kind, text = "accepted", f"label {name} is answered with {value[:1].tolist()}"
        else:
            safe, right = True, isinstance(got, ValueError)
            kind, text = "raised", f"label {name} raises {type(got).__name__}: {_short(got)}"
        if case.contract.bad_label == "raise" and not right:
            expected = "ValueError" if case.subject.mode == "eager" else "ValueError or NaN"
            out.fail(Failure(batch, expected, text, kind, wanted[0], sample=0, error=_error(got)))
        elif not safe and not out.convention:
            out.convention = f"{text}: a wrong label trains silently"
    return out


@law(
    group="interface", kind="promise", formula="shape(s) ≠ shape(y) ⇒ ValueError", source=_POLICY, once=True, modes=("eager", "jit", "compile"),
    why="(N, 1) against (N,) broadcasts to N×N, and its mean is a wrong number of the right shape.", breaks="Arithmetic operators without a check of shapes.",
)  # fmt: skip
def bad_shape(case: Case) -> Judgement:
    """Shapes that do not match raise; they are never broadcast."""
    out = Judgement()
    batch = case.batch
    first = batch.inputs[0]
    if case.loss.margins.row == "scalar":
        wrong = batch.change(inputs=(first[:, None], *(x[:, None] for x in batch.inputs[1:])))
        if batch.targets is None:
            return out
    elif len(batch.inputs) > 1:
        wrong = batch.change(inputs=(first[:1], *batch.inputs[1:]))
    else:
        assert batch.targets is not None
        wrong = batch.change(targets=batch.targets[:1])
    offered = case.subject.implementation.reductions
    for reduction in ("mean",) if "mean" in offered else offered[:1]:
        got = _attempt(case, wrong, reduction)
        out.judged += 1
        if isinstance(got, Exception):
            # a compiler may wrap what the function raised
            if case.contract.bad_shape == "raise" and case.subject.mode == "eager" and not isinstance(got, ValueError):
                text = f"{type(got).__name__}: {_short(got)}"
                out.fail(Failure(wrong, "ValueError", text, "raised", reduction, error=_error(got)))
            continue
        shapes = f"{wrong.inputs[0].shape} against {() if wrong.targets is None else wrong.targets.shape}"
        text = f"shapes {shapes} are answered with a result of shape {got.value.shape}"
        if case.contract.bad_shape == "raise":
            out.fail(Failure(wrong, "ValueError", text, "accepted", reduction))
        else:
            out.convention = f"{text}: a silent broadcast averages the wrong numbers"
    return out


@law(
    group="interface", kind="promise", formula="f(s, y as int8 … uint64, float) = f(s, y)", source=_POLICY, once=True, modes=_EAGER,
    why="A label is the same label in every integer dtype that can hold it.", breaks="Unsigned negation: −1 as uint8; a dtype promoted by its labels.",
    applies=lambda loss: loss.margins.targets not in ("real", None),
)  # fmt: skip
def label_dtypes(case: Case) -> Judgement:
    """Labels of any integer dtype that holds them, unsigned ones too, give the same values in the scores' dtype."""
    out = Judgement()
    batch = case.batch
    assert batch.targets is not None
    refused = []
    for name in _label_dtypes(case):
        unsigned = name.startswith("u")
        plain = batch.change(targets=np.abs(batch.targets)) if unsigned else batch
        assert plain.targets is not None
        typed = plain.change(targets=plain.targets.astype(name))
        want = extended(case.call(plain, gradients=False).value)
        out.judged += 1
        expected = f"{[show(x) for x in want]} of dtype {batch.format.name}"
        try:
            got = case.call(typed, gradients=False)
        except Unanswered as error:
            broken, observed = False, f"{name} labels: {error}"
            failure = replace(error.failure, batch=typed, expected=expected, observed=observed, reduction="none")
        else:
            values = extended(got.value)
            broken = values != want
            if not broken and got.dtype in ("", batch.format.name):
                continue
            observed = f"{[show(x) for x in values]} of dtype {got.dtype} for {name} labels"
            failure = Failure(typed, expected, observed, kind_of(*values) if broken else "dtype")
        if case.contract.label_dtypes == "all" or broken:
            out.fail(failure)
        else:
            refused.append(name)
    if refused:
        out.convention = f"labels of dtype {', '.join(refused)} are refused, or change the result's dtype"
    return out


def _label_dtypes(case: Case) -> list[str]:
    """The dtypes that can hold the labels: no unsigned one holds the padding −1, floats only the signs."""
    known = case.subject.label_dtypes
    if case.loss.margins.targets == "multilabel":
        return [name for name in known if name.startswith("int")]
    return [name for name in known if name != "float32" or case.loss.margins.targets == "sign"]
