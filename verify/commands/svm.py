"""`hingeproof svm`: solve, check, export."""

from __future__ import annotations

import json as json_module
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hingeproof.commands.flags import Json
from hingeproof.errors import FINDING, GOOD, UNDECIDED, UsageError

if TYPE_CHECKING:
    from hingeproof.svm.result import Result

app = typer.Typer(
    help="Exact SVM optima, and gaps of trained models: solve, gap, and check what was proved.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Label = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Label column: name, or number without a header [y, label, target, class]."),
]
Weight = Annotated[
    str | None, typer.Option("--sample-weight", metavar="COLUMN", help="Column of factors of C, one a row; no feature.")
]
ClassWeight = Annotated[str | None, typer.Option(metavar="LABEL=DECIMAL,…", help="Factors of C by label, or balanced.")]
Strict = Annotated[bool, typer.Option("--strict", help="An interval is an exit code of its own (3).")]


@app.command()
def solve(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help=".csv .npy .npz .parquet .libsvm, or sklearn:iris:0-1 and the like.")
    ],
    label: Label = None,
    C: Annotated[
        str | None, typer.Option("--C", metavar="DECIMAL,…", help="Weight of the loss [1]; several: one result each.")
    ] = None,
    bias: Annotated[str, typer.Option(metavar="KIND", help="free, regularised or none.")] = "free",
    loss: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="hinge, squared_hinge, smooth_hinge, weston_watkins, crammer_singer, epsilon_insensitive, one_class.",
        ),
    ] = "hinge",
    epsilon: Annotated[str | None, typer.Option(metavar="DECIMAL", help="Of epsilon_insensitive [0.1].")] = None,
    gamma: Annotated[str | None, typer.Option(metavar="DECIMAL", help="Of smooth_hinge [1].")] = None,
    nu: Annotated[str | None, typer.Option(metavar="DECIMAL", help="Of one_class [0.5].")] = None,
    margin: Annotated[str | None, typer.Option(metavar="DECIMAL", help="The margin Δ [1].")] = None,
    class_weight: ClassWeight = None,
    sample_weight: Weight = None,
    kernel: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="polynomial:degree=3,gamma=1,coef0=0, rbf:gamma=1 or precomputed; n ≤ 2,000."
        ),
    ] = None,
    hard: Annotated[bool, typer.Option("--hard", help="Hard margin, or the proof that there is none.")] = False,
    certificate: Annotated[str | None, typer.Option(metavar="FILE", help="Write the certificate (JSON).")] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End with the best interval so far.")
    ] = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE.svg", help="Draw it, where d = 2.")] = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Find the optimum, prove it exactly, and write the proof."""
    from hingeproof.frameworks.environment import present

    if not present("cvxpy"):
        raise UsageError("cvxpy is not installed: pip install 'hingeproof[svm]'")
    from hingeproof.svm import plot as drawing
    from hingeproof.svm import reading
    from hingeproof.svm.problem import PARAMETERS
    from hingeproof.svm.solver.search import options
    from hingeproof.svm.solver.search import path as follow
    from hingeproof.svm.solver.search import solve as find

    for path in (certificate, plot):
        if path is not None and not Path(path).resolve().parent.is_dir():
            raise UsageError(f"{path}: there is no such directory: nothing was solved")
    if plot is not None and Path(plot).suffix.lower() != ".svg":
        raise UsageError(f"{plot}: --plot writes SVG: name it {Path(plot).with_suffix('.svg')}; nothing was solved")
    several = [part.strip() for part in C.split(",")] if C is not None and "," in C else []
    if several and plot is not None:
        raise UsageError("--plot draws one solution: give one C")
    if len(set(several)) < len(several):
        raise UsageError(f"--C {C}: one of them stands there twice")
    began = time.monotonic()
    own = {"C": C, "epsilon": epsilon, "gamma": gamma, "nu": nu, "margin": margin}
    options(loss, hard, **own)  # refused before a file is read
    X, y, weight = reading.load_weighted(data, label, sample_weight, loss=loss)
    how: dict[str, Any] = {
        "loss": loss, "bias": bias, "hard": hard, "class_weight": _by_label(class_weight), "sample_weight": weight,
        "kernel": kernel, **{name: own[name] for name in PARAMETERS[loss] if name != "C"},
    }  # fmt: skip
    if time_limit is not None and time_limit >= 0:  # reading counts
        time_limit = max(time_limit - (time.monotonic() - began), 0.0)
    with _progress() as say:
        if several:
            results = follow(X, y, several, time_limit=time_limit, progress=say, **how)
        else:
            results = [find(X, y, C, time_limit=time_limit, progress=say, **how)]
    values: list[str | None] = [*several] or [None]
    for result, value in zip(results, values, strict=True):
        _show(result, value, certificate, json=json)
    if plot is not None:  # last, so that what cannot be drawn costs nothing else
        _write(plot, drawing.svg(results[0]))
    raise typer.Exit(UNDECIDED if strict and any(r.kind == "interval" for r in results) else GOOD)


