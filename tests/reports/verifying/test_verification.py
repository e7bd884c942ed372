"""One changed number is found wherever it is, and its place is said."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from reports.page import render
from reports.templating import plotly_js
from reports.verifying.differences import Difference
from reports.verifying.stamp import NoReportError, read_stamp
from reports.verifying.verification import Verdict, Verification, verify
from trackers.records import StudyRecord

MOMENT = "1 January 2026"
Check = Callable[[str], Verification]


PAGES: dict[str, str] = {}  # the untouched page, rendered once


def _render(studies: Sequence[StudyRecord], generated_at: str) -> str:
    # Plotly is most of a page, and no number.
    return render(studies[0], generated_at=generated_at).replace(plotly_js(), "")


@pytest.fixture
def study(build: Callable[[int], StudyRecord]) -> StudyRecord:
    """Two stages, which is enough, and quickly drawn."""
    return build(2)


@pytest.fixture
def page(study: StudyRecord) -> str:
    if not PAGES:
        PAGES["untouched"] = _render([study], MOMENT)
    return PAGES["untouched"]


@pytest.fixture
def check(page: str, study: StudyRecord) -> Check:
    """Return a function that verifies a page against the study."""

    def run(altered: str) -> Verification:
        return verify(altered, [study], lambda *_: page)

    return run


def changed(page: str, pattern: str, new: str) -> str:
    """Replace the first group of a pattern's first match."""
    found = re.search(pattern, page, re.DOTALL)
    assert found is not None, pattern
    assert found.group(1) != new
    return page[: found.start(1)] + new + page[found.end(1) :]


def only(found: Verification) -> Difference:
    assert found.verdict is Verdict.DIFFERS
    (difference,) = found.differences
    return difference


def test_a_report_that_nobody_touched_is_what_the_records_say(
    page: str, study: StudyRecord
) -> None:
    found = verify(page, [study], _render)
    assert (found.verdict, found.differences, found.doubts) == (Verdict.SAME, (), ())
    assert found.compared > 500


def test_a_changed_number_in_a_table_is_named_by_row_and_column(page: str, check: Check) -> None:
    row = r'id="stage-2-batch-size".*?<caption>.*?batch size 16.*?<td class="n"[^>]*>\s*([\d.]+)'
    difference = only(check(changed(page, row, "0.999")))
    assert difference.place.startswith("stage 'Batch size', table '")
    assert "row 'batch size 16', column 'seed 0'" in difference.place
    assert (difference.told, difference.found) == ("0.999", "0.393")


def test_a_changed_number_in_a_sentence_is_found(page: str, check: Check) -> None:
    difference = only(check(changed(page, r'<div class="answer">.*?at (0\.\d+)', "0.999")))
    assert difference.place == "section 'Answer'"
    assert difference.told is not None
    assert "0.999" in difference.told
    assert difference.found is not None
    assert "0.999" not in difference.found


def test_a_changed_point_of_a_figure_is_named_by_trace_and_point(page: str, check: Check) -> None:
    number = r'data-figure="curves-1-1-[^"]*">[^<]*?"y":\[[\d.]+,([\d.]+)'
    difference = only(check(changed(page, number, "0.987")))
    assert difference.place.startswith("stage 'Learning rate', figure '")
    assert "trace '" in difference.place
    assert difference.place.endswith("y, point 2")
    assert difference.told == "0.987"


@pytest.mark.parametrize(
    "pattern",
    [
        r'<b style="left:([\d.]+)%',  # a mark of an interval
        r'id="ledger-table".*?data-value="([\d.]+)"',  # what a column is sorted by
        r'id="ledger".*?flex-grow:(\d+)',  # the length of a bar
        r"<dd>(0\.\d+)</dd>",  # a number beside the answer
        r"<pre[^>]*><code>.*?epochs: (\d+)",  # the settings
        r"const PAGE_WIDTH = (680)",  # what draws
    ],
)
def test_whatever_is_drawn_sorted_or_listed_is_compared(
    page: str, check: Check, pattern: str
) -> None:
    only(check(changed(page, pattern, "7")))


def test_a_number_changed_in_the_records_is_found_in_an_old_report(
    page: str, study: StudyRecord
) -> None:
    cell = study.cells["ba-8-1"]
    metrics = {**cell.metrics, study.metric: 0.123}
    now = replace(study, cells={**study.cells, cell.id: replace(cell, metrics=metrics)})
    found = verify(page, [now], _render)
    assert found.verdict is Verdict.DIFFERS
    places = [each.place for each in found.differences]
    assert any("row 'batch size 8', column 'seed 1'" in place for place in places)
    assert any(place.startswith("section 'Ledger'") for place in places)


def test_a_row_that_was_taken_out_is_named(page: str, check: Check) -> None:
    row = r'id="ledger-table".*?<tbody>\s*(<tr.*?</tr>)'
    found = check(changed(page, row, ""))
    assert found.verdict is Verdict.DIFFERS
    assert any(each.told is None and "Ledger" in each.place for each in found.differences)


def test_a_study_that_went_on_is_said_first_and_condemns_nothing(
    page: str, study: StudyRecord
) -> None:
    cell = study.cells["ba-8-1"]
    other = replace(cell, epochs=cell.epochs[:-1])
    found = verify(page, [replace(study, cells={**study.cells, cell.id: other})], _render)
    assert found.verdict is Verdict.CANNOT_SAY
    assert found.doubts[0].startswith("study 'street-unet' has gone on since the report: ")


@pytest.mark.parametrize(
    ("name", "doubt"),
    [("created", "is another one"), ("code", "may write the same records differently")],
)
def test_another_study_or_release_is_no_fault_of_the_report(
    page: str, check: Check, name: str, doubt: str
) -> None:
    altered = changed(page, rf'<meta name="visionstudy-{name}" content="([^"]*)"', "7")
    assert check(altered).verdict is Verdict.SAME  # nothing differs: nothing to doubt
    found = check(changed(altered, r"<dd>(0\.\d+)</dd>", "7"))
    assert found.verdict is Verdict.CANNOT_SAY
    assert any(doubt in each for each in found.doubts)


def test_links_to_mlflow_are_no_numbers(page: str, study: StudyRecord) -> None:
    cells = {
        name: replace(cell, tracking_url=f"http://127.0.0.1:5000/#/experiments/1/runs/{name}")
        for name, cell in study.cells.items()
    }
    assert verify(page, [replace(study, cells=cells)], _render).verdict is Verdict.SAME


def test_a_page_says_what_it_is_of(page: str, study: StudyRecord) -> None:
    stamp = read_stamp(page)
    assert (stamp.kind, stamp.generated_at) == ("study", MOMENT)
    assert [each.name for each in stamp.studies] == [study.name]
    assert stamp.studies[0].progress.endswith("finished")


@pytest.mark.parametrize(
    "name", ["<b>\"x\"</b> & 'y'", "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}"]
)
def test_any_name_of_a_study_is_read_back(study: StudyRecord, name: str) -> None:
    page = render(replace(study, name=name))
    assert [each.name for each in read_stamp(page).studies] == [name]


def test_a_page_that_is_no_report_is_refused() -> None:
    with pytest.raises(NoReportError, match="write it anew by visionstudy report"):
        read_stamp("<html><head><title>x</title></head></html>")
