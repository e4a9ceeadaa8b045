"""The table of cases, the data, the clock's self-check, and the oracle's word on timed answers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hingeproof.bench.timing import data, measure, selfcheck
from hingeproof.bench.timing.case import PROFILES, cases, parse_size, places, too_large
from hingeproof.bench.timing.check import handed
from hingeproof.bench.timing.clock import Block, Timed, block, first_call
from hingeproof.bench.timing.work import bytes_moved, flops, peak_bytes, target_bytes
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.errors import UsageError
from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.jax.kernel import labels
from hingeproof.frameworks.registry import FRAMEWORKS, REFERENCES, kernel
from hingeproof.reference_impls import in_numpy
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.timings import BenchPlan, Timing, TimingCase

PLAN = BenchPlan(blocks=3)


def case(implementation: str = "numpy.hinge", **fields: object) -> TimingCase:
    i = IMPLEMENTATIONS.get(implementation)
    loss = i.loss if i else "hinge"
    wide = LOSSES[loss].margins.row == "vector"
    known: dict[str, object] = {
        "implementation": implementation, "loss": loss, "framework": i.framework if i else "numpy", "dtype": "float32",
        "n": 500, "k": 5 if wide else 1, "phase": "forward", "mode": "eager", "device": "cpu",
    }  # fmt: skip
    return TimingCase(**(known | fields))  # type: ignore[arg-type]


def timed(implementation: str = "numpy.hinge", **fields: object) -> Timing:
    return measure.time_case(case(implementation, **fields), IMPLEMENTATIONS[implementation], PLAN)


# -- the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [p for p in PROFILES if p != "full"])
def test_every_loss_and_framework_has_a_row(profile: str) -> None:
    found = cases(BenchPlan(profile=profile))
    assert {(c.loss, c.framework) for c in found} >= {(loss, f) for loss in LOSSES for f in REFERENCES}
    assert len({c.id for c in found}) == len(found)


def test_every_implementation_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    from hingeproof.bench.timing import case as module

    monkeypatch.setattr(module, "missing_packages", lambda i: [])
    assert {c.implementation for c in cases(BenchPlan())} == set(IMPLEMENTATIONS)
    assert {f for f, _ in places(BenchPlan())} == set(FRAMEWORKS)
    assert ("torch", (("KERAS_BACKEND", "torch"),)) in places(BenchPlan())


def test_the_full_table_has_every_axis() -> None:
    found = cases(BenchPlan(profile="full", patterns=("torch.multi_margin",), modes=("inductor",)))
    assert {c.phase for c in found} == {"forward", "backward", "both", "compile"}
    assert {c.inside for c in found} == {0.0, 0.1, 0.5, 1.0}
    assert {c.cache for c in found} == {"warm", "cold"}
    assert {c.layout for c in found} == {"contiguous", "strided", "transposed"}
    assert max(c.n * c.k for c in found) == 10**8
    assert min(c.n for c in found) == 1000


def test_combinations_without_meaning_are_no_rows() -> None:
    found = cases(BenchPlan(profile="full", patterns=("jax.hinge", "numpy.hinge", "sklearn.metrics.hinge_loss")))
    assert not [c for c in found if c.framework == "jax" and c.layout != "contiguous"]
    assert not [c for c in found if c.phase == "compile" and c.mode == "eager"]
    assert {c.phase for c in found if c.implementation.startswith("sklearn")} == {"forward"}


@pytest.mark.parametrize("text", ["1e6", "1000", "1e5x64", "10×3"])
def test_sizes_are_read(text: str) -> None:
    assert parse_size(text)[0] in (10**6, 1000, 10**5, 10)


@pytest.mark.parametrize("text", ["", "x", "1e5x", "0", "1.5", "-3", "5x0", "nan", "inf"])
def test_a_senseless_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--size"):
        parse_size(text)


def test_what_does_not_fit_says_not_run_memory() -> None:
    assert timed(n=10**9).reason.startswith("memory: N·K")
    large = case("torch.multilabel_margin", n=10**5, k=1000)
    assert "more than half" in too_large(large, 32 << 30)
    assert too_large(case(), 1 << 30) == ""
    row = measure.time_case(large, IMPLEMENTATIONS["torch.multilabel_margin"], PLAN)
    assert row.status == "not run"
    assert row.reason.startswith("memory")


def test_a_device_that_is_not_here_says_not_run() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a device here")
    assert timed("torch.hinge", device="cuda").reason == "no cuda device is here"
    assert timed("jax.hinge", device="cuda").reason == "no cuda device is here"


def test_bytes_are_read_once_and_gradients_written_once() -> None:
    assert bytes_moved("hinge", "float32", "torch", 100, 1, "forward") == 800
    assert bytes_moved("hinge", "float32", "torch", 100, 1, "both") == 1200
    assert bytes_moved("weston_watkins", "float32", "torch", 100, 10, "both") == 4000 + 800 + 4000
    assert bytes_moved("weston_watkins", "float32", "jax", 100, 10, "both") == 4000 + 400 + 4000
    assert flops("hinge", 100, 1, "forward") == 100 * (1 + 1 + 1 + 0 + 1)
    assert peak_bytes("hinge", "float32", "torch", 100, 1, "both", "eager") > 1200


# -- data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_the_fraction_inside_is_what_was_asked_for(name: str) -> None:
    always = {"hinge_embedding": 1, "cosine_embedding": 1}  # y = 1 has no free side
    for inside in (0.0, 0.1, 1.0):
        drawn = data.make(name, "float32", 4000, 6 if LOSSES[name].margins.row == "vector" else 1, inside)
        more = () if drawn.targets is None else (drawn.targets,)
        costs = getattr(in_numpy, name)(*drawn.inputs, *more, reduction="none") > 0
        if name in always and drawn.targets is not None:
            costs = costs[drawn.targets == -1]
        # a costly row of several has each class inside with ½: none of 5 (multi-label: of 3) is possible
        lost = 0.15 if LOSSES[name].margins.row == "vector" and not LOSSES[name].margins.norms else 0.03
        assert inside - lost <= costs.mean() <= inside + 0.03


def test_layouts_hold_the_same_numbers() -> None:
    drawn = data.make("weston_watkins", "float32", 20, 4, 0.5)
    for layout in ("strided", "transposed"):
        other = data.laid_out(drawn, layout)
        assert np.array_equal(other.inputs[0], drawn.inputs[0])
        assert not other.inputs[0].flags["C_CONTIGUOUS"]


# -- the clock -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", [*REFERENCES, "mlx"])
def test_the_clock_detects_what_is_planted(framework: str) -> None:
    found = selfcheck.examine(framework)
    assert found.passed
    assert found.asynchronous == (framework in ("jax", "mlx"))


def test_honest_blocks_are_believed() -> None:
    assert selfcheck.distrust([Block(1e-3, 1e-6, 0)] * 5) == ""
    assert "before the device was done" in selfcheck.distrust([Block(1e-3, 5e-3, 0)] * 5)
    assert "compiled 1 times" in selfcheck.distrust([Block(1e-3, 1e-6, 0)] * 4 + [Block(1e-3, 1e-6, 1)])


def test_outputs_live_until_the_clock_has_stopped() -> None:
    alive: list[int] = [0, 0]

    class Output:
        def __init__(self) -> None:
            alive[0] += 1
            alive[1] = max(alive[1], alive[0])

        def __del__(self) -> None:
            alive[0] -= 1

    class Kernel:
        device = "cpu"
        call = Output

        def wait(self, kept: list[object]) -> None:
            assert len(kept) == alive[0] == 7

        def drain(self, kept: list[object]) -> None:
            pass

        def compilations(self) -> int:
            return 0

    block(Kernel(), 7)
    assert alive == [0, 7]


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_recompilation_in_a_round_invalidates_it(framework: str, tmp_path: Path, monkeypatch: object) -> None:
    text = {
        "torch": "import itertools, torch\ntorch._dynamo.config.recompile_limit = 10**6\n"
        "torch._dynamo.config.accumulated_recompile_limit = 10**6\nnumbers = itertools.count(1)\ndef f(s, y):\n"
        "    n = next(numbers)\n"
        "    g = lambda s: torch.relu(1 - y * s).mean() * (n / n)\n"
        "    return torch.compile(g, backend='eager', dynamic=False)(s)\n",
        "jax": "import jax\ndef f(s, y):\n    return jax.jit(lambda s: jax.nn.relu(1 - y * s).mean())(s)\n",
    }[framework]
    found = measure.time_case(*user(tmp_path, monkeypatch, text, framework=framework), PLAN)
    assert found.status == "invalid"
    assert "inside a round" in found.reason


# -- the oracle's word ---------------------------------------------------------------------------------------


def user(
    tmp_path: Path,
    monkeypatch: object,
    text: str,
    *,
    framework: str = "numpy",
    phase: str = "forward",
    loss: str = "hinge",
    **contract: object,
) -> tuple[TimingCase, Implementation]:
    """A callable of a user's, and a case of it."""
    name = f"mine_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)  # type: ignore[attr-defined]
    sys.modules.pop(name, None)
    i = Implementation(
        name=f"{name}:f", framework=framework, loss=loss, target=f"{name}:f", reductions=("mean",), user=True,
        **contract,  # type: ignore[arg-type]
    )  # fmt: skip
    return case(i.name, framework=framework, phase=phase, loss=loss, k=1 if loss == "hinge" else 5), i


