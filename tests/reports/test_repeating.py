"""What is needed to repeat a study, on its page."""

from dataclasses import replace

from reports.tables.environment import environment
from reports.tables.repeating import needs, versions_of
from trackers.records import StudyRecord

FACTS = {
    "torch": "2.15.0+cpu",
    "numpy": "2.4.6",
    "mlflow": "not installed",
    "python": "3.11.7",
    "git_commit": "dea747fee1a3-dirty",
    "data_fingerprint": "b8cd",
    "weights of study:base": "best-3.pt, SHA-256 0123abcd",
}


def test_versions_are_those_that_pip_knows(study: StudyRecord) -> None:
    study = replace(study, environment=FACTS)
    assert versions_of(study) == {"torch": "2.15.0", "numpy": "2.4.6"}
    assert ".venv/bin/pip install torch==2.15.0 numpy==2.4.6" in environment(study).commands


def test_the_checklist_names_code_data_weights_seeds_and_devices(study: StudyRecord) -> None:
    had = {each.what: each.had for each in needs(replace(study, environment=FACTS))}
    assert had["code"] == "dea747fee1a3-dirty"
    assert had["packages"] == "Python 3.11.7, torch 2.15.0, numpy 2.4.6"
    assert had["hash of the files of the data"] == "b8cd"
    assert had["weights of study:base"] == "best-3.pt, SHA-256 0123abcd"
    assert had["seeds"] == "0, 1 and 2"
    assert had["devices"] == ", ".join(
        sorted({t.device for cell in study.cells.values() for t in cell.trials})
    )


def test_what_is_not_known_is_not_listed(study: StudyRecord) -> None:
    bare = replace(study, environment={}, cells={}, base={})
    assert needs(bare) == ()


def test_the_commands_end_with_the_check_of_the_report(study: StudyRecord) -> None:
    assert environment(replace(study, name="it's")).commands[-1] == (
        "visionstudy verify runs/studies/'it'\"'\"'s'/report.html"
    )