def _show(found: Result, C: str | None, certificate: str | None, *, json: bool) -> None:
    """Write the certificate and print the result; of one C of several, cert.json becomes cert-C0.1.json."""
    if certificate is not None:
        path = Path(certificate)
        certificate = (
            certificate if C is None else str(path.with_name(f"{path.stem}-C{C.replace('/', '_')}{path.suffix}"))
        )
        _write(certificate, json_module.dumps(found.certificate(), indent=1, ensure_ascii=False) + "\n")
    if json:
        print(json_module.dumps({**({} if C is None else {"C": C}), **_facts(found)}, ensure_ascii=False))
    else:
        print(("" if C is None else f"C = {C}\n") + _text(found, certificate))


def _by_label(text: str | None) -> Any:
    """`LABEL=DECIMAL,…`, or `balanced`. Raises: UsageError."""
    if text is None or text == "balanced":
        return text
    pairs = [part.rpartition("=") for part in text.split(",")]
    for label, equals, value in pairs:
        if not (label and equals and value):
            raise UsageError(f"--class-weight {text!r}: write LABEL=DECIMAL,LABEL=DECIMAL, or balanced")
    if len({label for label, _, _ in pairs}) < len(pairs):
        raise UsageError(f"--class-weight {text!r}: a label stands there twice")
    return {label: value for label, _, value in pairs}


@app.command()
def check(
    certificate: Annotated[str, typer.Argument(metavar="CERT.json")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help=".csv, .npy, .npz or .libsvm; others by `svm export` first.")
    ],
    label: Label = None,
    sample_weight: Weight = None,
    expect: Annotated[
        str | None,
        typer.Option(metavar="NAME=VALUE,…", help="Refuse another problem: loss=hinge,C=1,bias=free,n=150 …"),
    ] = None,
    strict: Strict = False,
) -> None:
    """Check a certificate against its data: exact integers, no solver (and no NumPy, but for a gap)."""
    from hingeproof.svm import checker

    if Path(data).suffix.lower() not in (".csv", ".npy", ".npz", *checker.SPARSE):
        raise UsageError(
            f"{data}: the checker reads .csv, .npy, .npz and .libsvm: "
            f"write one with hingeproof svm export {data} data.csv"
        )
    wanted = None if expect is None else _expected(expect)
    try:
        text = Path(certificate).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{certificate}: {error.strerror}") from error
    except UnicodeDecodeError:
        text = ""
    try:
        proof = checker.parse(text)
        unlabelled = isinstance(proof, dict) and proof.get("loss") == "one_class"
        if isinstance(proof, dict) and proof.get("kind") == "gap":
            print(_gap_checked(proof, data, label, sample_weight, wanted, unlabelled=unlabelled))
            raise typer.Exit(GOOD)
        found = checker.load(data, label, unlabelled=unlabelled, weight=sample_weight)
        said = checker.check(proof, found.rows, found.labels, expect=wanted, sample_weight=found.weights)
    except (checker.Rejected, ValueError, RecursionError) as error:
        print(f"rejected: {error}")
        raise typer.Exit(FINDING) from error
    except checker.BadData as error:
        raise UsageError(str(error)) from error
    print(said)
    raise typer.Exit(UNDECIDED if strict and said.startswith("interval") else GOOD)


