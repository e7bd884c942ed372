"""Every number of a trial leads to its run in MLflow, where that is known."""

import re
from dataclasses import replace

from reports.page import render
from trackers.records import StudyRecord

BASE = "http://127.0.0.1:5000/#/experiments/1/runs/"


def test_the_numbers_of_a_cell_link_to_its_run(study: StudyRecord) -> None:
    cell = replace(study.cells["ba-8-1"], tracking_url=f"{BASE}abc")
    page = render(replace(study, cells={**study.cells, cell.id: cell}))
    links = re.findall(r'<a class="run" href="([^"]+)">([^<]+)</a>', page)
    assert {address for address, _ in links} == {f"{BASE}abc"}
    value = f"{cell.metrics[study.metric]:.3f}"
    assert [text for _, text in links].count(value) == 2  # of its stage, and of the ledger
    assert cell.id in [text for _, text in links]


def test_without_addresses_there_are_no_links(study: StudyRecord) -> None:
    assert 'class="run"' not in render(study)


def test_an_outcome_without_a_value_links_too(study: StudyRecord) -> None:
    cell = replace(study.cells["le-0.01-1"], tracking_url=f"{BASE}abc")
    page = render(replace(study, cells={**study.cells, cell.id: cell}))
    assert re.search(rf'<a class="run" href="{BASE}abc"><span class="outcome', page)
