"""Figures: curves from the definition, error envelopes of every float16 score, and what is drawn of them."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest
from tests.made import good, info, stored

from hingeproof.contracts import IMPLEMENTATIONS
from hingeproof.evidence.curves import curves
from hingeproof.evidence.envelope import applies, envelope, label_of, measured, scores, truth
from hingeproof.reference_impls.losses import LOSSES
from hingeproof.reports import model as load
from hingeproof.reports.text import visible
from hingeproof.reports.write import charts, pictures, site
from hingeproof.reports.write.svg import Scale
from hingeproof.run import drawing
from hingeproof.runs import reader
from hingeproof.runs.figures import AT_MOST, COLUMNS, Boundary, Figure, LossCurve, Moment, SvmPicture, Training, Trend
from hingeproof.runs.records import Plan

NAMES = [i.name for i in IMPLEMENTATIONS.values() if i.reference and i.framework == "numpy" and applies(i)]
ALL = list(curves(LOSSES))


# Curves


def test_every_loss_and_label_has_a_curve_of_few_points() -> None:
    assert {(c.loss, c.label) for c in ALL} == {(loss.name, y) for loss in LOSSES.values() for y in loss.phi}
    for c in ALL:
        assert len(c.z) == len(c.value) == len(c.slope) <= AT_MOST
        assert c.z == sorted(c.z)


@pytest.mark.parametrize("c", ALL, ids=lambda c: f"{c.loss}-{c.label}")
def test_a_curve_is_what_its_slope_says(c: LossCurve) -> None:
    """Between neighbours of one piece, the value rises by the mean slope: exact for degree 2."""
    for i in range(len(c.z) - 1):
        width = Fraction(c.z[i + 1]) - Fraction(c.z[i])
        rise = Fraction(c.value[i + 1]) - Fraction(c.value[i])
        mean = (Fraction(c.slope[i]) + Fraction(c.slope[i + 1])) / 2
        assert float(abs(rise - width * mean)) <= 1e-12


@pytest.mark.parametrize("c", ALL, ids=lambda c: f"{c.loss}-{c.label}")
def test_kinks_are_where_the_slope_jumps(c: LossCurve) -> None:
    jumps = [c.z[i] for i in range(1, len(c.z)) if c.z[i] == c.z[i - 1] and c.slope[i] != c.slope[i - 1]]
    assert [k.z for k in c.kinks] == jumps
    for k in c.kinks:
        i = c.z.index(k.z)
        assert {k.low, k.high} == {c.slope[i], c.slope[i + 1]}


# Envelopes


def test_all_finite_float16_scores_are_there_once() -> None:
    x = scores()
    assert len(x) == 2 * (2**15 - 2**10) - 1
    assert x.dtype == np.float16
    assert np.all(np.diff(x.astype(np.float64)) > 0)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "ramp", "hinge_embedding"])
def test_the_truth_is_the_definition_and_its_ulp(name: str) -> None:
    def third(z: Fraction) -> Fraction:
        hinge = max(Fraction(0), 1 - z)
        return {"squared_hinge": hinge**2, "ramp": min(Fraction(1), hinge)}.get(name, hinge)

    value, ulp = truth(name)
    sign = label_of(name) if name != "hinge_embedding" else 1
    for i in range(0, len(value), 977):
        exact = third(sign * Fraction(float(scores()[i])))
        assert value[i] == float(exact)
        spacing = float(np.spacing(np.float16(min(abs(value[i]), 60000.0))))
        if 0 < abs(value[i]) < 32768 and abs(value[i]) == np.float16(value[i]):
            assert ulp[i] == spacing


@pytest.mark.parametrize("name", NAMES)
def test_a_correctly_rounded_reference_stays_within_half_an_ulp(name: str) -> None:
    figure = envelope(IMPLEMENTATIONS[name])
    assert len(figure.first) == len(figure.low) == len(figure.high) == COLUMNS
    assert figure.wrong == 0
    # computed in float32 and rounded once: the first rounding adds at most 2^-13 ulp of float16
    assert figure.worst <= 0.5 + 2**-12


def test_an_envelope_shows_a_wrong_value_where_it_is() -> None:
    implementation = IMPLEMENTATIONS["numpy.hinge"]
    value, ulp = truth("hinge")
    got = np.asarray(value.astype(np.float16), dtype=np.float64)
    at = int(np.searchsorted(scores().astype(np.float64), -1.0))
    got[at] += 3 * ulp[at]
    got[10] = np.nan
    figure = measured(implementation, got)
    assert figure.worst == pytest.approx(3, abs=0.51)
    assert float.fromhex(figure.worst_at) == -1.0
    assert figure.wrong == 1
    column = max(i for i, first in enumerate(figure.first) if first <= -1.0)
    assert figure.high[column] == figure.worst


def test_an_infinity_is_right_exactly_where_the_exact_value_rounds_to_it() -> None:
    value, _ = truth("squared_hinge")
    got = np.where(np.abs(value) >= 65520, np.inf, value)
    assert measured(IMPLEMENTATIONS["numpy.squared_hinge"], got).wrong == 0
    assert measured(IMPLEMENTATIONS["numpy.squared_hinge"], value).wrong == int((np.abs(value) >= 65520).sum())


# A run


def test_a_run_gets_its_figures_and_keeps_those_that_laws_wrote(tmp_path: Path) -> None:
    about = info(patterns=("numpy.hinge", "numpy.ramp"), profile="ci")
    directory = stored(tmp_path / "run", good(), about)
    trained = Training(check="c", title="t", optimiser="SGD", steps=[1], suboptimality=[0.1], margin=[None])
    (directory / "figures.jsonl").write_bytes(msgspec.json.encode(trained) + b"\n")
    for _ in range(2):  # a second time changes nothing
        drawing.write(directory, about)
        kinds = [type(figure).__name__ for figure in reader.figures(directory)]
        assert kinds == ["Training", "LossCurve", "LossCurve", "UlpError", "UlpError"]
    assert not (directory / "figures.part").exists()


def test_an_implementation_that_dies_only_lacks_its_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hingeproof.runs.records import UserImplementation

    monkeypatch.chdir(tmp_path)
    (tmp_path / "dies.py").write_text("import os\ndef f(scores, targets):\n    os._exit(3)\n")
    user = UserImplementation(target="dies:f", loss="hinge", framework="numpy", reductions=("none",))
    about = info(patterns=("numpy.hinge",), users=(user,))
    directory = stored(tmp_path / "run", good(), about)
    drawing.write(directory, about)
    assert [type(f).__name__ for f in reader.figures(directory)] == ["LossCurve", "UlpError"]
    assert Plan().profile in drawing.ENVELOPES


def test_figures_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    directory = stored(tmp_path / "run", good())
    (directory / "figures.jsonl").write_bytes(b'{"type": "unknown"}\n')
    with pytest.raises(reader.UnreadableRunError, match=r"figures.jsonl, line 1 is damaged"):
        reader.figures(directory)


# Charts


def drawn(picture: str) -> ET.Element:
    root = ET.fromstring(picture)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == root.findtext("title")
    assert not re.search(r"nan|inf\b", picture.replace("infinit", ""))
    return root


@pytest.mark.parametrize("c", ALL, ids=lambda c: f"{c.loss}-{c.label}")
def test_a_curve_is_drawn_with_its_kinks_and_a_dot_for_each_selection(c: LossCurve) -> None:
    root = drawn(charts.curve(c, {"a<b": ["0"], "c": ["1", "1/2"], "d": ["other"]} if c.kinks else {}))
    assert len(root.findall("circle[@class='sel']")) == 3 * len(c.kinks)
    assert len(root.findall("path[@class='span']")) == len(c.kinks)
    assert len(charts.curve(c, {})) < 8_000


def test_an_envelope_is_small_and_spans_what_it_says() -> None:
    figure = envelope(IMPLEMENTATIONS["numpy.hinge"])
    picture = charts.envelope(figure)
    assert len(picture) < 12_000
    path = drawn(picture).find("path[@class='c1 fill']")
    assert path is not None
    heights = [int(y) for y in re.findall(r"V(-?\d+)", path.attrib["d"])]
    y = Scale(-0.55, 0.55, 105, 10)
    assert min(heights) == round(y(0.5) - 0.5)
    assert max(heights) == round(y(-0.5) + 0.5)


@pytest.mark.parametrize("w", [(1.0, 0.0), (0.0, 2.0), (1.0, -3.0), (0.0, 0.0), (1e-300, 0.0)])
def test_the_separating_line_goes_through_its_points(w: tuple[float, float]) -> None:
    record = SvmPicture(
        name="s", points=[(0.0, 0.0), (4.0, 2.0)], labels=[-1, 1], support=[1], optimum=Boundary("o", w, -2.0)
    )
    drawn(charts.svm(record))
    x, y = Scale(0, 4, 0, 400), Scale(0, 2, 200, 0)
    for px, py in charts._ends(record.optimum, 0.0, x, y):
        got = w[0] * px / 100 + w[1] * (200 - py) / 100 - 2.0
        assert got == pytest.approx(0, abs=1e-6 * max(1, abs(px), abs(py)))


def test_a_history_breaks_where_the_environment_changes() -> None:
    points = [
        Moment(f"day {i}", float(i), None, None, "a" if i < 3 else "b", "note" if i == 1 else "") for i in range(6)
    ]
    root = drawn(charts.history(Trend(name="h", unit="ulp", points=points, change_points=[3])))
    assert len(root.findall("path[@class='c1']")) == 2
    assert len(root.findall("path[@class='change']")) == 1


def test_one_point_and_equal_points_are_drawn() -> None:
    drawn(charts.history(Trend(name="h", unit="ulp", points=[Moment("a", 0.0)])))
    drawn(charts.history(Trend(name="h", unit="ulp", points=[Moment("a", 2.0), Moment("b", 2.0)])))
    drawn(charts.training(Training(check="c", title="t", optimiser="o", steps=[1], suboptimality=[0.0], margin=[None])))
    drawn(
        charts.svm(
            SvmPicture(name="s", points=[(1.0, 1.0)], labels=[1], support=[], optimum=Boundary("o", (1.0, 1.0), 0.0))
        )
    )


def test_every_figure_is_a_record_that_reads_back() -> None:
    for c in ALL:
        assert msgspec.json.decode(msgspec.json.encode(c), type=Figure) == c


# The site


def test_a_site_has_a_page_for_each_thing_and_replaces_only_itself(tmp_path: Path) -> None:
    told = [load.run(stored(tmp_path / name, good())) for name in ("one", "two")]
    out = tmp_path / "site"
    site.write(site.pages(told, {}), out)
    names = {path.name for path in out.iterdir()}
    assert names == {
        site.MARKER, "index.html", "history.html", "run-one.html", "run-two.html", "loss-hinge.html",
        "implementation-torch.hinge.html",
    }  # fmt: skip
    for page in out.glob("*.html"):
        for link in re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8")):
            assert (out / link).is_file(), f"{page.name}: {link}"
    (out / "mine.txt").write_text("kept")
    site.write(site.pages(told[:1], {}), out)
    assert {path.name for path in out.iterdir()} == names - {"run-two.html"} | {"mine.txt"}
    with pytest.raises(FileExistsError):
        site.write({}, tmp_path / "one")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "", "x" * 500, "é", "mypkg:f", "con\x00"])
def test_no_name_leaves_the_folder_of_the_site(name: str) -> None:
    made = site.slug(name)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", made), visible(made)


def test_names_that_differ_get_files_that_differ() -> None:
    odd: list[Any] = ["a:b", "a/b", "a b", "a-b", "a.b"]
    assert len({site.slug(name) for name in odd}) == len(odd)


def test_the_picture_of_the_textbooks_example_is_the_certified_optimum() -> None:
    from hingeproof.evidence.picture import clusters, picture

    made = picture()
    X, y = clusters()
    data, signs = X.double().numpy(), y.double().numpy()

    def objective(line: Boundary) -> float:
        w = np.array(line.w)
        return float((w @ w + line.b**2) / 2 + np.maximum(0, 1 - signs * (data @ w + line.b)).sum())

    best = objective(made.optimum)
    assert made.facts["certified"].startswith(f"exact, objective {best:.6g}")
    assert objective(made.trained[0]) > best
    # the maximum margin of two separable clusters is the half distance of their hulls: 54.7 % of it, docs/svm.md
    assert "54.7% of the maximum margin 0.7955" in made.facts["margin"]
    rng = np.random.default_rng(0)
    for step in 10.0 ** rng.uniform(-6, 0, 50):
        w1, w2, b = np.array([*made.optimum.w, made.optimum.b]) + step * rng.normal(size=3)
        assert objective(Boundary("near", (w1, w2), b)) > best
    margins = signs * (data @ np.array(made.optimum.w) + made.optimum.b)
    assert made.support == [i for i, m in enumerate(margins) if m < 1 + 1e-9]
    drawn(charts.svm(made))


def test_training_curves_that_look_the_same_share_a_picture() -> None:
    def run(check: str, end: float) -> Training:
        return Training(
            check=check, title="t", optimiser="o", steps=[1, 10], suboptimality=[1.0, end], margin=[None, 1.0]
        )

    first, second = pictures.training_items([run("a", 0.5), run("b", 0.5), run("c", 0.25)])
    assert first[2] == ["o: a", "o: b"]
    assert second[2] == ["o: c"]
