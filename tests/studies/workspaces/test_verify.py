"""`visionstudy verify`, and reports of several studies."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

Office = Any  # of conftest.py, which cannot be imported


@pytest.fixture
def report(office: Office) -> Path:
    """Return the report that the launch wrote."""
    return office.place.report("demo")  # type: ignore[no-any-return]


def test_the_report_of_a_launch_is_what_the_records_say(office: Office, report: Path) -> None:
    told = office.ask("verify", str(report))
    assert re.search(r"all [\d,]+ sentences, cells and figures are what the records say", told)


def test_a_changed_number_ends_with_one_and_its_place(office: Office, report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    number = re.search(
        r'id="ledger-table".*?<td class="n" data-value="[^"]+">(0\.\d+)', page, re.S
    )
    assert number is not None
    altered = page[: number.start(1)] + "0.999" + page[number.end(1) :]
    report.write_text(altered, encoding="utf-8")

    told = office.ask("verify", str(report), exit_code=1)
    assert re.search(
        r"section 'Ledger', table 'Every planned cell.*column 'validation IoU': "
        rf"the report says 0.999, the records {number[1]}",
        told,
    )
    found = json.loads(office.result("verify", str(report), "--json").stdout)
    assert found["verdict"] == "differs"
    assert [each["told"] for each in found["differences"]] == ["0.999"]


def test_a_study_that_went_on_since_is_said_first(office: Office, report: Path) -> None:
    office.interrupt(learning_rate=1e-3)
    told = office.ask("verify", str(report), exit_code=2)
    assert told.startswith("cannot say: study 'demo' has gone on since the report: ")


def test_records_that_are_gone_cannot_say(office: Office, report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    report.write_text(page.replace('study" content="demo"', 'study" content="dem"'))
    assert "unknown study 'dem'" in office.ask("verify", str(report), exit_code=2)


def test_another_file_is_no_report(office: Office) -> None:
    told = office.ask("verify", str(office.file), exit_code=2)
    assert "a report must say which study it is of" in told


def test_a_report_of_several_studies_is_written_and_verified(office: Office) -> None:
    office.ask("fork", str(office.file), "--as", "other")
    told = office.ask("report", "demo", "other")
    file = office.place.comparison(["demo", "other"])
    assert told == f"report: {file}\n"
    assert "study &#39;other&#39; has settled on no single winner" in file.read_text()
    assert "are what the records say" in office.ask("verify", str(file))


def test_a_study_is_not_compared_with_itself(office: Office) -> None:
    told = office.ask("report", "demo", "demo", exit_code=2)
    assert "a study is compared with others, got 'demo' twice" in told
