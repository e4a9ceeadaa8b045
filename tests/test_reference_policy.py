"""The policy of the references (interfaces.md), for every loss in every framework.

Expected numbers are fractions worked by hand from each definition; samples lie on, inside and past a kink.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import math
import pickle
from dataclasses import dataclass, field
from fractions import Fraction as F
from functools import partial
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
import torch

from hingeproof.reference_impls.in_torch.modules import MODULES
from hingeproof.reference_impls.losses import LOSSES

# PyTorch's forward mode imports a module of its own that still calls torch.jit.script
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

HALF, INF, NAN = F(1, 2), math.inf, math.nan
NP = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}


@dataclass(frozen=True)
class Example:
    inputs: tuple[Any, ...]
    targets: Any
    losses: list[Any]
    grads: tuple[Any, ...]  # of the sum
    more: dict[str, Any] = field(default_factory=dict)
    curved: bool = False


# z = y s:     1, 2, ½, 1, −½, −3, 0, −1
S = [1, 2, HALF, -1, HALF, -3, 0, 1]
Y = [1, 1, 1, -1, -1, 1, 1, -1]
X = [[2, 1, 0], [0, HALF, HALF], [1, -INF, HALF], [1, 1, 0]]
C = [0, 0, 2, 0]
R, T = [1, 0, HALF, 2], [1, 1, F(1, 4), 0]
THIRD, TUBE = F(1, 3), {"epsilon": F(1, 4)}
EXAMPLES = {
    "hinge": Example((S,), Y, [0, 0, HALF, 0, F(3, 2), 4, 1, 2], ([0, 0, -1, 0, 1, -1, -1, 1],)),
    "squared_hinge": Example(
        (S,), Y, [0, 0, F(1, 4), 0, F(9, 4), 16, 1, 4], ([0, 0, -1, 0, 3, -8, -2, 4],), curved=True
    ),
    "perceptron": Example((S,), Y, [0, 0, 0, 0, HALF, 3, 0, 1], ([0, 0, 0, 0, 1, -1, 0, 1],)),
    "smooth_hinge": Example(
        (S,), Y, [0, 0, F(1, 8), 0, 1, F(7, 2), HALF, F(3, 2)], ([0, 0, -HALF, 0, 1, -1, -1, 1],), curved=True
    ),
    "modified_huber": Example(
        (S,), Y, [0, 0, F(1, 4), 0, F(9, 4), 12, 1, 4], ([0, 0, -1, 0, 3, -4, -2, 4],), curved=True
    ),
    "ramp": Example((S,), Y, [0, 0, HALF, 0, 1, 1, 1, 1], ([0, 0, -1, 0, 0, 0, 0, 0],)),
    "hinge_embedding": Example((S,), Y, [1, 2, HALF, 2, HALF, -3, 0, 0], ([1, 1, 1, -1, -1, 1, 1, 0],)),
    "margin_ranking": Example(
        ([1, 0, 0, 2], [0, 1, 0, 1]), [1, 1, 1, -1], [0, 1, 0, 1], ([0, -1, 0, 1], [0, 1, 0, -1])
    ),
    "epsilon_insensitive": Example((R,), T, [0, F(3, 4), 0, F(7, 4)], ([0, -1, 0, 1],), TUBE),
    "squared_epsilon_insensitive": Example(
        (R,), T, [0, F(9, 16), 0, F(49, 16)], ([0, -F(3, 2), 0, F(7, 2)],), TUBE, curved=True
    ),
    "weston_watkins": Example((X,), C, [0, 3, F(3, 2), 1], ([[0] * 3, [-2, 1, 1], [1, 0, -1], [-1, 1, 0]],)),
    "multi_margin": Example(
        (X,), C, [0, F(3, 2), F(3, 4), THIRD],
        ([[0] * 3, [-2, 1, 1], [1, 0, -1], [-2 * THIRD, 2 * THIRD, 0]],), {"p": 2}, curved=True,
    ),
    "crammer_singer": Example(
        (X,), C, [0, F(3, 2), F(3, 2), 1], ([[0] * 3, [-1, 1, 0], [1, 0, -1], [-1, 1, 0]],)
    ),
    "one_vs_rest_hinge": Example(
        (X,), C, [3, 4, F(5, 2), 3], ([[0, 1, 1], [-1, 1, 1], [1, 0, -1], [0, 1, 1]],)
    ),
    "multiclass_perceptron": Example(
        (X,), C, [0, HALF, HALF, 0], ([[0] * 3, [-1, 1, 0], [1, 0, -1], [0] * 3],)
    ),
    "multilabel_margin": Example(
        ([[1, 0, HALF], [0, 0, -INF], [0, 1, 0], [0, 0, 1]],),
        [[0, -1, 2], [0, 1, -1], [-1, 0, 0], [1, 2, -1]],
        [THIRD / 2, 0, 0, THIRD], ([[-THIRD, 0, THIRD], [0] * 3, [0] * 3, [THIRD, -THIRD, 0]],),
    ),
    "triplet_margin": Example(
        ([[0, 0]] * 3, [[3, 4], [0, 0], [0, 0]], [[0, 4], [1, 0], [HALF, 0]]), None, [2, 0, HALF],
        ([[-F(3, 5), F(1, 5)], [0, 0], [1, 0]], [[F(3, 5), F(4, 5)], [0, 0], [0, 0]],
         [[0, -1], [0, 0], [-1, 0]]),
        curved=True,
    ),
    "cosine_embedding": Example(
        ([[1, 0], [1, 0], [0, 0], [3, 4]], [[0, 2], [0, 2], [1, 1], [4, 3]]), [1, -1, 1, -1],
        [1, 0, 1, F(24, 25)],
        ([[0, -1], [0, 0], [0, 0], [F(28, 625), -F(21, 625)]],
         [[-HALF, 0], [0, 0], [0, 0], [-F(21, 625), F(28, 625)]]),
        curved=True,
    ),
}  # fmt: skip
SIGNS = [n for n, e in EXAMPLES.items() if e.targets in (Y, [1, 1, 1, -1], [1, -1, 1, -1])]
CLASSES = [n for n, e in EXAMPLES.items() if e.targets is C]


def array(x: Any, dtype: str) -> Any:
    return np.array(x, dtype=object).astype(np.float64).astype(NP[dtype])


class Numpy:
    name = "numpy"

    def of(self, x: np.ndarray) -> Any:
        return x

    def mode(self, f: Any) -> Any:
        return f

    def back(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def function(self, loss: str) -> Any:
        return getattr(importlib.import_module(f"hingeproof.reference_impls.in_{self.name}"), loss)

    def gradients(
        self, loss: str, inputs: Any, rest: Any, cotangent: Any, compiled: bool = False, **more: Any
    ) -> list[np.ndarray]:
        got = self.function(f"{loss}_grad")(*inputs, *rest, cotangent=cotangent, **more)
        return list(got) if isinstance(got, tuple) else [got]


class Torch(Numpy):
    name = "torch"

    def of(self, x: np.ndarray) -> Any:
        if x.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(x.astype(np.float32)).bfloat16()
        return torch.from_numpy(np.array(x))

    def back(self, x: Any) -> np.ndarray:
        x = x.detach()
        return x.float().numpy().astype(ml_dtypes.bfloat16) if x.dtype == torch.bfloat16 else x.numpy()

    def gradients(
        self, loss: str, inputs: Any, rest: Any, cotangent: Any, compiled: bool = False, **more: Any
    ) -> list[np.ndarray]:
        inputs = [x.clone().requires_grad_() for x in inputs]
        out = self.function(loss)(*inputs, *rest, **more)
        return [self.back(g) for g in torch.autograd.grad(out, inputs, self.of(np.asarray(cotangent)))]


class Jax(Numpy):
    name = "jax"

    def of(self, x: np.ndarray) -> Any:
        return jax.numpy.asarray(x)

    def gradients(
        self, loss: str, inputs: Any, rest: Any, cotangent: Any, compiled: bool = False, **more: Any
    ) -> list[np.ndarray]:
        def pull(up: Any, *inputs: Any) -> Any:
            return jax.vjp(lambda *xs: self.function(loss)(*xs, *rest, **more), *inputs)[1](up)

        run = self.mode(pull) if compiled else pull
        return [np.asarray(g) for g in run(self.of(np.asarray(cotangent)), *inputs)]

    def mode(self, f: Any) -> Any:
        """Compiled, which is the faster way through four dtypes; the other tests run eagerly."""
        return jax.jit(f)


FRAMEWORKS = (Numpy(), Torch(), Jax())
every_framework = pytest.mark.parametrize("fw", FRAMEWORKS, ids=lambda fw: fw.name)
every_loss = pytest.mark.parametrize("loss", EXAMPLES)
traced = pytest.mark.parametrize("fw", FRAMEWORKS[1:], ids=lambda fw: fw.name)


def drawn(fw: Any, loss: str, dtype: str = "float32") -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Inputs, the targets (if any) and the parameters of a loss's example."""
    e = EXAMPLES[loss]
    real = loss.endswith("insensitive")
    rest = [] if e.targets is None else [array(e.targets, dtype) if real else np.array(e.targets)]
    if fw.name == "jax" and rest and not real:
        rest = [rest[0].astype(np.int32)]
    more = {k: v if k == "p" else float(v) for k, v in e.more.items()}
    return [fw.of(array(x, dtype)) for x in e.inputs], [fw.of(t) for t in rest], more


