"""What the site takes from the code: reference pages from the catalogue, figures and examples from definitions."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.evidence.curves import curve
from hingeproof.properties.catalogue import LAWS
from hingeproof.properties.groups import GROUPS
from hingeproof.properties.law import Law
from hingeproof.reference_impls.definition import Loss, rational
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reports.write import charts

# A link to a file of the repository that is no page of the site: its name is shown instead.
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)\)")
CALL = re.compile(r"^<!-- live: (\w+)((?: \S+)*) -->$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {"reference/losses.md": losses_page(), "reference/laws.md": laws_page()}
    pages |= {f"reference/losses/{loss.name}.md": loss_page(loss) for loss in LOSSES.values()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace each `<!-- live: name arguments -->` by what it names."""
    if "/" not in page.file.src_uri:  # a page at the top, whose `../` leaves the site
        markdown = OUTSIDE.sub(r"\1 (`\2`)", markdown)
    return CALL.sub(lambda found: LIVE[found[1]](*found[2].split()), markdown)


# -- reference -------------------------------------------------------------------------------------------------


def losses_page() -> str:
    """Return the list of all losses."""
    rows = [
        f"| [{loss.title}](losses/{loss.name}.md) | `{loss.name}` | "
        f"{', '.join(f'`{n}={v}`' for n, v in loss.parameters.items()) or '–'} | {cell(shapes(loss))} | "
        f"{cell(loss.margins.formula)} |"
        for loss in LOSSES.values()
    ]
    head = "| loss | name | parameters | φ(z) | margin z |\n|---|---|---|---|---|\n"
    intro = "# Losses\n\nA loss is `margin map → φ → aggregate → reduce`; all facts are derived from φ.\n\n"
    return intro + head + "\n".join(rows)


def loss_page(loss: Loss) -> str:
    """Return formula, plot, derived facts, laws and implementations of a loss."""
    made = [curve(loss, label, phi) for label, phi in loss.shapes.items()]
    facts = [f"| {name} | {' · '.join(dict.fromkeys(c.facts[name] for c in made))} |" for name in made[0].facts]
    laws = [f"[{law.name}](../laws.md#{law.name.replace('_', '-')})" for law in LAWS.values() if law.applies(loss)]
    implementations = [f"`{i.name}`" for i in IMPLEMENTATIONS.values() if i.loss == loss.name]
    parts = [
        f"# {loss.title}",
        formula(loss.latex()),
        *(figure(charts.curve(c, {}), _caption(c.label)) for c in made),
        f"Margin: {prose(loss.margins.formula)}. Parameters: "
        + (", ".join(f"`{n}` (default {v})" for n, v in loss.parameters.items()) or "none")
        + ".",
        f"Source: {prose(loss.source)}.",
        "## Derived from φ",
        "| fact | value |\n|---|---|\n" + "\n".join(facts),
        *(["Where two values stand, they are those of φ for y = +1 and for y = −1."] if len(made) > 1 else []),
        "## Implementations that hingeproof knows",
        ", ".join(implementations),
        f"## The {len(laws)} laws and promises that apply",
        ", ".join(laws),
    ]
    return "\n\n".join(parts) + "\n"


def laws_page() -> str:
    """Return all laws by group."""
    parts = [
        "# Laws and promises",
        "A *law* is what mathematics demands of every implementation; a *promise* is what a contract alone demands. "
        "`hingeproof explain NAME` prints the same.",
    ]
    present = [*GROUPS, *sorted({law.group for law in LAWS.values()} - set(GROUPS))]
    for group in present:
        members = [law for law in LAWS.values() if law.group == group]
        if members:
            parts.append(f"## {group.capitalize()}")
            parts += [law_entry(law) for law in members]
    return "\n\n".join(parts) + "\n"


def law_entry(law: Law) -> str:
    """Return one law as a definition."""
    applies = [loss.name for loss in LOSSES.values() if law.applies(loss)]
    where = "all losses" if len(applies) == len(LOSSES) else ", ".join(f"[{n}](losses/{n}.md)" for n in applies)
    rows = {
        "formula": f"`{law.formula}`",
        "why": prose(law.why),
        "breaks": prose(law.breaks),
        "applies to": where or "none",
        "modes": ", ".join(f"`{mode}`" for mode in law.modes),
        "needs": ", ".join(f"`{need}`" for need in law.needs) or "nothing but the loss itself",
        "source": prose(law.source),
    }
    lines = "\n".join(f"- **{name}**: {text}" for name, text in rows.items())
    return f"### {law.name} {{ #{law.name.replace('_', '-')} }}\n\n*{law.kind}*: {prose(law.statement)}\n\n{lines}"


# -- live pieces -----------------------------------------------------------------------------------------------


def live_curve(name: str, *selections: str) -> str:
    """Return the figure of a loss; selections: `spelling=weight`."""
    loss = LOSSES[name]
    chosen = {who: [weight] for who, _, weight in (s.partition("=") for s in selections)}
    words = "; ".join(f"{who}: w = {weight[0].replace('1/2', '½')}" for who, weight in chosen.items())
    return "\n\n".join(
        figure(charts.curve(curve(loss, label, phi), chosen), f"{loss.title}{_caption(label)}. {words}")
        for label, phi in loss.shapes.items()
    )


def live_example(name: str, *samples: str) -> str:
    """Return a table of exact losses; samples: `score,label` in decimal."""
    loss = LOSSES[name]
    rows, values = [], []
    for text in samples:
        score, label = text.split(",")
        sign = int(label)
        z = sign * signed(score)
        phi = loss.shape(sign if loss.labels_decide else None, loss.defaults)
        low, high = phi.slopes(z)
        values.append(phi(z))
        slopes = str(low) if low == high else f"[{low}, {high}]"
        rows.append(f"| {score} | {label} | {z} | {phi(z)} | {slopes} |")
    mean = sum(values[1:], values[0]) / len(values)
    head = "| score s | label y | margin z = y s | loss φ(z), exact | φ′(z) |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) + f"\n\nTheir mean is {mean} = {int(mean.p) / int(mean.q):g}."


LIVE: dict[str, Callable[..., str]] = {"curve": live_curve, "example": live_example}


def signed(text: str) -> Any:
    """Return a decimal with a sign as a rational."""
    return -rational(text[1:]) if text.startswith("-") else rational(text)


def figure(svg: str, caption: str) -> str:
    """Return a picture as one HTML block."""
    return f'<figure class="hingeproof">{svg}<figcaption>{escape(caption)}</figcaption></figure>'


def formula(latex: str) -> str:
    """Return a formula as MathML, which browsers lay out themselves."""
    return f'<div class="formula">{convert(latex, display="block")}</div>'


def shapes(loss: Loss) -> str:
    """Return φ as it is written in the code."""
    return ", ".join(f"{make.__doc__}{'' if y is None else f' if y = {y:+d}'}" for y, make in loss.phi.items())


def _caption(label: int | None) -> str:
    return "" if label is None else f" y = {label:+d}"


def cell(text: str) -> str:
    """Return text for a cell of a table."""
    return prose(text).replace("|", "&#124;")


def prose(text: str) -> str:
    """Return plain text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