def test_a_right_answer_of_a_user_is_measured(tmp_path: Path, monkeypatch: object) -> None:
    text = "import numpy as np\ndef f(s, y):\n    return np.maximum(1 - y * s, 0).mean()\n"
    found = measure.time_case(*user(tmp_path, monkeypatch, text), PLAN)
    assert found.status == "measured", found.reason
    assert len(found.blocks) == len(found.reference_blocks) == 3
    assert found.loops > 1
    assert found.reduction_error is not None
    assert found.reduction_error < 1e-5


@pytest.mark.parametrize(
    "body",
    [
        "return np.maximum(1 - y * s, 0)[::2].mean()",  # half of the work
        "return np.maximum(1 - y * s, 0).sum() / max(1, (y * s < 1).sum())",  # divided by the violators
        "return np.maximum(1 - y * s, 0).mean() if len(s) != 500 else np.float32(0.7)",  # honest but where it is timed
        "return np.float32('nan')",
    ],
)
def test_a_fast_wrong_answer_is_invalid(tmp_path: Path, monkeypatch: object, body: str) -> None:
    found = measure.time_case(*user(tmp_path, monkeypatch, f"import numpy as np\ndef f(s, y):\n    {body}\n"), PLAN)
    assert found.status == "invalid"
    assert found.reason.startswith("wrong answer: ")
    assert found.seconds is None


