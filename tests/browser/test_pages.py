"""The pages in a real browser: no console error, no request, filters and folds work, axe finds nothing serious."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Opened, violations
from tests.made import WITNESS, everything, good, record, stored
from tests.test_diff import bench_run, timing

from hingeproof.commands.main import run
from hingeproof.evidence.curves import curves
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.runs.figures import COLUMNS, Boundary, Moment, SvmPicture, Training, Trend, UlpError
from hingeproof.runs.records import Record

Open = Callable[..., Opened]
SCRIPT = (
    "</style></title></script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
)


def hostile() -> list[Record]:
    return [
        *everything(),
        record("owned", SCRIPT, "fail", reason=SCRIPT, witness=WITNESS),
        *(record(f"law{n}", f"torch.f{n}", "fail", group=f"group{n}", witness=WITNESS) for n in range(12)),
        record("seen", SCRIPT, convention=SCRIPT, selection={SCRIPT: 3, "1/2": 2}, group=SCRIPT),
    ]


def every_figure() -> list[msgspec.Struct]:
    wave = [((i * 37) % 100) / 100 - 0.5 for i in range(COLUMNS)]
    points = [(i % 7 - 3.0 + (2 if i % 2 else -2), (i * 3) % 5 - 2.0) for i in range(40)]
    return [
        *curves(LOSSES),
        UlpError(
            implementation="torch.hinge", loss="hinge", framework="torch", dtype="float16", mode="eager", label=1,
            scores=63487, first=[-65504 + i * 256.0 for i in range(COLUMNS)], low=[min(w, 0) for w in wave],
            high=[None if i == 5 else max(w, 0) for i, w in enumerate(wave)], worst=0.5, worst_at="0x1p+0",
        ),
        SvmPicture(
            name=f"two clusters {SCRIPT}", points=points, labels=[1 if i % 2 else -1 for i in range(40)], support=[0],
            optimum=Boundary("certified optimum", (1.0, 0.2), 0.1), trained=[Boundary("SGD", (0.8, 0.4), 0.0)],
            facts={"objective": "1/2"},
        ),
        Training(check="training|torch.hinge|hinge|float64|cpu|eager", title="two clusters", optimiser="SGD",
                 steps=[1, 10, 100, 1000], suboptimality=[1.0, 0.1, 0.01, 0.0], margin=[None, 0.5, 0.9, 1.0]),
        Trend(
            name="forward|torch.hinge", unit="ratio", change_points=[3],
            points=[Moment(f"2026-01-{i + 1:02}", 1 + (i > 2), 0.9 + (i > 2), 1.1 + (i > 2), "e1" if i < 5 else "e2",
                           note="new compiler" if i == 3 else "") for i in range(8)],
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    rows = [row for row in hostile() if "\ud800" not in row.implementation]
    one = stored(folder / "run", rows)
    (one / "figures.jsonl").write_bytes(b"".join(msgspec.json.encode(f) + b"\n" for f in every_figure()))
    timed = bench_run(folder / "bench", [timing("torch.hinge", 1e-4), timing("jax.hinge", 2e-4)])
    head = stored(folder / "head", [msgspec.structs.replace(rows[0], verdict="fail", witness=WITNESS), *rows[1:]])
    made = {name: folder / f"{name}.html" for name in ("report", "diff", "good")}
    run(["report", str(one), str(timed), "--html", str(made["report"])])
    run(["diff", str(one), str(head), "--html", str(made["diff"])])
    run(["report", str(stored(folder / "fine", good())), "--html", str(made["good"])])
    assert run(["publish", str(one), str(head), str(timed), "--out", str(folder / "site")]) == 0
    made["index"] = folder / "site" / "index.html"
    made |= {path.stem: path for path in (folder / "site").rglob("*.html") if path.stem in ("loss-hinge", "history")}
    return made


PAGES = ("report", "diff", "good", "index", "loss-hinge", "history")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_renders_in_silence_and_axe_finds_nothing_serious(
    pages: dict[str, Path], open_page: Open, axe: str, name: str, scheme: str
) -> None:
    opened = open_page(pages[name], color_scheme=scheme)
    page = opened.page
    assert page.title().startswith("hingeproof")
    assert "owned" not in page.title()
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.locator("svg text").count() > 0 or name in ("diff", "good", "index")
    assert violations(page, axe) == []
    assert not opened.errors
    assert [url for url in opened.requests if url.split("#")[0] != pages[name].resolve().as_uri()] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(pages: dict[str, Path], open_page: Open, name: str) -> None:
    page = open_page(pages[name], viewport={"width": 390, "height": 800}).page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_filter_and_the_selection(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["report"]).page
    rows = page.locator(".matrix tbody tr")
    everything_ = rows.count()
    page.get_by_label("Filter").fill("optax")
    assert page.locator(".matrix tbody tr:visible").count() == 1
    assert page.get_by_role("status").inner_text().endswith("rows shown")
    page.get_by_label("Filter").fill("")
    assert page.locator(".matrix tbody tr:visible").count() == everything_
    page.get_by_label("Show").select_option("bad")
    assert 0 < page.locator(".matrix tbody tr:visible").count() < everything_
    assert page.locator("details.finding:visible").count() == page.locator("details.finding").count()


def test_folds_and_the_way_from_a_cell_to_its_witness_by_keyboard(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["report"]).page
    finding = page.locator("details.finding", has_text="torch.nn.MultiMarginLoss")
    assert not finding.evaluate("d => d.open")
    page.get_by_role("link", name="✗ 4 failed: torch.nn.MultiMarginLoss").focus()
    page.keyboard.press("Enter")
    # not wait_for_function: its polling evaluates a string in the page, which the page's own policy forbids
    expect(finding).to_have_attribute("open", "")
    assert finding.get_by_text("print(torch.relu(torch.zeros(1)))").is_visible()
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert not finding.evaluate("d => d.open")
    page.get_by_role("button", name="Unfold all").click()
    assert finding.evaluate("d => d.open")


def test_everything_can_be_reached_by_tab(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["report"]).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "INPUT", "SELECT", "BUTTON", "SUMMARY", "DIV"} <= reached, "tables that scroll too"


def test_a_printed_page_shows_what_is_folded(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["report"]).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert len(page.pdf()) > 10_000
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0


def test_a_page_says_it_all_without_its_script(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["report"], java_script_enabled=False).page
    assert page.locator(".verdict").first.is_visible()
    assert page.locator(".tools").is_hidden(), "what needs the script is not offered"
    page.locator("details.finding summary").first.click()
    assert page.locator("details.finding[open]").count() == 1
