"""`hingeproof publish`: a static site over runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from hingeproof.commands.options import takes
from hingeproof.commands.output import cannot_write, statements
from hingeproof.commands.reading import Quiet, Stored, read, series
from hingeproof.errors import GOOD, UsageError
from hingeproof.plan.option import Option


class PublishOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The options of `publish`."""

    runs: Annotated[list[str], Option(positional=True, metavar="RUN…", help="Run directories of any kind and age.")]
    out: Annotated[str, Option(metavar="DIR", help="The site's folder: new, empty, or an earlier site.")]
    history: Stored = None
    quiet: Quiet = False


@takes(PublishOptions)
def publish(wanted: PublishOptions) -> int:
    """Write a static site over runs: index, a page a run, loss and implementation, history. No server is needed."""
    from hingeproof.reports.write import site

    told = read(wanted.runs)
    out = Path(wanted.out)
    files = site.pages(told, statements(), series(wanted.history))
    try:
        site.write(files, out)
    except FileExistsError:
        raise UsageError(f"--out {out} holds something that is no site of hingeproof: name another folder") from None
    except OSError as error:
        raise cannot_write("--out", wanted.out, error) from None
    if not wanted.quiet:
        print(f"{len(files):,} pages over {len(told):,} runs: {out / 'index.html'}")
    return GOOD