def test_a_wrong_gradient_is_invalid(tmp_path: Path, monkeypatch: object) -> None:
    text = """
import torch

class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, s, y):
        ctx.save_for_backward(s, y)
        return torch.relu(1 - y * s).mean()

    @staticmethod
    def backward(ctx, up):
        s, y = ctx.saved_tensors
        return torch.where(y * s < 1, -y, torch.zeros_like(y)) * up / (2 * len(s)), None

def f(s, y):
    return Half.apply(s, y)
"""
    found = measure.time_case(*user(tmp_path, monkeypatch, text, framework="torch", phase="both"), PLAN)
    assert found.status == "invalid"
    assert "gradient" in found.reason


def test_what_raises_is_a_row(tmp_path: Path, monkeypatch: object) -> None:
    found = measure.time_case(*user(tmp_path, monkeypatch, "def f(s, y):\n    raise OSError('no')\n"), PLAN)
    assert (found.status, found.reason) == ("crash", "raised OSError: no")


@pytest.mark.parametrize("name", ["numpy.hinge", "torch.triplet_margin", "torch.nn.TripletMarginLoss", "jax.hinge"])
@pytest.mark.parametrize("phase", ["forward", "backward", "both"])
def test_phases_are_measured_and_judged(name: str, phase: str) -> None:
    found = timed(name, phase=phase)
    assert found.status == "measured", found.reason
    assert found.checked_gradients >= (10_000 if phase != "forward" else 0)
    assert found.roof is not None
    assert found.of_roof is not None


@pytest.mark.parametrize("name", ["optax.losses.hinge_loss", "sklearn.metrics.hinge_loss", "textbook.HingeLoss"])
def test_others_are_measured_as_they_are_called(name: str) -> None:
    found = timed(name)
    assert found.status == "measured", found.reason


@pytest.mark.parametrize(
    "fields",
    [{"cache": "cold"}, {"layout": "strided"}, {"dtype": "float64"}, {"dtype": "bfloat16"}, {"inside": 0.0}],
    ids=lambda f: "-".join(map(str, f.values())),
)
def test_other_axes_are_measured(fields: dict[str, object]) -> None:
    found = timed("torch.hinge", phase="both", **fields)
    assert found.status == "measured", found.reason
    if fields.get("cache") == "cold":
        assert found.loops == 1


def test_a_compilation_is_timed_apart() -> None:
    found = timed("jax.hinge", mode="jit", phase="compile")
    assert found.status == "measured", found.reason
    assert len(found.blocks) == 3
    assert found.first_call == found.blocks[0]
    assert found.ratio is None


