"""The contracts as data: how many, what they say, and that scale, labels, order and mean are judged as they say."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from hingeproof import conformance
from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.contracts import torch as torch_rows
from hingeproof.errors import UsageError
from hingeproof.frameworks.binding import argument_names, written
from hingeproof.ledger.versions import within
from hingeproof.plan.contract_keys import parse
from hingeproof.properties.batch import rational_function
from hingeproof.reference_impls.losses import LOSSES

OTHERS = [i for i in IMPLEMENTATIONS.values() if not i.reference]
ELSEWHERE = ("tensorflow", "paddle")  # in environments of their own


def test_at_least_120_rows() -> None:
    here = [i for i in IMPLEMENTATIONS.values() if i.framework not in ELSEWHERE]
    assert len(here) >= 120
    assert len({i.name for i in here}) == len(here)


@pytest.mark.parametrize("row", OTHERS, ids=lambda i: i.name)
def test_every_row_says_where_it_comes_from(row) -> None:
    assert row.source
    assert row.versions or ".fast." in row.name, "which releases does it speak of?"
    assert within(row.versions) is not False, "the contract speaks of another release than the pinned one"
    assert set(row.fixed) <= {*row.family.parameters, "eps", "root_eps"}
    for classes in (2, 3, 4):
        assert rational_function(row.scale, classes) > 0


@pytest.mark.parametrize("row", [i for i in OTHERS if i.expression], ids=lambda i: i.name)
def test_an_expression_uses_names_that_exist(row) -> None:
    known = set(argument_names(row))
    imported = {part.split(".")[0] for line in row.imports for part in line.replace(" as ", " ").split()}
    builtin = {"float", "range", "list"}
    assert row.names <= known | imported | builtin
    assert set(row.keywords) <= known


def test_spellings_cover_the_four_of_every_kind() -> None:
    for loss in ("hinge", "squared_hinge", "perceptron", "weston_watkins", "crammer_singer"):
        for how in ("clamp", "relu", "maximum", "where"):
            assert f"torch.spelled.{loss}.{how}" in IMPLEMENTATIONS
    assert len(torch_rows.SPELLINGS) >= 12


def test_an_expression_becomes_a_function() -> None:
    f = written("np.maximum(margin - scores * targets, 0)", ("import numpy as np",), ("scores", "targets", "margin"))
    assert f(np.array([0.25]), np.array([1.0]), margin=1.0) == [0.75]


@pytest.mark.parametrize(("text", "classes", "want"), [("1/K", 3, "1/3"), ("1/(K-1)", 3, "1/2"), ("2*K + 1", 2, "5")])
def test_scales_are_exact(text: str, classes: int, want: str) -> None:
    p, _, q = want.partition("/")
    assert rational_function(text, classes) == fmpq(int(p), int(q or 1))


@pytest.mark.parametrize("text", ["k", "1/0", "-1", "K-2", "1.5", "__import__('os')", "", "1/"])
def test_what_is_no_scale(text: str) -> None:
    with pytest.raises(ValueError):
        rational_function(text, 2)


def test_contract_text() -> None:
    assert parse("strict, labels=01,scale=1/K") == (True, {"labels": "01", "scale": "1/K"})
    with pytest.raises(UsageError, match="did you mean kink"):
        parse("knik=0")


# -- a user's own loss, with a contract that is true and with one that lies --------------------------------------------


def weston_watkins_mean(scores, targets):
    n = np.arange(len(scores))
    gaps = np.maximum(1 + scores - scores[n, targets][:, None], 0)
    gaps[n, targets] = 0
    return (gaps.sum(1) / (scores.shape[1] - 1)).astype(scores.dtype)


def hinge_01(scores, targets):
    return np.maximum(1 - (2 * targets - 1) * scores, 0).astype(scores.dtype)


def hinge_targets_first(targets, scores):
    return np.maximum(1 - targets * scores, 0).astype(scores.dtype)


def hinge_weighted(scores, targets, weight=None):
    d = np.maximum(1 - targets * scores, 0)
    return np.average(d, weights=weight).astype(scores.dtype) if len(d) else np.asarray(np.nan, scores.dtype)


def one_vs_rest_one_hot(scores, targets):
    signs = 2 * targets.astype(scores.dtype) - 1  # unsigned labels would wrap around
    return np.maximum(1 - signs * scores, 0).sum(1).astype(scores.dtype)


def as_float(scores, targets):
    return float(np.maximum(1 - targets * scores, 0).mean())


test_scale = conformance("weston_watkins", weston_watkins_mean, framework="numpy", contract="scale=1/(K-1)")
test_labels_01 = conformance("hinge", hinge_01, framework="numpy", contract="labels=01")
test_order = conformance("hinge", hinge_targets_first, framework="numpy", contract="order=targets_first")
test_mean = conformance("hinge", hinge_weighted, framework="numpy", contract="mean=weights")
test_one_hot = conformance("one_vs_rest_hinge", one_vs_rest_one_hot, framework="numpy", contract="labels=one_hot")
test_python_float = conformance("hinge", as_float, framework="numpy")


@pytest.mark.parametrize(
    ("loss", "f", "contract"),
    [
        ("weston_watkins", weston_watkins_mean, "scale=1/K"),
        ("weston_watkins", weston_watkins_mean, ""),
        ("hinge", hinge_01, ""),
        ("hinge", hinge_targets_first, "labels=01"),
        ("squared_hinge", hinge_01, "labels=01"),
    ],
)
def test_a_contract_that_lies_fails_the_value(loss: str, f, contract: str) -> None:
    test = conformance(loss, f, framework="numpy", contract=contract)
    with pytest.raises(pytest.fail.Exception):
        test("value")


def test_a_mean_over_the_weights_is_not_one_over_n() -> None:
    with pytest.raises(pytest.fail.Exception):
        conformance("hinge", hinge_weighted, framework="numpy")("weight")


def test_a_gradient_of_its_own() -> None:
    def gradient(scores, targets, cotangent):
        return np.where(1 - targets * scores > 0, -targets, 0).astype(scores.dtype) * cotangent

    conformance("hinge", hinge_targets_first, framework="numpy", contract="order=targets_first")("value")
    test = conformance(
        "hinge", lambda scores, targets: hinge_01(scores, (targets + 1) / 2), framework="numpy", grad=gradient
    )
    test("gradient")
    wrong = conformance(
        "hinge", lambda scores, targets: hinge_01(scores, (targets + 1) / 2), framework="numpy",
        grad=lambda scores, targets, cotangent: -gradient(scores, targets, cotangent),
    )  # fmt: skip
    with pytest.raises(pytest.fail.Exception):
        wrong("gradient")


@pytest.mark.parametrize(
    ("loss", "f", "more", "said"),
    [
        ("hing", hinge_01, {}, "did you mean hinge"),
        ("hinge", hinge_01, {"framework": "torhc"}, "did you mean torch"),
        ("hinge", lambda scores: scores, {}, "cannot be called with"),
        ("hinge", hinge_01, {"contract": "lables=01"}, "did you mean labels"),
        ("hinge", hinge_01, {"contract": "labels=one_hot"}, "makes no sense for hinge"),
        ("hinge", 3, {}, "cannot be called"),
    ],
)
def test_mistakes(loss: str, f, more: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        conformance(loss, f, **{"framework": "numpy", **more})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_every_framework_of_a_row_is_known() -> None:
    from hingeproof.frameworks.registry import MODES

    assert {i.framework for i in IMPLEMENTATIONS.values()} <= set(MODES)
    assert {i.loss for i in IMPLEMENTATIONS.values()} == set(LOSSES)
