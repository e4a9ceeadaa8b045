"""Timing rows as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hingeproof.runs.timings import BenchInfo, Timing


def seconds(x: float | None) -> str:
    """A time with three digits and its unit."""
    if x is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if x >= size:
            return f"{x / size:.3g} {unit}"
    return f"{x / 1e-9:.3g} ns"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Text in columns; the first row is the head."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(r, widths, strict=True)).rstrip() for r in rows)


def table(rows: Iterable[Timing]) -> str:
    """One line a case: a call, the rate of the least traffic, percent of copy bandwidth, ratio to the frozen kernel."""
    out = [("case", "a call", "GB/s", "% of roof", "ratio", "first call", "peak memory")]
    for r in rows:
        if r.status != "measured":
            out.append((r.case, f"{r.status}: {r.reason}", "", "", "", "", ""))
            continue
        out.append(
            (
                r.case,
                seconds(r.seconds),
                "-" if r.rate is None else f"{r.rate / 1e9:.2f}",
                "-" if r.of_roof is None else f"{100 * r.of_roof:.0f}",
                "-" if r.ratio is None else f"{r.ratio:.2f}",
                seconds(r.first_call),
                "-" if r.peak_memory is None else f"{r.peak_memory / 2**20:.1f} MiB",
            )
        )
    return columns(out)


def sentence(info: BenchInfo, rows: Sequence[Timing], directory: str) -> str:
    """What the run came to, in a line or two."""
    count = {s: sum(r.status == s for r in rows) for s in ("measured", "not run", "invalid", "crash")}
    said = ", ".join(f"{n} {status}" for status, n in count.items() if n)
    roofs = {r.fields.framework: r.roof for r in rows if r.roof}
    copy = ", ".join(f"{name} {roof / 1e9:.1f} GB/s" for name, roof in roofs.items())
    state = "" if info.complete else " (incomplete: --resume goes on)"
    return f"{said or 'nothing timed'} in {info.seconds:.0f} s{state}; copy bandwidth: {copy or '-'}\nrun: {directory}"
