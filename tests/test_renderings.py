"""Markdown, HTML, SARIF, annotations and badge of a run: limits, schemas, and hostile names that stay names."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import msgspec
import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from tests.made import HOSTILE, STATEMENTS, WITNESS, everything, good, info, record, stored

from hingeproof.commands.main import run
from hingeproof.commands.output import write
from hingeproof.reports import model as load
from hingeproof.reports.model import Told
from hingeproof.reports.summary import FINDINGS_KEPT, summarise
from hingeproof.reports.write import annotations, badge, html, junit, markdown, sarif
from hingeproof.runs.records import Record, RunInfo, Tensor

SCRIPT = "</style></title></script><script>document.title='owned'</script><img src=x onerror=alert(1)>"
SARIF = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))


def told(records: list[Record], about: RunInfo | None = None, name: str = "run") -> Told:
    about = about or info()
    summary = summarise(about, records)
    return Told(name=name, directory=Path(name), kind="verify", info=about, summary=summary)


def hostile() -> list[Record]:
    return [
        *everything(),
        record("owned", SCRIPT, "fail", reason=SCRIPT, witness=WITNESS, loss="hinge"),
        record("noted", SCRIPT, convention=SCRIPT, selection={SCRIPT: 3}, group=SCRIPT),
        record("pipe", "a`b|c\nd @someone [x](javascript:1)", "fail", reason="`|`@everyone"),
    ]


# Markdown


def test_markdown_says_the_verdict_first_and_shows_the_evidence() -> None:
    text = markdown.of_runs([told(everything())], STATEMENTS)
    assert text.startswith("## ❌ 5 of 17 checks failed, 3 crashed")
    for piece in ("### Findings (5)", "expected: a point of [-1, 0]", "| `optax.losses.hinge_loss` | hinge | S 1 |",
                  "Seen at the kink", "<details><summary>Known deviations (1)</summary>"):  # fmt: skip
        assert piece in text, piece


@pytest.mark.parametrize("limit", [markdown.COMMENT, 20_000, 2_000])
def test_details_are_cut_to_the_limit_never_the_verdict(limit: int) -> None:
    rows = [record(f"law{n:04}", f"torch.f{n:04}", "fail", witness=WITNESS, reason="é" * 200) for n in range(3000)]
    text = markdown.of_runs([told(rows)], STATEMENTS, limit=limit)
    assert len(text.encode()) <= limit
    assert text.startswith("## ❌ 3,000 of 3,000 checks failed: 3,000 findings in 3,000 implementations.")
    if limit > 10_000:
        shown = text.count("<details><summary>✗")
        assert f"… and {3000 - shown:,} findings more" in text
        assert text.count("</details>") == text.count("<details>")


def test_a_difference_is_cut_too(tmp_path: Path) -> None:
    rows = [record(f"law{n:04}", f"torch.f{n:04}") for n in range(3000)]
    base = stored(tmp_path / "a", rows)
    head = stored(tmp_path / "b", [msgspec.structs.replace(r, verdict="fail", witness=WITNESS) for r in rows])
    assert run(["diff", str(base), str(head), "--comment", str(tmp_path / "c.md")]) == 1
    text = (tmp_path / "c.md").read_bytes()
    assert len(text) <= markdown.COMMENT
    assert text.decode().startswith("## ❌ Worse: 3,000 checks newly fail in 3,000 implementations.")


def test_foreign_text_is_no_markup_and_mentions_nobody() -> None:
    text = markdown.of_runs([told(hostile())], STATEMENTS)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    assert not [t for t in inline if t.type in ("link_open", "image")]
    for token in (*tokens, *inline):
        if token.type.startswith("html"):
            # the summary of a finding: a name in it is escaped
            assert re.fullmatch(r"(</?(details|summary|code)>|[^<>])*", token.content), token.content
        if token.type == "text":
            assert not re.search(r"@(?!\u200b)", token.content)
    columns = [token.attrs for token in tokens if token.type == "table_open"]
    assert columns, "tables are still tables"


def test_hex_floats_lose_their_zeros_and_nothing_else() -> None:
    values = [1.0, 0.375, -2.5, 0.1, 5e-324, 1e300, 0.0, -0.0, 16.0, 1 / 3]
    tensor = Tensor("float64", [len(values)], [v.hex() for v in values], [repr(v) for v in values])
    for part in (tensor, msgspec.structs.replace(tensor, hex=tensor.hex[8:], decimal=tensor.decimal[8:])):
        shown = markdown.tensor_lines("x", part)[-1].partition(", …")[0].split(",")
        assert [float.fromhex(text) for text in shown] == [float.fromhex(text) for text in part.hex[:8]]
    assert "0x1p+0, 0x1.8p-2, -0x1.4p+1" in markdown.tensor_lines("x", tensor)[-1]


# HTML


class Seen(HTMLParser):
    """What a browser would run, load or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.bad: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "style") or (tag in ("img", "link", "iframe", "object")):
                self.bad.append(f"{tag} {name}={value}")
            if name == "href":
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def parsed(page: str) -> Seen:
    seen = Seen()
    seen.feed(page)
    return seen