def _expected(text: str) -> dict[str, str]:
    """`NAME=VALUE,…`. Raises: UsageError."""
    out: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value) or name in out:
            raise UsageError(f"--expect {text!r}: write each NAME=VALUE once, as in loss=hinge,C=1,bias=free")
        out[name] = value
    return out


def _gap_checked(
    proof: object, data: str, label: str | None, weight: str | None, wanted: dict[str, str] | None, *, unlabelled: bool
) -> str:
    from hingeproof.svm.gap import checker

    if Path(data).suffix.lower() not in (".csv", ".npy", ".npz"):
        raise UsageError(f"{data}: a gap is checked on .csv, .npy and .npz: hingeproof svm export {data} data.csv")
    rows, labels, weights = checker.load(data, label, weight, unlabelled=unlabelled)
    return checker.check_gap(proof, rows, labels, weights, expect=wanted)


@app.command()
def gap(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=".json or .npz with w and b.")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Any data that solve reads; .npy and .parquet by blocks.")
    ],
    label: Label = None,
    C: Annotated[str | None, typer.Option("--C", metavar="DECIMAL", help="Weight of the loss [1].")] = None,
    bias: Annotated[str, typer.Option(metavar="KIND", help="free, regularised or none.")] = "free",
    loss: Annotated[str, typer.Option(metavar="NAME", help="As of solve.")] = "hinge",
    epsilon: Annotated[str | None, typer.Option(metavar="DECIMAL", help="Of epsilon_insensitive [0.1].")] = None,
    gamma: Annotated[str | None, typer.Option(metavar="DECIMAL", help="Of smooth_hinge [1].")] = None,
    nu: Annotated[str | None, typer.Option(metavar="DECIMAL", help="Of one_class [0.5].")] = None,
    margin: Annotated[str | None, typer.Option(metavar="DECIMAL", help="The margin Δ [1].")] = None,
    class_weight: ClassWeight = None,
    sample_weight: Weight = None,
    rel: Annotated[
        float | None, typer.Option(metavar="REL", help="Exit 1 unless the proved gap is at most this.")
    ] = None,
    certificate: Annotated[str | None, typer.Option(metavar="FILE", help="Write the certificate (JSON).")] = None,
    json: Json = False,
) -> None:
    """Prove how far a trained linear model is from its optimum."""
    from hingeproof.svm.exact import rounded
    from hingeproof.svm.gap import reading
    from hingeproof.svm.gap.claims import fitting
    from hingeproof.svm.gap.engine import gap as bound
    from hingeproof.svm.gap.models import formula
    from hingeproof.svm.gap.objective import objective

    if certificate is not None and not Path(certificate).resolve().parent.is_dir():
        raise UsageError(f"{certificate}: there is no such directory: nothing was proved")
    theta = reading.model(model)
    X, y, weights = reading.data(data, label, sample_weight, loss=loss)
    o = objective(
        X, y, loss=loss, bias=bias, class_weight=_by_label(class_weight), sample_weight=weights, C=C, epsilon=epsilon,
        gamma=gamma, nu=nu, margin=margin,
    )  # fmt: skip
    with _progress() as say:
        say("proving a lower bound")
        found = bound(o, fitting(theta, o), formula=formula(o))
    if certificate is not None:
        _write(certificate, json_module.dumps(found.certificate, indent=1, ensure_ascii=False) + "\n")
    if json:
        share = None if found.share is None else found.relative
        facts = {"relative": share, "upper": rounded(found.upper), "lower": rounded(found.lower), "exact": found.exact}
        print(json_module.dumps({**facts, "minimises": found.formula, "seconds": found.seconds}, ensure_ascii=False))
    else:
        print(f"{found}\nminimises {found.formula}" + (f"\ncertificate: {certificate}" if certificate else ""))
    raise typer.Exit(FINDING if rel is not None and not found.relative <= rel else GOOD)