def x64(fw: Any, dtype: str = "float64") -> Any:
    return jax.enable_x64(dtype == "float64") if fw.name == "jax" else contextlib.nullcontext()


def same(got: Any, expected: Any, dtype: str) -> None:
    """Zeros exactly, else within a few roundings (the cosine's gradient cancels to an eighth)."""
    assert str(np.asarray(got).dtype) == dtype
    eps = float(ml_dtypes.finfo(NP[dtype]).eps)
    want = np.array(expected, dtype=object).astype(np.float64)
    np.testing.assert_allclose(np.asarray(got).astype(np.float64), want, rtol=16 * eps, atol=0)


@every_framework
@every_loss
@pytest.mark.parametrize("dtype", NP)
def test_values_gradients_and_weights(fw: Any, loss: str, dtype: str) -> None:
    e, f = EXAMPLES[loss], fw.function(loss)
    n, w = len(e.losses), [F(1), F(2), HALF, F(3)] * 2
    with x64(fw, dtype):
        inputs, rest, more = drawn(fw, loss, dtype)
        weight = fw.of(array(w[:n], dtype))
        before = [np.array(fw.back(x)) for x in inputs]

        def values(*xs: Any) -> list[Any]:
            row, label = [x[2] for x in xs], [t[2] for t in rest]
            none = f(*xs, *rest, reduction="none", **more)
            total, mean = f(*xs, *rest, reduction="sum", **more), f(*xs, *rest, **more)
            weighted = f(*xs, *rest, weight=weight, **more)
            return [none, total, mean, weighted, f(*row, *label, reduction="none", **more)]

        each, total, mean, weighted, alone = map(fw.back, fw.mode(values)(*inputs))
        same(each, e.losses, dtype)
        same(total, sum(e.losses), dtype)
        same(mean, sum(e.losses) / F(n), dtype)
        same(weighted, sum(a * b for a, b in zip(e.losses, w, strict=False)) / F(n), dtype)
        np.testing.assert_array_equal(alone, each[2])  # a sample without its batch: 0-d, and the same bits
        for g, expected in zip(fw.gradients(loss, inputs, rest, array(1, dtype), True, **more), e.grads, strict=True):
            same(g, np.array(expected, dtype=object) / F(n), dtype)
        up = array(w[:n][::-1], dtype)
        got = fw.gradients(loss, inputs, rest, up, True, reduction="none", weight=weight, **more)
        for g, expected in zip(got, e.grads, strict=True):
            by_sample = np.array([a * b for a, b in zip(w[:n], w[:n][::-1], strict=True)], dtype=object)
            same(g, (np.array(expected, dtype=object).T * by_sample).T, dtype)
        for x, old in zip(inputs, before, strict=True):
            np.testing.assert_array_equal(fw.back(x), old)


