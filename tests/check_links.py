"""Links and file names in the Markdown files lead somewhere. Standard library alone, no network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?[^)\n]*\)")
CODE = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
EXTERNAL = re.compile(r"^(https?|mailto):")
# `name` in backquotes is taken for a file of the repository if it is a path with a folder of ours in front,
# or a file at the top. Placeholders (<library>, …, *) and names of things that a run makes are not.
FOLDERS = ("verify", "bench", "reports", "properties", "reference_impls", "tests", ".ci")
FILE = re.compile(r"^[\w.-]+(/[\w.-]+)*/?$")
TOP = re.compile(r"^(pyproject\.toml|tox\.ini|constraints\.txt|LICENSE|[A-Z]+\.md|\.gitignore)$")


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    seen: dict[str, int] = {}
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        name = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return found


def problems(page: Path, root: Path = ROOT) -> list[str]:
    """Return one line for each link or file name of a page that leads nowhere."""
    text = page.read_text(encoding="utf-8")
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    bad = []

    def say(at: int, what: str) -> None:
        bad.append(f"{page.relative_to(root)}:{prose.count(chr(10), 0, at) + 1}: {what}")

    for match in LINK.finditer(prose):
        target = match[1]
        if EXTERNAL.match(target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            say(match.start(), f"link to {target}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            say(match.start(), f"link to {target}: no such heading")
    for match in CODE.finditer(prose):
        name = match[1]
        ours = TOP.match(name) or (FILE.match(name) and name.split("/")[0] in FOLDERS and "/" in name)
        if ours and not (root / name).exists():
            say(match.start(), f"`{name}`: no such file")
    return bad


def main() -> int:
    """Check the pages at the top and in the folders; print what is wrong; 1 if anything is."""
    pages = sorted(ROOT.glob("*.md")) + sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.md"))
    wrong = [line for page in pages for line in problems(page)]
    required = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
    wrong += [f"{name} is missing" for name in required if not (ROOT / name).exists()]
    print("\n".join(wrong) if wrong else f"{len(pages)} pages: every link and file name exists")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