@app.command()
def export(
    source: Annotated[
        str, typer.Argument(metavar="DATA", help="sklearn:iris:0-1 and the like, or any file that solve reads.")
    ],
    out: Annotated[str, typer.Argument(metavar="OUT.csv")],
    label: Label = None,
) -> None:
    """Write data as the CSV that `svm check` reads, exactly."""
    from hingeproof.svm.reading import export as write

    print(f"{out}: {write(source, out, label)} rows, label y")


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _facts(found: Result) -> dict[str, Any]:
    from hingeproof.svm.exact import rounded

    def number(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [number(v) for v in value]
        return None if value is None else rounded(value)

    return {
        "kind": found.kind,
        "status": found.status,
        "objective": number(found.objective),
        "lower": number(found.lower),
        "upper": number(found.upper),
        "w": number(found.w),
        "b": number(found.b),
        "biases": number(found.biases),
        "margin": found.margin,
        "support": found.support,
        "farkas": None if found.farkas is None else {str(i): rounded(v) for i, v in found.farkas.items()},
        "solver": found.solver,
        "note": found.note,
        "seconds": found.seconds,
    }


def _text(found: Result, certificate: str | None) -> str:
    from hingeproof.svm.exact import rounded

    facts = _facts(found)
    spent = ", ".join(f"{stage} {seconds:.3f} s" for stage, seconds in found.seconds.items())
    if found.kind == "infeasible":
        lines = [f"not separable: proved exactly by a combination of {len(found.farkas or {})} samples"]
    elif found.kind == "interval":
        low, high = f"{facts['lower']:.15g}", f"{facts['upper']:.15g}"
        assert found.upper is not None
        assert found.lower is not None
        wide = f" ({rounded(found.upper - found.lower):.1e} wide)" if low == high else ""
        lines = [
            f"interval: the optimum lies in [{low}, {high}]{wide}, proved",
            f"no exact optimum: {found.note}",
        ]
    else:
        lines = [f"exact: objective {facts['objective']:.15g}, duality gap 0, proved"]
    if found.w is not None:
        several = isinstance(facts["b"], list)
        if not several and len(facts["w"]) <= 8:
            lines.append("w " + " ".join(f"{v:.12g}" for v in facts["w"]) + f"   b {facts['b']:.12g}")
        if facts["biases"]:
            low, high = facts["biases"]
            if low != high:
                ends = ["−∞" if low is None else f"{low:.12g}", "∞" if high is None else f"{high:.12g}"]
                lines.append(f"every bias in [{ends[0]}, {ends[1]}] is optimal")
        if facts["margin"] is not None:
            lines.append(f"geometric margin {facts['margin']:.12g}")
    if found.kind != "infeasible":
        lines.append(f"{len(found.support)} support vectors of {found._model.n} samples")
    lines.append(f"{found.solver}; {spent}")
    if certificate:
        lines.append(f"certificate: {certificate}")
    return "\n".join(lines)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """After two seconds, say on stderr that there is work going on, how long, and the last that is known of it."""
    done = threading.Event()
    began = time.monotonic()
    known: list[str] = []

    def say() -> None:
        wait, said = 2.0, ""
        while not done.wait(wait):
            news = known[-1] if known else "solving and certifying"
            print(f"{time.monotonic() - began:.0f} s: {'still at it' if news == said else news}", file=sys.stderr)
            sys.stderr.flush()
            wait, said = min(wait * 2, 30.0), news

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield known.append
    finally:
        done.set()
        thread.join()