@every_framework
@every_loss
def test_nan_stays_with_its_sample(fw: Any, loss: str) -> None:
    inputs, rest, more = drawn(fw, loss)
    for i in range(len(inputs)):
        spoilt = [np.array(fw.back(x)) for x in inputs]
        spoilt[i][0] = NAN
        xs = [fw.of(x) for x in spoilt]
        got = fw.back(fw.function(loss)(*xs, *rest, reduction="none", **more))
        assert np.isnan(got[0])
        same(got[1:], EXAMPLES[loss].losses[1:], "float32")
        ones = array([1] * len(got), "float32")
        for g, want in zip(
            fw.gradients(loss, xs, rest, ones, reduction="none", **more), EXAMPLES[loss].grads, strict=True
        ):
            same(g[1:], want[1:], "float32")


@every_framework
@every_loss
def test_empty_batch(fw: Any, loss: str) -> None:
    inputs, rest, more = drawn(fw, loss, "float16")
    inputs, rest, f = [x[:0] for x in inputs], [t[:0] for t in rest], fw.function(loss)
    assert fw.back(f(*inputs, *rest, reduction="none", **more)).shape == (0,)
    assert fw.back(f(*inputs, *rest, reduction="sum", **more)) == 0
    mean = fw.back(f(*inputs, *rest, **more))
    assert np.isnan(mean)
    assert mean.dtype == np.float16
    for g in fw.gradients(loss, inputs, rest, np.float16(1), **more):
        assert g.size == 0