def test_the_page_loads_nothing_and_runs_one_script_whatever_the_names() -> None:
    page = html.of_runs([told(hostile(), name=SCRIPT)], STATEMENTS)
    seen = parsed(page)
    assert seen.scripts == 1
    assert not seen.bad
    assert all(link.startswith("#") for link in seen.links)
    assert {link[1:] for link in seen.links} <= set(seen.ids), "every link leads somewhere"
    assert len(seen.ids) == len(set(seen.ids))
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in page
    assert not {"\x00", "\u202e", "\ud800"} & set(page)


def test_the_script_is_small() -> None:
    script = re.search(r"<script>(.*?)</script>", html.of_runs([told(good())], STATEMENTS), re.DOTALL)
    assert script is not None
    assert len(script[1].encode()) <= 4096


def test_a_page_shows_200_witnesses_and_counts_the_rest_with_a_command() -> None:
    rows = [record(f"law{n // 60}", f"torch.f{n:03}", "fail", witness=WITNESS) for n in range(250)]
    page = html.of_runs([told(rows)], STATEMENTS)
    assert page.count('class="finding"') == 200
    assert "… and 50 findings more" in page
    assert "   10  hingeproof verify --law law4" in page
    assert len(page.encode()) < 600_000


def test_a_cell_leads_to_its_witness() -> None:
    page = html.of_runs([told(everything())], STATEMENTS)
    found = re.search(
        r'<td class="fail"><a href="#(f0-\d+)">✗ 4<span class="sr"> failed: torch.nn.MultiMarginLoss', page
    )
    assert found is not None
    at = page.index(f'id="{found[1]}"')
    assert "torch.nn.MultiMarginLoss" in page[at : at + 300]


def test_more_findings_than_are_kept_are_counted_all_the_same() -> None:
    rows = [record(f"law{n % 3}", f"torch.f{n}", "fail") for n in range(FINDINGS_KEPT + 9)]
    rows.append(record("late", "torch.z", "crash", reason="SIGSEGV"))
    summary = summarise(info(), rows)
    assert summary.findings_count == FINDINGS_KEPT + 10
    assert summary.findings[0].record.verdict == "crash", "the worst is kept, however late it comes"
    page = html.of_runs([told(rows)], STATEMENTS)
    assert f"Findings ({FINDINGS_KEPT + 10:,})" in page
    assert f"… and {FINDINGS_KEPT + 10 - 200:,} findings more" in page


def test_the_kink_table_has_a_row_for_each_version() -> None:
    def one(version: str, point: str) -> Told:
        about = msgspec.structs.replace(info(), environment={"torch": version})
        return told([record("s", group="gradient", selection={point: 5})], about, version)

    text = markdown.of_runs([one("2.13.0", "1"), one("2.14.1", "0")], STATEMENTS)
    assert "| `torch` | `2.13.0` | `torch.hinge` | `1` |" in text
    assert "| `torch` | `2.14.1` | `torch.hinge` | `0` |" in text


# SARIF, annotations, badge


