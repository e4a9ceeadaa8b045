"""`hingeproof identify`: a black box is tried in a process of its own, where the user's module is imported."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hingeproof.commands.flags import Json
from hingeproof.errors import FINDING, GOOD, UsageError, among

if TYPE_CHECKING:
    from hingeproof.judge.hypotheses import BlackBox
    from hingeproof.judge.identify import Identity

SECONDS = 600.0


def identify(
    target: Annotated[str, typer.Argument(metavar="module:attribute", help="The black box.")],
    framework: Annotated[str, typer.Option(metavar="NAME", help="Its framework, as doctor lists them.")],
    loss: Annotated[str, typer.Option(metavar="NAME", help="What you take it for.")] = "",
    json: Json = False,
) -> int:
    """Which loss a callable behaves like: scale, labels, mean, kink; with the inputs that tell it from its siblings."""
    from hingeproof.frameworks.registry import FRAMEWORKS
    from hingeproof.judge.hypotheses import BlackBox
    from hingeproof.plan.plan import needed
    from hingeproof.plan.user import well_named
    from hingeproof.reference_impls.losses import LOSSES

    well_named(target)
    needed(among(framework, FRAMEWORKS, "framework"), f"--framework {framework}")
    if loss:
        among(loss, LOSSES, "loss", see="hingeproof list losses")
    found = _elsewhere(BlackBox(target, framework, loss))
    if found.error:
        raise UsageError(f"{target}: {found.error}")
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        print("\n".join(_lines(target, found)))
    return GOOD if found.loss else FINDING


def _elsewhere(box: BlackBox) -> Identity:
    """Ask in a process of its own."""
    from hingeproof.frameworks.process import worker_environment
    from hingeproof.judge.identify import Identity

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answer.json"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "hingeproof.judge.identify", str(out)], input=msgspec.json.encode(box),
                capture_output=True, timeout=SECONDS, check=False, env=worker_environment(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Identity(error=f"no answer within {SECONDS:.0f} s")
        if not out.exists():
            last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
            return Identity(error=f"the process died (exit code {done.returncode}) {last}")
        return msgspec.json.decode(out.read_bytes(), type=Identity)


def _lines(target: str, found: Identity) -> list[str]:
    out = _match(target, found) if found.loss else [f"{target} behaves like no loss of the family"]
    out += [
        f"  not {other.loss}: at {other.inputs} that is {other.it_would_be}, and this is {other.it_is}"
        for other in found.others
    ]
    return out + [f"  note: {remark}" for remark in found.remarks]


def _match(target: str, found: Identity) -> list[str]:
    """Return what is said of the loss that fits: a headline, and what is known of each side of it."""
    from hingeproof.reference_impls.losses import LOSSES

    facts = {
        "scale": "as in the formula" if found.scale == "1" else f"{found.scale} × the formula",
        "labels": f"{found.labels}{', given before the scores' if found.order == 'targets_first' else ''}",
        "parameters": ", ".join(f"{n} fixed at {v}" for n, v in found.fixed.items()) or "as the formula has them",
        "reductions": ", ".join(found.reductions),
        "mean": found.mean,
        **{f"kink ({mode})": ", ".join(f"{w} (×{n})" for w, n in seen.items()) for mode, seen in found.kink.items()},
        "also fits": ", ".join(found.also),
    }
    title = LOSSES[found.loss].title
    return [
        f"{target} behaves like {found.loss} ({title}): {found.samples} samples agree, none differs",
        *(f"  {name:<16} {text}" for name, text in facts.items() if text),
    ]