def test_labels_of_jax_are_32_bits_wide() -> None:
    assert labels(np.zeros(3, np.int64), "float32").dtype == np.int32
    assert labels(np.zeros(3, np.int64), "float64").dtype == np.int64


# -- labels, scales, domains and environments of contracts ----------------------------------------------------


NUMPY = "import numpy as np\ndef f(s, y):\n    "
RIGHT_01 = "return np.maximum(1 - (2 * y - 1) * s, 0).mean()"
RIGHT_ONE_HOT = (
    "return np.maximum(0, 1 + np.where(y > 0, -np.inf, s).max(1) - np.where(y > 0, s, 0).sum(1)).mean(dtype=s.dtype)"
)


@pytest.mark.parametrize(
    ("loss", "contract", "body", "wrong"),
    [
        ("hinge", {"labels": "01"}, RIGHT_01, ""),
        ("hinge", {"labels": "01", "label_dtype": "int64"}, f"assert y.dtype == np.int64; {RIGHT_01}", ""),
        ("hinge", {"labels": "01"}, "return np.maximum(1 - np.where(y == 0, 1, y) * s, 0).mean()", "the mean"),
        ("hinge", {"labels": "ours"}, f"{RIGHT_01}  # given ±1", "the mean"),
        ("hinge", {"scale": "1/2"}, "return np.maximum(1 - y * s, 0).mean() / 2", ""),
        ("hinge", {"scale": "1/2"}, "return np.maximum(1 - y * s, 0).mean()", "the mean"),
        # right in the domain alone, and asked for nothing else
        ("hinge", {"domain": ("0", "1")}, "assert 0 <= s.min() <= s.max() <= 1; return (1 - y * s).mean()", ""),
        ("crammer_singer", {"labels": "one_hot"}, RIGHT_ONE_HOT, ""),
        ("crammer_singer", {"labels": "one_hot"}, f"{RIGHT_ONE_HOT} / 2", "the mean"),
        ("crammer_singer", {"labels": "one_hot", "scale": "1/K"}, f"{RIGHT_ONE_HOT} / s.shape[1]", ""),
        ("crammer_singer", {"labels": "one_hot", "scale": "1/K"}, f"{RIGHT_ONE_HOT} / 4", "the timed mean"),
    ],
)  # fmt: skip
def test_a_contract_is_timed_and_judged(
    tmp_path: Path, monkeypatch: object, loss: str, contract: dict[str, object], body: str, wrong: str
) -> None:
    fields, i = user(tmp_path, monkeypatch, NUMPY + body, loss=loss, **contract)
    found = measure.time_case(fields, i, PLAN)
    if wrong:
        assert found.status == "invalid", body
        assert found.reason.startswith(f"wrong answer: {wrong}")
    else:
        assert found.status == "measured", found.reason
        assert found.checked_values >= 2


@pytest.mark.parametrize("body", ["return -(2 * y - 1)", "return np.where(y == 0, -1.0, 1.0)"])
def test_a_wrong_gradient_for_labels_of_a_contract_is_invalid(tmp_path: Path, monkeypatch: object, body: str) -> None:
    """The slope where nothing costs, and the wrong sign."""
    text = f"{NUMPY}{RIGHT_01}\ndef g(s, y, cotangent):\n    {body} * cotangent / len(s)\n"
    found, i = user(tmp_path, monkeypatch, text, phase="both", labels="01")
    i = replace(i, gradient=i.target.replace(":f", ":g"))
    timed_row = measure.time_case(found, i, PLAN)
    assert timed_row.status == "invalid"
    assert "gradient" in timed_row.reason


JAXOPT = pytest.mark.filterwarnings("ignore:JAXopt is no longer maintained:DeprecationWarning")


@JAXOPT
@pytest.mark.parametrize(
    "name",
    [
        "jaxopt.loss.binary_hinge_loss", "torchmetrics.binary_hinge_loss.squared", "torchmetrics.HingeLoss.binary",
        "torchmetrics.multiclass_hinge_loss", "torchmetrics.multiclass_hinge_loss.one_vs_all",
    ],
)  # fmt: skip
def test_implementations_with_contracts_are_measured(name: str) -> None:
    found = timed(name, phase="both", inside=1.0)
    assert found.status == "measured", found.reason
    assert found.checked_gradients >= 10_000


