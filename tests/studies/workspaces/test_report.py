"""`visionstudy report`: the launch's report, written again."""

from collections.abc import Callable
from typing import Any

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