@every_framework
@every_loss
def test_refusals(fw: Any, loss: str) -> None:
    inputs, rest, more = drawn(fw, loss)
    f = fw.function(loss)

    def refused(match: str, *args: Any, **given: Any) -> None:
        with pytest.raises(ValueError, match=match) as caught:
            f(*args, **{**more, **given})
        assert "\n" not in str(caught.value)

    refused("'mean', 'sum' or 'none'", *inputs, *rest, reduction="average")
    refused(r"weight have shape \(1,\)", *inputs, *rest, weight=fw.of(np.ones(1, np.float32)))
    refused("dtype .*int32", *(fw.of(np.zeros(np.shape(fw.back(x)), np.int32)) for x in inputs), *rest)
    if rest:
        refused(r"\(\d, 1.*but.*\(\d|pass \(N, K\)", *(x[:, None] for x in inputs), *rest)
        refused("targets have shape", *inputs, rest[0][:-1])
    if len(inputs) > 1:
        refused(
            "float32 but .*float16",
            inputs[0],
            *(fw.of(fw.back(x).astype(np.float16)) for x in inputs[1:]),
            *rest,
        )
    names = inspect.signature(f).parameters
    for name, bad in (
        ("margin", INF),
        ("margin", NAN),
        ("p", 3),
        ("gamma", 0.0),
        ("epsilon", -0.5),
        ("epsilon", NAN),
    ):
        if name in names:
            refused(f"{name}=.*pass", *inputs, *rest, **{name: bad})
    if "class_weight" in names:
        refused(r"class_weight has shape \(2,\): pass \(3,\)", *inputs, *rest, class_weight=fw.of(np.ones(2)))


BAD_SIGNS = [
    (0, "0"),
    (np.nan, "nan"),
    (np.uint8(255), "255"),
    (np.float64(1 + 1e-12), "1.000000000001"),
    (2, "2"),
]


@every_framework
@pytest.mark.parametrize(("label", "shown"), BAD_SIGNS, ids=[shown for _, shown in BAD_SIGNS])
def test_bad_signs(fw: Any, label: Any, shown: str) -> None:
    for loss in SIGNS:
        inputs, rest, _ = drawn(fw, loss)
        targets = np.ones(np.shape(fw.back(rest[0])), np.asarray(label).dtype)
        targets[2] = label
        given = targets if fw.name == "jax" else fw.of(targets)  # jnp would round it
        with pytest.raises(ValueError, match=rf"targets\[2\] = {shown} is not in {{-1, \+1}}"):
            fw.function(loss)(*inputs, given)


@every_framework
def test_bad_classes(fw: Any) -> None:
    for label, dtype in (
        (7, np.int64),
        (-1, np.int8),
        (255, np.uint8),
        (2**64 - 1, np.uint64),
        (2**32 + 1, np.int64),
    ):
        targets = np.array([0, label, 0, 0], dtype)
        given = targets if fw.name == "jax" else fw.of(targets)
        for loss in CLASSES:
            complaint = rf"targets\[1\] = {label} is not a class index in 0..2 \(scores have 3 columns\)"
            with pytest.raises(ValueError, match=complaint):
                fw.function(loss)(fw.of(array(X, "float32")), given)
    rows = fw.of(array(X[:2], "float32"))
    for bad, dtype, match in (
        ([[0, 7, -1], [0, 1, -1]], np.int16, r"targets\[0, 1\] = 7 is neither -1 nor a class index in 0..2"),
        ([[0, 1, -1], [2, 0, 2]], np.int32, r"targets\[1, 2\] = 2 stands twice"),
        ([[0, 255, 255], [0, 1, 2]], np.uint8, r"targets\[0, 1\] = 255 is neither"),
    ):
        with pytest.raises(ValueError, match=match):
            fw.function("multilabel_margin")(rows, fw.of(np.array(bad, dtype)))
    for loss in [*CLASSES, "multilabel_margin"]:
        inputs, rest, _ = drawn(fw, loss)
        with pytest.raises(ValueError, match=r"float32: pass integers"):
            fw.function(loss)(*inputs, fw.of(np.asarray(fw.back(rest[0]), np.float32)))


