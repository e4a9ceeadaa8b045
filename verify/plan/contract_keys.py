"""The contract of a user's own loss as text: `labels=01,kink=any,scale=1/K`; `strict` stands for our whole policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hingeproof.errors import UsageError, nearest
from hingeproof.frameworks.implementation import DTYPES, Implementation
from hingeproof.properties.batch import rational_function
from hingeproof.properties.contract import REFERENCE_POLICY, Contract
from hingeproof.reference_impls.definition import Loss

# promises, by the values that they may take; the field of Contract has the same name
PROMISES: dict[str, tuple[str, ...]] = {
    "kink": ("any", "0", "1/2", "1"),
    "ties": ("any", "first"),
    "nan": ("any", "propagate"),
    "empty_batch": ("any", "nan"),
    "bad_label": ("any", "raise"),
    "bad_shape": ("any", "raise"),
    "label_dtypes": ("any", "all"),
    "any_shape": ("any", "works"),
    "mean_overflow": ("any", "exact"),
    "accumulation": ("any", "float32"),
}
# labels, by what the loss's margin map wants; "ours" is what our references take
LABELS: dict[str | None, dict[str, str]] = {
    "sign": {"+-1": "ours", "01": "01"},
    "index": {"index": "ours", "one_hot": "one_hot"},
    "multilabel": {"padded": "ours"},
}
OTHERS = {
    "labels": "+-1, 01, index, one_hot or padded, as the loss has them",
    "scale": "an exact rational function of K, as in 1/K",
    "mean": "N or weights: what the mean divides by",
    "order": "scores_first or targets_first",
    "dtypes": "the dtypes that it is made for, joined by +, as in float32+float64",
}
KEYS = (*OTHERS, *PROMISES)


def parse(text: str) -> tuple[bool, dict[str, str]]:
    """Return whether `strict` is asked for, and the keys. Raises: UsageError for a key or value that is none."""
    strict, found = False, {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, equals, value = (x.strip() for x in part.partition("="))
        if not equals and key == "strict":
            strict = True
            continue
        if key not in KEYS:
            hint = nearest(key, [*KEYS, "strict"]) or f": there are strict, {', '.join(KEYS)}"
            raise UsageError(f"no contract key is named {key!r}{hint}")
        if not equals or not value:
            raise UsageError(f"contract key {key}: give a value ({_values(key)})")
        found[key] = value
        _check(key, value)
    return strict, found


def _values(key: str) -> str:
    return OTHERS[key] if key in OTHERS else ", ".join(PROMISES[key])


def _check(key: str, value: str) -> None:
    if key == "scale":
        try:
            for classes in (2, 3, 4):
                rational_function(value, classes)
        except ValueError:
            raise UsageError(f"contract key scale: {value!r} is not {OTHERS['scale']}") from None
        return
    allowed: tuple[str, ...] = (
        PROMISES.get(key)
        or {
            "labels": tuple(name for kind in LABELS.values() for name in kind),
            "mean": ("N", "weights"),
            "order": ("scores_first", "targets_first"),
            "dtypes": DTYPES,
        }[key]
    )
    for one in value.split("+") if key == "dtypes" else [value]:
        if one not in allowed:
            raise UsageError(f"contract key {key}: no value is named {one!r}: there are {', '.join(allowed)}")


def check_loss(keys: Mapping[str, str], loss: Loss) -> None:
    """Raise UsageError where the labels are none that this loss can have."""
    known = LABELS.get(loss.margins.targets, {})
    if "labels" in keys and keys["labels"] not in known:
        has = f"it takes {' or '.join(known)}" if known else "it has no class labels"
        raise UsageError(f"contract key labels: {keys['labels']} makes no sense for {loss.name}: {has}")


def applied(implementation: Implementation, keys: Mapping[str, str], *, strict: bool) -> Implementation:
    """Return the implementation with what its contract says."""
    promises: dict[str, Any] = {k: v for k, v in keys.items() if k in PROMISES}
    fields: dict[str, Any] = {"contract": replace(REFERENCE_POLICY if strict else Contract(), **promises)}
    if "labels" in keys:
        fields["labels"] = LABELS[implementation.family.margins.targets][keys["labels"]]
    if "scale" in keys:
        fields["scale"] = keys["scale"]
    if "mean" in keys:
        fields["mean_over"] = keys["mean"]
    if "order" in keys:
        fields["targets_first"] = keys["order"] == "targets_first"
    if "dtypes" in keys:
        fields["dtypes"] = tuple(d for d in DTYPES if d in keys["dtypes"].split("+"))
    return replace(implementation, **fields)
