"""`visionstudy report`: the launch's report, written again."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from studies.running.views import PlainView

Office = Any  # of conftest.py, which cannot be imported


def test_a_report_that_is_written_again_has_all_that_the_launch_s_had(
    empty_office: Callable[..., Office], study: dict[str, Any]
) -> None:
    vary = {
        "training.learning_rate": [1e-1, 1e-2, 1e-3, 1e-4],
        "training.batch_size": [1, 2, 4],
    }
    study["search"] = {"tree": [{"stage": "grid", "vary": vary}]}
    study["model"]["faults"] = []
    office = empty_office(study)
    office.launch()
    file = office.place.report("demo")
    launched = file.read_text()
    office.ask("report", "demo")

    assert "fANOVA" in launched
    assert file.read_text().count("fANOVA") == launched.count("fANOVA")


def test_a_defect_of_the_report_ends_no_launch(
    empty_office: Callable[..., Office], study: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("math domain error")

    study["model"]["faults"] = []
    office = empty_office(study)
    said = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("studies.running.launch.write_report", broken)
        office.launch(view=PlainView(Console(file=said, width=200)))

    assert "the report could not be written; everything else is kept" in said.getvalue()
    assert "math domain error" in said.getvalue()
    assert office.told("status", "demo")["is_finished"]
    office.ask("report", "demo")
    assert office.place.report("demo").is_file()