@every_framework
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int64", "float16", "bool"])
def test_labels_of_any_dtype(fw: Any, dtype: str) -> None:
    for loss in [*SIGNS, *CLASSES]:
        inputs, rest, more = drawn(fw, loss)
        if loss in CLASSES and dtype in ("float16", "bool"):
            continue
        plain = np.ones_like(fw.back(rest[0]))
        f = fw.function(loss)
        got, want = f(*inputs, fw.of(plain.astype(dtype)), **more), f(*inputs, fw.of(plain), **more)
        assert fw.back(got).dtype == np.float32
        np.testing.assert_array_equal(fw.back(got), fw.back(want))


@every_framework
def test_sums_of_halves_are_accumulated_in_float32(fw: Any) -> None:
    f, many = fw.function("perceptron"), 4096
    for dtype in (np.float16, ml_dtypes.bfloat16):
        s, y = fw.of(np.full(many, -0.5, dtype)), fw.of(np.ones(many, np.int32))
        assert float(f(s, y, reduction="sum")) == 2048
        assert float(f(s, y)) == 0.5
        wide, zero = fw.of(np.zeros((1, many + 1), dtype)), fw.of(np.zeros(1, np.int32))
        assert float(fw.function("weston_watkins")(wide, zero)) == many
        (g,) = fw.gradients("weston_watkins", [wide], [zero], dtype(1))
        assert float(g[0, 0]) == -many


@every_framework
def test_means_overflow_only_if_they_are_too_large(fw: Any) -> None:
    y = fw.of(np.ones(2, np.int32))
    for largest, dtype in ((3e38, np.float32), (65504, np.float16), (3e38, ml_dtypes.bfloat16)):
        s, f = fw.of(np.full(2, -largest, dtype)), fw.function("perceptron")
        assert float(f(s, y)) == float(dtype(largest))
        assert float(f(s, y, reduction="sum")) == INF


@every_framework
def test_infinite_scores(fw: Any) -> None:
    s, y = fw.of(array([INF, -INF], "float32")), fw.of(np.ones(2, np.int32))
    for loss in ("hinge", "squared_hinge", "perceptron", "smooth_hinge", "modified_huber"):
        np.testing.assert_array_equal(fw.back(fw.function(loss)(s, y, reduction="none")), [0, INF])
        (g,) = fw.gradients(loss, [s], [y], np.ones(2, np.float32), reduction="none")
        assert g[0] == 0
        assert g[1] < 0
    np.testing.assert_array_equal(fw.back(fw.function("ramp")(s, y, reduction="none")), [0, 1])
    one = fw.of(array([[INF], [-INF], [1]], "float32"))
    for loss in ("weston_watkins", "multi_margin", "crammer_singer", "multiclass_perceptron"):
        top = fw.of(array([[INF, 0, -INF]], "float32"))
        np.testing.assert_array_equal(fw.back(fw.function(loss)(top, fw.of(np.zeros(1, np.int32)))), 0)
        zeros = fw.of(np.zeros(3, np.int32))  # K = 1: there is no other class
        np.testing.assert_array_equal(fw.back(fw.function(loss)(one, zeros, reduction="none")), [0, 0, 0])
        (g,) = fw.gradients(loss, [one], [zeros], np.ones(3, np.float32), reduction="none")
        np.testing.assert_array_equal(g, np.zeros((3, 1)))


