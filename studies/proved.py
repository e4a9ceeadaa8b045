"""The page of what is proved, from certificates.

    hingeproof prove hinge ramp … --out RUN                           # certificates of 16 bits
    python studies/proved.py --collect RUN bench/results/proofs       # keep them, those of 16 bits a line each
    python studies/proved.py > docs/proofs.md

Each certificate can be checked: `hingeproof prove --verify FILE` runs it again and compares every hash.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hingeproof.reports.proofs import FOLDER, Proved, exceptions, offender_table, proved_table, sentence, verdict
from hingeproof.runs.proofs import Certificate, forged

PROOFS = Path(__file__).resolve().parents[1] / "bench" / "results" / "proofs"
SMALL = "16-bit.jsonl"

HEAD = """# Proofs

```
hingeproof prove hinge --dtype float16,bfloat16              # every installed implementation of it
hingeproof prove torch.hinge --dtype float32 --out proofs/   # all 2^32 scores × {−1, +1}, value and gradient
hingeproof prove mypkg:f --loss hinge --framework jax --dtype float32
hingeproof prove hinge --dtype float32 --on ray://HOST:PORT  # the shards as Ray tasks (pip install 'hingeproof[ray]')
hingeproof prove --resume --out proofs/                      # go on with a killed one; nothing judged is lost
hingeproof prove --verify certificate.json                   # run it again and compare every hash
hingeproof diff A.json B.json                                # which ranges of scores are answered with other bits
```

A proof asks an implementation of a loss of one score for its value and gradient at *every* bit pattern of a
format, with each label, eager, compiled and under vmap, under upstream gradients that differ, and judges every
answer exactly: the value within the bound that the loss's operations derive (where that is one rounding: the one
right number), the gradient in the sub-differential, 0 past the margin, NaN and the selection at a kink as the
contract promises. An answer in a wider dtype than the scores' lies between the exact number and its rounding, or
is wrong. The losses of regression are asked against the targets 0, 1 and −0.75. What has no bound (squares that
overflow on the way, gradients beyond the range) is counted as not proved. float64 has too many scores; losses of
several scores have too many inputs.

A certificate says in a sentence what was found, counts by region, the worst error and where it is, the selection
at each kink, each score with a wrong answer (the first hundred, then a count) in decimal, hex and bits with a
script that shows it, and a SHA-256 over the bits of all answers: shard by shard (2^22 scores in a row; label by
label, values then gradients, every NaN counted as one), and over the shards' hashes in order. Each sixteenth of a
shard has a checksum, so that a diff is finer. An implementation that dies or hangs loses its shard, which says
which scores were asked; the exit code is 1 for that and for a wrong answer, 3 for a proof that is not complete, 5
where there was nothing to prove.

Devices: `--device cuda` asks on a GPU and judges on the host. That has not been tried on one.

This page is written by `python studies/proved.py > docs/proofs.md` from the certificates in `bench/results/proofs`.
"""


def collect(run: Path, folder: Path) -> None:
    """Copy a run's certificates: of float32 a file each, of 16 bits a line each."""
    folder.mkdir(parents=True, exist_ok=True)
    small = []
    for path in sorted((run / FOLDER).glob("*.json")):
        c = msgspec.json.decode(path.read_bytes(), type=Certificate)
        if c.dtype == "float32":
            (folder / path.name).write_bytes(path.read_bytes())
        else:
            small.append(msgspec.json.encode(c) + b"\n")
    if small:
        (folder / SMALL).write_bytes(b"".join(small))


def stored(folder: Path) -> list[Certificate]:
    """Return all certificates that are kept. Raises: ValueError for one that contradicts itself."""
    texts = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    texts += [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    found = [msgspec.json.decode(text, type=Certificate) for text in texts]
    for c in found:
        if why := forged(c):
            raise ValueError(f"{c.claim.id}: {why}")
    return found


def page(found: Sequence[Certificate]) -> str:
    """Return the page as Markdown."""
    wide = [c for c in found if c.dtype == "float32"]
    out = [HEAD, f"## What was found\n\n{sentence(Proved(certificates=tuple(found), complete=True))}\n"]
    machines = sorted({c.machine for c in found})
    libraries = sorted({f"{n} {v}" for c in found for n, v in c.versions.items()})
    out.append(f"{'; '.join(machines)}; {', '.join(libraries)}.\n")
    head = ("implementation", "mode", "verdict", "scores", "processor", "not proved")
    out.append("### Every float32 score\n")
    out += markdown(
        head,
        [
            (c.implementation, c.mode, verdict(c), f"{c.counts.scores:,}", f"{c.seconds:,.0f} s", exceptions(c))
            for c in wide
        ],
    )
    wrong = [c for c in found if not c.proved]
    out.append("\n### What is false\n")
    out += [f"- {c.statement}" for c in wrong]
    table = offender_table([msgspec.structs.replace(c, offenders=c.offenders[:2]) for c in wrong])
    out.append("\nThe first scores of each:\n")
    out += markdown(table.head, [line.cells for line in table.lines])
    table = proved_table([c for c in found if c.dtype != "float32"])
    out.append("\n### Every float16 and bfloat16 score\n")
    out += markdown(table.head, [line.cells for line in table.lines])
    return "\n".join([*out, f"\n{table.note}\n"])


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table's lines."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def main() -> None:
    """Keep certificates, or print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", metavar=("RUN", "FOLDER"), nargs=2, type=Path)
    wanted = parser.parse_args()
    if wanted.collect:
        collect(*wanted.collect)
        return
    sys.stdout.write(page(stored(PROOFS)))


if __name__ == "__main__":
    main()
