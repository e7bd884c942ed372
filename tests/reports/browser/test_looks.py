"""How a page looks and behaves: on a phone, in the dark, by keyboard, on paper, to a machine."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from pypdf import PdfReader

from trackers.records import StudyRecord

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Any]
PAGES = [
    "segmentation_study light",
    "detection_study dark",
    "action_study light",
    "class_study dark",
    "hostile_study dark",
]
# Figures are lines and labels in the colours of the page; of what repeats, the first is enough.
REPEATED = [".plot-area > *", "tbody tr:nth-child(n+4)", ".stage ~ .stage", "li:nth-child(n+4)"]
AXE_LOOKS_AT = {"include": [["html"]], "exclude": [[each] for each in REPEATED]}
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# What scrolls by itself may be wider than the screen.
TOO_WIDE = """[...document.querySelectorAll("body *")].filter((each) =>
    each.getBoundingClientRect().right > 391 && !each.closest(".scroll, .plot-scroll, nav, pre")
).map((each) => [each.tagName, each.closest("section")?.id, each.textContent.slice(0, 60)])"""
EMPTY_SECTIONS = """[...document.querySelectorAll("main section")]
    .filter((each) => each.offsetHeight < 20).map((each) => each.id)"""
PAPER_HEIGHT = 1009  # CSS pixels of A4 between the margins
STOPS = """() => [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
    .filter((each) => each.checkVisibility()).length"""


@pytest.fixture(params=PAGES)
def shown(request: pytest.FixtureRequest) -> tuple[StudyRecord, str]:
    """Return a study of each task, one of single classes, one of hostile names; and a scheme."""
    name, scheme = request.param.split()
    return request.getfixturevalue(name), scheme


@pytest.mark.slow
def test_a_phone_shows_everything_and_axe_finds_nothing_serious(
    open_page: OpenPage, shown: tuple[StudyRecord, str]
) -> None:
    study, scheme = shown
    opened = open_page(study, width=390, height=844, scheme=scheme)

    assert opened.complaints == []
    assert opened.asked_for == []
    assert opened.value(TOO_WIDE) == []
    assert opened.value("document.documentElement.scrollWidth") == 390
    assert opened.value("window.shifted") < 0.02
    assert opened.value(EMPTY_SECTIONS) == []
    assert opened.page.locator("nav.contents").bounding_box()["height"] < 60  # in one line
    targets = opened.value("[...document.querySelectorAll('nav a')].map((a) => a.hash)")
    assert all(opened.page.locator(target).is_visible() for target in targets)
    assert all(width > 200 for width, _, _ in opened.drawn.values())
    found = Axe().run(opened.page, context=AXE_LOOKS_AT, options=AXE_RULES)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in serious] == []


def test_the_answer_comes_before_any_scrolling(open_page: OpenPage, study: StudyRecord) -> None:
    opened = open_page(study)
    for width, height in ((1280, 800), (390, 844)):
        opened.page.set_viewport_size({"width": width, "height": height})
        ends = opened.value("""() => [
            ...document.querySelectorAll(".winner dd"), ...document.querySelectorAll(".answer p"),
        ].map((each) => each.getBoundingClientRect().bottom)""")
        assert len(ends) >= 6  # the value, its interval, its replicates, three sentences
        assert max(ends) <= height


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    open_page: OpenPage, class_study: StudyRecord
) -> None:
    opened = open_page(class_study)
    seen = set()
    for _ in range(opened.value(STOPS)):
        opened.page.keyboard.press("Tab")
        where, style = opened.value("""() => {
            const here = document.activeElement;
            const place = [...document.querySelectorAll("*")].indexOf(here);
            return [place, getComputedStyle(here).outlineStyle];
        }""")
        assert style != "none"
        seen.add(where)
    assert len(seen) == opened.value(STOPS)


def test_keys_switch_a_class_and_open_the_data_of_a_figure(
    open_page: OpenPage, class_study: StudyRecord
) -> None:
    opened = open_page(class_study)
    opened.page.focus("[data-panel='panel-tree-2']")
    opened.page.keyboard.press("Enter")
    assert opened.page.get_attribute("[data-panel='panel-tree-2']", "aria-pressed") == "true"
    summary = opened.page.locator("#panel-tree-2 details.data summary")
    summary.focus()
    opened.page.keyboard.press("Enter")
    rows = opened.page.locator("#panel-tree-2 details.data tbody tr:visible")
    assert rows.count() > 5
    assert "base settings" in rows.all_inner_texts()[0]


def test_paper_has_no_empty_page_and_cuts_no_figure(
    open_page: OpenPage, action_study: StudyRecord
) -> None:
    opened = open_page(action_study)
    pages = PdfReader(BytesIO(opened.page.pdf(prefer_css_page_size=True))).pages
    assert [page.page_number for page in pages if len(page.extract_text().split()) < 4] == []

    opened.page.emulate_media(media="print")
    opened.value("dispatchEvent(new Event('beforeprint'))")
    figures = opened.value("""() => [...document.querySelectorAll("figure.plot")].map((each) => {
        const box = each.getBoundingClientRect();
        return [each.querySelector(".plot-area").id, box.right, box.height,
            getComputedStyle(each).breakInside];
    })""")
    assert figures
    for name, right, height, inside in figures:
        assert right <= 682, name
        assert height <= PAPER_HEIGHT, name
        assert inside == "avoid", name


def test_who_wants_no_motion_sees_none(open_page: OpenPage, study: StudyRecord) -> None:
    opened = open_page(study)
    opened.page.emulate_media(reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll("*")].filter((each) =>
        parseFloat(getComputedStyle(each).transitionDuration) > 0).length"""
    assert opened.value(moving) == 0
    assert opened.value("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_names_that_look_like_markup_are_text_in_sections_and_figures(
    open_page: OpenPage, hostile_study: StudyRecord
) -> None:
    opened = open_page(hostile_study)
    assert opened.complaints == []
    assert "<b>bold</b> <a href=" in opened.page.inner_text("h1")
    drawn = """[...document.querySelectorAll("svg.main-svg text")].map((t) => t.textContent)"""
    assert any("<b>bold</b>" in text for text in opened.value(drawn))
    assert opened.value("document.querySelectorAll('svg.main-svg a, [onerror]').length") == 0


def test_a_number_behind_a_name_from_right_to_left_stays_behind_it(
    open_page: OpenPage, study: StudyRecord
) -> None:
    """Without isolation, the number would be drawn left of the name (UAX 9, rule N1)."""
    name = "\N{HEBREW LETTER SHIN}\N{HEBREW LETTER LAMED}"
    opened = open_page(replace(study, description=f"before {name} 42 after"))
    places = opened.value("""() => {
        const lead = document.querySelector(".lead").firstChild;
        return ["before", "\u05e9", "42", "after"].map((word) => {
            const range = document.createRange();
            const start = lead.data.indexOf(word);
            range.setStart(lead, start);
            range.setEnd(lead, start + word.length);
            return range.getBoundingClientRect().left;
        });
    }""")
    assert places == sorted(places)