@every_framework
def test_layouts_and_small_margins(fw: Any) -> None:
    f, base = fw.function("hinge"), np.arange(8, dtype=np.float32) / 4 - 1
    y = fw.of(np.ones(4, np.int32))
    np.testing.assert_array_equal(fw.back(f(fw.of(base)[::2], y, reduction="none")), 1 - base[::2])
    if fw.name == "numpy":
        np.testing.assert_array_equal(f(base[::-2], y, reduction="none"), np.maximum(1 - base[::-2], 0))
    if fw.name == "torch":
        assert f(torch.zeros(1).expand(4), y) == 1
    # 1 − z rounds to 1 here; the slope is decided by z
    (g,) = fw.gradients("ramp", [fw.of(np.float32([1e-12]))], [y[:1]], np.float32(1))
    assert g[0] == -1
    for margin in (0.0, -0.5, 3):
        assert float(f(fw.of(np.float32([-2])), y[:1], margin=margin)) == margin + 2


def compiled(fw: Any, f: Any) -> Any:
    return jax.jit(f) if fw.name == "jax" else torch.compile(f, backend="aot_eager", fullgraph=True, dynamic=False)


def mapped(fw: Any, f: Any) -> Any:
    return jax.vmap(f) if fw.name == "jax" else torch.func.vmap(f)


@traced
@every_loss
def test_transforms(fw: Any, loss: str) -> None:
    inputs, rest, more = drawn(fw, loss)
    e, f = EXAMPLES[loss], fw.function(loss)
    torch.compiler.reset()

    def none(*args: Any) -> Any:
        return f(*args, reduction="none", **more)

    for transform in (mapped, compiled):
        call = transform(fw, none)
        same(fw.back(call(*inputs, *rest)), e.losses, "float32")
        if rest and not loss.endswith("insensitive"):
            bad = np.array(fw.back(rest[0]))
            bad[0] = 9
            got = fw.back(call(*inputs, fw.of(bad)))
            assert np.isnan(got[0])
            same(got[1:], e.losses[1:], "float32")
    if loss == "multilabel_margin":
        twice = fw.back(rest[0]).copy()
        twice[0] = [0, 0, -1]
        assert np.isnan(fw.back(mapped(fw, none)(*inputs, fw.of(twice)))[0])
    ones = tuple(fw.of(np.ones(np.shape(fw.back(x)), np.float32)) for x in inputs)
    jvp, vjp = (jax.jvp, jax.vjp) if fw.name == "jax" else (torch.func.jvp, torch.func.vjp)

    def scores_only(*xs: Any) -> Any:
        return none(*xs, *rest)

    _, slope = fw.mode(lambda *xs: jvp(scores_only, xs, ones))(*inputs)
    slopes = [np.array(g, dtype=object).reshape(len(e.losses), -1).sum(1) for g in e.grads]
    np.testing.assert_allclose(fw.back(slope), sum(slopes).astype(np.float64), rtol=1e-6, atol=1e-6)

    def gradient(*xs: Any) -> Any:
        _, pull = vjp(scores_only, *xs)
        return pull(fw.of(np.ones(len(e.losses), np.float32)))

    for way in (lambda *xs: vjp(gradient, *xs)[1](ones), lambda *xs: jvp(gradient, xs, ones)[1]):
        for h in fw.mode(way)(*inputs):
            assert np.isfinite(fw.back(h)).all()
            assert e.curved or not fw.back(h).any()


@traced
def test_second_derivatives(fw: Any) -> None:
    hessian = jax.hessian if fw.name == "jax" else torch.func.hessian

    def total(f: Any, y: Any, x: Any) -> Any:
        return f(x, y, reduction="sum")

    for loss, expected in (
        ("squared_hinge", [0, 0, 2, 0, 2, 2, 2, 2]), ("modified_huber", [0, 0, 2, 0, 2, 0, 2, 2]),
        ("smooth_hinge", [0, 0, 1, 0, 0, 0, 0, 0]),
    ):  # fmt: skip
        (s,), (y,), _ = drawn(fw, loss)
        second = hessian(partial(total, fw.function(loss), y))(s)
        np.testing.assert_array_equal(np.diag(fw.back(second)), expected)


@every_framework
def test_class_weight(fw: Any) -> None:
    w, scores = fw.of(array([1, 2, 3], "float32")), fw.of(array(X, "float32"))
    f, targets = fw.function("multi_margin"), fw.of(np.array(C, np.int32))
    got = fw.back(f(scores, targets, class_weight=w, reduction="none"))
    same(got, [0, 1, F(3, 2), THIRD], "float32")
    (g,) = fw.gradients(
        "multi_margin", [scores], [targets], array([1] * 4, "float32"), class_weight=w, reduction="none"
    )
    same(g[2], [1, 0, -1], "float32")