def test_sarif_is_valid_and_has_a_place_for_every_finding() -> None:
    log = json.loads(sarif.of_runs([(info(), summarise(info(), hostile()))], STATEMENTS))
    jsonschema.validate(log, SARIF)
    (one,) = log["runs"]
    assert len(one["results"]) == 7
    users = [r for r in one["results"] if r["message"]["text"].startswith("mypkg.losses:my_hinge")]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in users} == {"mypkg/losses.py"}
    assert {r["ruleId"] for r in one["results"]} == {rule["id"] for rule in one["tool"]["driver"]["rules"]}
    assert len({r["partialFingerprints"]["check/v1"] for r in one["results"]}) == 7


def test_sarif_of_a_difference_tells_new_from_old(tmp_path: Path) -> None:
    base = stored(tmp_path / "a", [record("old", verdict="fail"), record("new")])
    head = stored(tmp_path / "b", [record("old", verdict="fail"), record("new", verdict="fail")])
    assert run(["diff", str(base), str(head), "--sarif", str(tmp_path / "d.sarif")]) == 1
    log = json.loads((tmp_path / "d.sarif").read_bytes())
    jsonschema.validate(log, SARIF)
    assert {r["ruleId"]: r["baselineState"] for r in log["runs"][0]["results"]} == {"new": "new", "old": "unchanged"}


def test_at_most_ten_annotations_the_worst_first() -> None:
    rows = [record(f"law{n:02}", verdict="fail", reason="50 % off\r\n::error::x") for n in range(20)]
    rows.append(record("gone", "jax.f", "crash", framework="jax", reason="SIGSEGV"))
    lines = annotations.of_runs([(info(), summarise(info(), rows))])
    assert len(lines) == 10
    assert lines[0].startswith("::error title=jax.f (hinge) crashed%3A gone::")
    assert lines[-1] == "::error title=hingeproof::… and 12 more: see the report"
    for line in lines:
        assert line.count("::") == 2 or "%3A%3A" not in line
        assert "\n" not in line
        assert "\r" not in line
    assert "50 %25 off" in lines[1]


@pytest.mark.parametrize(
    ("records", "words"),
    [(good(), "✓ 2 passed"), (everything(), "✗ 5 findings"), ([], "? nothing judged")],
)
def test_the_badge_says_its_verdict_in_words(records: list[Record], words: str) -> None:
    root = ET.fromstring(badge.render([summarise(info(), records)]))
    assert root.attrib["aria-label"] == f"hingeproof: {words}"


# The command


def test_a_report_of_several_runs_and_the_worst_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = str(stored(tmp_path / "one", good()))
    two = str(stored(tmp_path / "two", [row for row in everything() if row.implementation != HOSTILE]))
    assert run(["report", one]) == 0
    assert capsys.readouterr().out.startswith("All 2 checks passed")
    assert run(["report", one, two, "--quiet"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run(["report", one, two, "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [(r["run"], r["exit_code"]) for r in data["runs"]] == [("one", 0), ("two", 1)]
    out = tmp_path / "new" / "j.xml"
    assert run(["report", one, two, "--junit", str(out), "--annotations"]) == 1
    root = ET.parse(out).getroot()
    assert [suite.attrib["tests"] for suite in root] == ["2", str(len(everything()) - 1)]
    assert int(root.attrib["tests"]) == len(everything()) + 1
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("::error")]) == 4
    assert run(["report", str(tmp_path)]) == 2


def test_a_run_is_named_by_its_folder_and_told_apart_by_as_many_parents_as_it_takes() -> None:
    assert load.distinct_names([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert load.distinct_names([Path("/x/1/run"), Path("/x/2/run")]) == ["1/run", "2/run"]
    assert load.distinct_names([Path("/x/run"), Path("/x/run")]) == ["run", "run (1)"]


def test_junit_of_several_runs_reads_each_from_its_disk(tmp_path: Path) -> None:
    rows = sorted(everything(), key=lambda row: row.check)
    write("--junit", str(tmp_path / "a.xml"), junit.document([(info(), lambda: rows)]))
    assert (tmp_path / "a.xml").read_bytes() == junit.render(info(), rows)


def test_the_terminal_shows_a_run_that_was_read(tmp_path: Path) -> None:
    one = load.run(stored(tmp_path / "one", good()))
    out = io.StringIO()
    load.to_terminal(one, STATEMENTS, Console(file=out, width=80))
    assert out.getvalue().startswith("All 2 checks passed")
