"""Bytes and operations of a case by formula, and the estimate of its peak memory."""

from __future__ import annotations

from hingeproof.frameworks.implementation import Implementation
from hingeproof.frameworks.registry import FRAMEWORKS
from hingeproof.reference_impls.definition import Loss
from hingeproof.reference_impls.losses import LOSSES

ITEM = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}

# multi-label implementations that walk over the labels: no N·K·K margins at once
STREAMING = (
    "torch.fast.multilabel_margin",
    "torch.nn.MultiLabelMarginLoss",
    "torch.nn.functional.multilabel_margin_loss",
)


def target_bytes(loss: Loss, dtype: str, framework: str, n: int, k: int, by: Implementation | None = None) -> int:
    """The labels as they are handed over: signs and real targets in the dtype of the scores, indices as integers.

    by: whose contract may write them otherwise (verify's `labelled` is what writes them).
    """
    kind = loss.margins.targets
    if kind is None:
        return 0
    one_hot = by is not None and by.labels == "one_hot"
    wanted = by.label_dtype if by is not None else None
    if wanted is None and (kind in ("sign", "real") or one_hot):
        wanted = "scores"
    integer = 4 if wanted == "int32" or (dtype != "float64" and not FRAMEWORKS[framework].wide_labels) else 8
    return n * (ITEM[dtype] if wanted == "scores" else integer) * (k if kind == "multilabel" or one_hot else 1)


def coordinates(loss: Loss, n: int, k: int) -> int:
    """Numbers in all inputs."""
    return len(loss.margins.inputs) * n * (k if loss.margins.row == "vector" else 1)


def bytes_moved(
    name: str, dtype: str, framework: str, n: int, k: int, phase: str, by: Implementation | None = None
) -> int:
    """The least traffic: inputs and labels are read once, gradients are written once, the reduced value is nothing.

    `backward` alone reads the inputs again. An implementation with temporaries moves more: that is what the percentage
    of the roof shows.
    """
    loss = LOSSES[name]
    scores = coordinates(loss, n, k) * ITEM[dtype]
    read = scores + target_bytes(loss, dtype, framework, n, k, by)
    return read if phase == "forward" else read + scores


def flops(name: str, n: int, k: int, phase: str) -> int:
    """Operations by the formula: the margin, φ around its break, the sum; the slope and its product backwards."""
    loss = LOSSES[name]
    phi = next(iter(loss.shapes.values()))
    degree = max((i for piece in phi.pieces for i, c in enumerate(piece) if c != 0), default=0)
    per = loss.margins.operations + 1 + len(phi.breaks) + (degree - 1) + 1
    backward = 1 + degree + loss.margins.operations
    each = {"forward": per, "backward": backward, "both": per + backward}.get(phase, per)
    pairs = k if loss.margins.pairs else 1
    return each * coordinates(loss, n, k) * pairs


def peak_bytes(
    name: str,
    dtype: str,
    framework: str,
    n: int,
    k: int,
    phase: str,
    mode: str,
    by: Implementation | None = None,
) -> int:
    """An upper estimate of what is alive at once: inputs, temporaries of the formula, gradients.

    Eager code holds about six arrays of the size of the margins at once (masks are a byte each), compiled code two;
    the multi-label loss forms N·K·K margins. Half-precision losses are computed in float32.
    """
    loss = LOSSES[name]
    size = coordinates(loss, n, k)
    streams = by is not None and by.name in STREAMING
    margins = size * (k if loss.margins.pairs and not streams else 1)
    held = (6 if mode == "eager" else 2) + (0 if phase == "forward" else 2)
    inputs = size * ITEM[dtype] + target_bytes(loss, dtype, framework, n, k, by)
    return 2 * inputs + held * margins * max(ITEM[dtype], 4)