@every_loss
def test_modules_are_the_functions(loss: str) -> None:
    fw, name = FRAMEWORKS[1], "".join(part.capitalize() for part in loss.split("_"))
    module_class = fw.function("RampLoss" if loss == "ramp" else f"{name}Loss")
    inputs, rest, more = drawn(fw, loss)
    module = module_class(**more, reduction="none")
    assert torch.equal(module(*inputs, *rest), fw.function(loss)(*inputs, *rest, **more, reduction="none"))
    weight = torch.full((len(EXAMPLES[loss].losses),), 2.0)
    assert torch.equal(module(*inputs, *rest, weight=weight), 2 * module(*inputs, *rest))
    assert "reduction='none'" in repr(module)
    assert module_class.__doc__
    assert f"`{loss}`" in module_class.__doc__
    with pytest.raises(ValueError, match="reduction='all'"):
        module_class(reduction="all")
    if hasattr(module, "margin"):
        with pytest.raises(ValueError, match="margin=inf"):
            module_class(margin=INF)
        assert module_class().margin == inspect.signature(fw.function(loss)).parameters["margin"].default


@every_loss
def test_a_module_is_a_class_like_any_other(loss: str) -> None:
    fw = FRAMEWORKS[1]
    (module_class,) = (m for m in MODULES.values() if m.function is fw.function(loss))
    assert getattr(importlib.import_module(module_class.__module__), module_class.__qualname__) is module_class
    assert fw.function(module_class.__name__) is module_class
    made = module_class(reduction="sum")
    inputs, rest, _ = drawn(fw, loss)
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert repr(again) == repr(made)
        assert torch.equal(again(*inputs, *rest), made(*inputs, *rest))


def test_the_constructors_take_what_the_functions_take_by_keyword() -> None:
    taken = {
        name: str(inspect.signature(FRAMEWORKS[1].function(name)))
        for name in ("RampLoss", "SmoothHingeLoss", "MultiMarginLoss", "CosineEmbeddingLoss")
    }
    assert taken == {
        "RampLoss": "(*, reduction: 'str' = 'mean') -> 'None'",
        "SmoothHingeLoss": "(margin: 'float' = 1.0, gamma: 'float' = 1.0, *, reduction: 'str' = 'mean') -> 'None'",
        "MultiMarginLoss": "(margin: 'float' = 1.0, p: 'int' = 1, *, class_weight: 'torch.Tensor | None' = None, "
        "reduction: 'str' = 'mean') -> 'None'",
        "CosineEmbeddingLoss": "(margin: 'float' = 0.0, *, reduction: 'str' = 'mean') -> 'None'",
    }
    module_class = FRAMEWORKS[1].function("HingeLoss")
    assert module_class(0.5).margin == 0.5
    with pytest.raises(TypeError, match="HingeLoss: too many positional arguments"):
        module_class(0.5, "sum")
    with pytest.raises(TypeError, match="HingeLoss: got an unexpected keyword argument 'gamma'"):
        module_class(gamma=1.0)


def test_class_weight_is_a_buffer() -> None:
    module = FRAMEWORKS[1].function("MultiMarginLoss")(class_weight=torch.tensor([1.0, 2.0, 3.0]))
    assert list(module.state_dict()) == ["class_weight"]
    assert module.double().class_weight.dtype == torch.float64


@every_framework
def test_documents_and_names(fw: Any) -> None:
    module = importlib.import_module(f"hingeproof.reference_impls.in_{fw.name}")
    plain = {name for name in module.__all__ if not name.endswith(("_grad", "Loss"))}
    assert plain == set(EXAMPLES) == set(LOSSES)
    assert len(module.__all__) == (1 if fw.name == "jax" else 2) * len(plain)
    for loss in EXAMPLES:
        lines = [line.strip().partition(" ")[0] for line in inspect.getdoc(fw.function(loss)).splitlines()]
        assert [line for line in lines if line in ("Shapes:", "Dtypes:", "Raises:", "Source:")] == [
            "Shapes:", "Dtypes:", "Raises:", "Source:",
        ]  # fmt: skip
