"""Records made up for the tests of reports: a run that has a line for each thing that a report can say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hingeproof.runs.records import SCHEMA_VERSION, Plan, Record, RunInfo, Tensor, Verdict, Witness

HOSTILE = "evil:\x1b[31m[red]\x00<&\"'>]]>\ud800\u202e\r\n\tf"
STATEMENTS = {"sub_gradient": "The gradient lies in the sub-differential, kink included."}
WITNESS = Witness(
    inputs={
        "scores": Tensor("float32", [1, 3], ["0x1.0p+0", "-0x1.0p-1", "0x1.0p-2"], ["1.0", "-0.5", "0.25"]),
        "targets": Tensor("int64", [1], ["0"], ["0"]),
    },
    parameters={"margin": 1.0, "reduction": "mean"},
    expected="a point of [-1, 0]",
    observed="0.25 (0x1.0p-2)",
    repro="import torch\nprint(torch.relu(torch.zeros(1)))",
    reproduced=True,
)


def record(
    law: str = "exact",
    implementation: str = "torch.hinge",
    verdict: Verdict = "pass",
    *,
    group: str = "value",
    dtype: str = "float32",
    mode: str = "eager",
    **fields: Any,
) -> Record:
    known = {"kind": "law", "framework": "torch", "loss": "hinge", "device": "cpu"} | fields
    check = "|".join((law, implementation, known["loss"], dtype, known["device"], mode))
    return Record(
        check=check,
        law=law,
        group=group,
        implementation=implementation,
        dtype=dtype,
        mode=mode,
        verdict=verdict,
        **known,
    )


def info(*, complete: bool = True, missing: dict[str, int] | None = None, **plan: Any) -> RunInfo:
    return RunInfo(
        schema_version=SCHEMA_VERSION,
        kind="verify",
        plan=Plan(**plan),
        environment={"python": "3.11.7", "torch": "2.13.0"},
        arguments=[],
        started="2026-01-02T03:04:05Z",
        complete=complete,
        seconds=83.4,
        not_applicable=312,
        missing=missing or {},
    )


def good() -> list[Record]:
    return [record(), record("sub_gradient", group="gradient", selection={"0": 20})]


def everything() -> list[Record]:
    """A run that has a line for each thing that a report can say."""
    rows = [
        *good(),
        record("sub_gradient", "jax.hinge", group="gradient", framework="jax", selection={"1/2": 9}),
    ]
    for dtype in ("float32", "float64"):
        for mode in ("eager", "compile"):
            rows.append(
                record(
                    "sub_gradient",
                    "torch.nn.MultiMarginLoss",
                    "fail",
                    group="gradient",
                    dtype=dtype,
                    mode=mode,
                    witness=WITNESS,
                    worst_bound=3.25,
                    worst_ulp=5.0,
                    selection={"0": 3, "1": 17},
                )
            )
    rows += [record(f"law{n}", "mypkg.losses:my_hinge", "crash", reason="killed by SIGSEGV") for n in range(3)]
    rows += [
        record("slow", "mypkg.losses:my_hinge", "timeout", reason="no answer in 60 s"),
        record("old", "optax.losses.hinge_loss", "stale", reason="the witness passes now", framework="jax"),
        record("nan", "optax.losses.hinge_loss", "known", reason="swallows NaN", framework="jax"),
        record("grad", "sklearn.metrics.hinge_loss", "unsupported", reason="returns a Python float"),
        record(
            "thin_one",
            "numpy.ramp",
            "undecided",
            reason="thin",
            thin=["kink", "subnormal"],
            framework="numpy",
        ),
        record("balls", "numpy.ramp", "undecided", reason="the ball holds the kink", framework="numpy"),
        record("labels", "mypkg.losses:my_hinge", convention="label 0 is answered with a constant 1"),
        record("hostile", HOSTILE, "fail", reason=HOSTILE, loss="hinge", witness=WITNESS),
    ]
    return rows


def stored(directory: Path, records: list[Record], about: RunInfo | None = None, tail: bytes = b"") -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "run.json").write_bytes(msgspec.json.encode(about or info()))
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in records)
    (directory / "records.jsonl").write_bytes(lines + tail)
    return directory
