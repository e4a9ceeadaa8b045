"""The built documentation: every link and anchor inside it leads somewhere, and no page loads from elsewhere."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlparse

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Links, loads and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADS and LOADS[tag] in given and given.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(given[LOADS[tag]])
        self.anchors |= {given[name] for name in ("id", "name") if name in given}


def problems(site: Path) -> list[str]:
    """Return one line for each link that leads nowhere and each load from another host."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    bad = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are absolute: it is served under any path
        for link in page.loads + page.links:
            parts = urlparse(link)
            if parts.scheme or parts.netloc:
                if link in page.loads:
                    bad.append(f"{path.relative_to(site)}: loads {link}")
                continue
            base = f"/{path.relative_to(site)}"
            target = site / unquote(urlparse(urljoin(base, link)).path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                bad.append(f"{path.relative_to(site)}: {link} leads nowhere")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                bad.append(f"{path.relative_to(site)}: {link} has no such anchor")
    return bad if pages else [f"{site} has no pages"]


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]))
    print("\n".join(found) or "all links lead somewhere")
    sys.exit(1 if found else 0)
