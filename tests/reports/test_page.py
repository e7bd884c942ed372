import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs_version

from reports.baselines import UnknownBaselineError
from reports.page import render, write
from reports.templating import plotly_js, position
from trackers.records import StudyRecord

Build = Callable[[int], StudyRecord]
VOID = {"meta", "link", "input", "img", "br", "hr"}
LOADING = {"src", "srcset", "poster", "data", "action", "background"}


class Outline(HTMLParser):
    """Collects what a page holds, and fails on tags that do not balance."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID | {"line"}:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in LOADING or (name == "href" and tag != "a"):
                self.loads.append(str(value))
            if name == "href" and tag == "a":
                self.anchors.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing at line {self.getpos()}"


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture
def html(study: StudyRecord) -> str:
    return render(study, generated_at="1 January 2026")


def without_library(html: str) -> str:
    return html.replace(plotly_js(), "")


def test_a_page_is_balanced_html_with_unique_ids(html: str, class_study: StudyRecord) -> None:
    for page in (html, render(class_study)):
        found = outline(page)
        assert [name for name, count in Counter(found.ids).items() if count > 1] == []
        inside = [anchor[1:] for anchor in found.anchors if anchor.startswith("#")]
        assert set(inside) <= set(found.ids)


def test_plotly_is_inlined_exactly_once(html: str) -> None:
    assert html.count(plotly_js()) == 1


def test_pages_have_the_plotly_that_figures_are_written_for() -> None:
    # Newer: `npm pack plotly.js-cartesian-dist-min@VERSION`, see docs/decisions/045.
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}\n" in plotly_js()[:200]


def test_a_page_loads_nothing(html: str) -> None:
    assert all(load.startswith("data:") for load in outline(html).loads)
    ours = without_library(html)
    assert "http" not in re.sub(r"http-equiv", "", ours)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", ours)
    assert "default-src 'none'" in ours


def test_the_same_record_gives_the_same_bytes(study: StudyRecord, html: str) -> None:
    assert render(study, generated_at="1 January 2026") == html
    assert render(study, generated_at="2 January 2026") != html


def test_every_figure_has_its_place_and_a_text_summary(html: str) -> None:
    figures = re.findall(r'data-figure="([^"]+)"', html)
    assert len(figures) == len(set(figures)) == 1 + 3 * 3 + 1 + 1 + 6
    # a tree, curves, a response, score against time; of the search a history, its settings
    # together and each of the four
    found = outline(html)
    assert set(figures) <= set(found.ids)
    assert found.tags["figcaption"] == found.tags["figure"] == len(figures) + 1


def test_every_table_has_a_caption_and_scoped_heads(html: str) -> None:
    found = outline(html)
    assert found.tags["caption"] == found.tags["table"] > 5
    heads = re.findall(r"<th[ >][^>]*>?", without_library(html))
    assert all("scope=" in head for head in heads)


def test_the_numbers_of_the_record_are_on_the_page(study: StudyRecord, html: str) -> None:
    for stage in study.stages:
        for candidate in stage.decisions[0].candidates:
            assert f"{candidate.mean:.3f}" in html
    for cell in study.cells:
        assert f"<code>{cell}</code>" in html
    assert "Image 17.jpg &lt;truncated&gt; cannot be read." in html


@pytest.mark.parametrize("stages", [0, 1, 2, 3])
def test_an_unfinished_study_makes_a_page(build: Build, stages: int) -> None:
    page = render(build(stages))
    outline(page)
    assert "The study is not finished: stopped by Ctrl-C." in page


def test_a_study_without_stages_or_cells_makes_a_page(build: Build) -> None:
    empty = replace(build(0), stages=(), baselines=(), base={}, settings={}, environment={})
    assert "No stage has been decided yet" in render(empty)


def test_one_seed_makes_a_page_without_intervals(study: StudyRecord) -> None:
    cells = {key: cell for key, cell in study.cells.items() if cell.seed == 0}
    stages = []
    for stage in study.stages:
        single = tuple(
            replace(c, low=None, high=None, difference_low=None, difference_high=None)
            for c in stage.decisions[0].candidates
        )
        decision = replace(stage.decisions[0], candidates=single)
        stages.append(replace(stage, decisions=(decision,)))
    page = render(replace(study, cells=cells, stages=tuple(stages)))
    outline(page)
    assert "too few for an interval" in page


def test_metrics_that_are_not_numbers_make_a_page(study: StudyRecord) -> None:
    nan = float("nan")
    cells = {
        key: replace(
            cell,
            metrics=dict.fromkeys(cell.metrics, nan),
            epochs=tuple(
                replace(epoch, metrics=dict.fromkeys(epoch.metrics, nan)) for epoch in cell.epochs
            ),
        )
        for key, cell in study.cells.items()
    }
    page = without_library(render(replace(study, cells=cells)))
    specs = re.findall(r'data-figure="[^"]+">([^<]+)<', page)
    assert specs
    assert not any("NaN" in spec for spec in specs)


def test_hostile_text_is_shown_and_not_run(study: StudyRecord) -> None:
    evil = '<script>alert("1")</script> & \N{RIGHT-TO-LEFT OVERRIDE}"'
    stage = replace(study.stages[0], name=evil)
    cell = replace(study.cells["op-sgd-0"], reason=evil, tracking_url="javascript:alert(1)")
    page = render(
        replace(
            study,
            name=evil,
            description=evil,
            note=evil,
            stages=(stage, *study.stages[1:]),
            cells={**study.cells, "op-sgd-0": cell},
            environment={evil: evil},
        )
    )
    ours = without_library(page)
    assert "<script>alert" not in ours
    assert 'href="javascript:' not in ours
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;" in ours
    outline(page)


def test_a_cell_links_to_its_run(study: StudyRecord) -> None:
    url = "http://127.0.0.1:5000/#/experiments/1/runs/abc"
    cell = replace(study.cells["ba-8-1"], tracking_url=url)
    page = render(replace(study, cells={**study.cells, cell.id: cell}))
    assert url in outline(page).anchors


def test_an_unknown_baseline_is_refused(study: StudyRecord) -> None:
    with pytest.raises(UnknownBaselineError, match="did you mean 'thesis/table-8'"):
        render(replace(study, baselines=("thesis/table8",)))


def test_writing_replaces_the_file_in_one_step(study: StudyRecord, tmp_path: Path) -> None:
    file = tmp_path / "reports" / "street.html"
    file.parent.mkdir()
    file.write_text("old")
    write(study, file)
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in file.parent.iterdir()] == ["street.html"]


def test_marks_stay_inside_their_axis() -> None:
    assert position(0.5, (0.0, 1.0)) == "50.0"
    assert position(-1.0, (0.0, 1.0)) == "0.0"
    assert position(3.0, (3.0, 3.0)) == "50.0"


def test_settings_can_be_saved_and_read_again(study: StudyRecord, html: str) -> None:
    text = re.search(r"<details>.*?<code>(.*?)</code>", html, re.DOTALL)
    assert text is not None
    assert text.group(1).splitlines()[0] == "study: street-unet"
    assert study.name in html
    assert "git checkout 0123456789abcdef" in html


@pytest.mark.parametrize(
    ("described", "command", "is_dirty"),
    [
        ("0123456789ab", "git checkout 0123456789ab", False),
        ("v0.1.0-3-g0123456789ab-dirty", "git checkout 0123456789ab", True),
        ("not a git checkout", None, False),
    ],
)
def test_only_a_commit_is_checked_out(
    study: StudyRecord, described: str, command: str | None, is_dirty: bool
) -> None:
    page = render(replace(study, environment={"git_commit": described}))
    assert ("git checkout 0" in page) == (command is not None)
    assert command is None or f"{command}\n" in page
    assert ("Files differed from that commit" in page) == is_dirty