@pytest.mark.parametrize("name", ["river.optim.losses.Hinge", "sklearn.sgd.SquaredHinge"])
def test_a_loss_of_one_dtype_is_timed_in_it(name: str) -> None:
    assert {c.dtype for c in cases(BenchPlan(patterns=(name,)))} == {"float64"}
    assert not cases(BenchPlan(patterns=(name,), dtypes=("float32",)))
    found = timed(name, dtype="float64", phase="both")
    assert found.status == "measured", found.reason
    assert found.note.startswith("called as ")


@pytest.mark.parametrize("phase", ["forward", "backward", "both"])
@pytest.mark.parametrize("mode", ["eager", "compile"])
def test_mlx_is_measured(phase: str, mode: str) -> None:
    found = timed("mlx.nn.losses.hinge_loss", phase=phase, mode=mode)
    assert found.status == "measured", found.reason
    assert found.of_roof is not None


def test_mlx_counts_what_it_traces() -> None:
    import mlx.core as mx

    spec = measure.spec_of(IMPLEMENTATIONS["mlx.spelled.hinge.relu"], case("mlx.spelled.hinge.relu", mode="compile"))
    made = Timed(kernel("mlx"), spec, [np.ones(4, np.float32)], np.ones(4, np.float32))
    assert made.compilations() == 0
    first_call(made)
    assert made.compilations() == 1
    assert block(made, 3).compiled == 0
    assert mx.default_device() == mx.cpu


@JAXOPT
def test_a_known_deviation_is_named() -> None:
    found = timed("jaxopt.loss.multiclass_hinge_loss")
    assert found.status == "invalid"
    assert "the ledger knows deviations from infinity, masked_classes" in found.reason


def test_a_process_that_began_otherwise_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = timed("keras.numpy.hinge")
    assert found.status == "not run"
    assert found.reason == "needs a process that began with KERAS_BACKEND=numpy: hingeproof bench run starts one"


def test_an_expression_is_compiled() -> None:
    found = timed("torch.spelled.hinge.relu", mode="compile")
    assert found.status == "measured", found.reason


def test_a_loss_that_cannot_be_compiled_says_so() -> None:
    found = timed("torchmetrics.binary_hinge_loss", mode="inductor", inside=1.0)
    assert found.status == "not run"
    assert found.reason.startswith("cannot be compiled as a whole: ")


def test_the_domain_is_kept_and_so_is_the_fraction_where_it_can_be() -> None:
    keras, metrics = IMPLEMENTATIONS["keras.torch.CategoricalHinge"], IMPLEMENTATIONS["torchmetrics.BinaryHingeLoss"]
    plan = BenchPlan(patterns=(keras.name, metrics.name), inside=(0.1, 0.5))
    found = {(c.implementation, c.inside) for c in cases(plan)}
    assert found == {(keras.name, 0.1), (keras.name, 0.5), (metrics.name, 1.0)}
    for inside in (0.0, 0.1, 1.0):
        drawn = data.make("crammer_singer", "float32", 4000, 6, inside, domain=data.domain_of(keras))
        free = data.make("crammer_singer", "float32", 4000, 6, inside)
        costs, as_many = (in_numpy.crammer_singer(*d.inputs, d.targets, reduction="none") > 0 for d in (drawn, free))
        assert np.array_equal(costs, as_many)
        assert drawn.inputs[0].min() >= 2**-7
    for loss, width in (("hinge", 1), ("crammer_singer", 6), ("one_vs_rest_hinge", 6)):
        drawn = data.make(loss, "float16", 4000, width, 0.5, domain=(0.0, 1.0))
        assert 0 <= drawn.inputs[0].min() <= drawn.inputs[0].max() <= 1
        costs = getattr(in_numpy, loss)(*drawn.inputs, drawn.targets, reduction="none") > 0
        assert costs.mean() > 0.99


@pytest.mark.parametrize("name", sorted(n for n, i in IMPLEMENTATIONS.items() if i.framework in REFERENCES))
def test_bytes_are_those_of_the_labels_handed_over(name: str) -> None:
    i = IMPLEMENTATIONS[name]
    fields = case(name, dtype=i.dtypes[-1])
    drawn = data.make(i.loss, fields.dtype, fields.n, fields.k, 0.5, domain=data.domain_of(i))
    given = handed(fields, i, drawn).targets
    if given is not None and i.framework == "jax":
        given = labels(given, fields.dtype)
    size = target_bytes(LOSSES[i.loss], fields.dtype, i.framework, fields.n, fields.k, i)
    assert size == (0 if given is None else given.nbytes)
