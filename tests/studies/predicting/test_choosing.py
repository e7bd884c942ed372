"""A name stands for the right networks, or the message says why for none."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from studies.predicting.choosing import ChosenRun, UnusableRunError, choose_run
from studies.tree.ledger import Ledger
from trackers.records import Outcome

pytestmark = pytest.mark.slow
Choose = Callable[[str], ChosenRun]


@pytest.fixture
def ledger(launched: Path) -> Ledger:
    return Ledger(launched / "workspace.db")


def test_a_study_stands_for_each_classes_winner_of_the_last_stage(
    choose: Choose, ledger: Ledger
) -> None:
    run = choose("scenes")
    [decision] = ledger.stage_records("scenes")[-1].decisions
    [winner] = [
        each
        for each in ledger.stage_records("scenes")[-1].configurations
        if each.id == decision.winners[0]
    ]

    assert run.class_names == ("background", "car", "bus")
    assert [member.group for member in run.members] == ["car", "bus"]
    assert {member.cell for member in run.members} == set(winner.cells)
    assert {member.role for member in run.members} == {"winner of stage 'threshold'"}
    assert run.notes == ()


def test_a_rescored_cell_has_its_own_threshold_and_its_sources_weights(
    choose: Choose, ledger: Ledger
) -> None:
    rescored = [row for row in ledger.cells("scenes") if row["source"]]
    for row in rescored:
        [member] = choose(f"scenes/{row['id']}").members
        assert member.trained == row["source"]
        assert member.settings.evaluation.threshold == row["settings"]["evaluation"]["threshold"]
        assert member.class_names == ("background", row["grp"])
    assert rescored


def test_the_first_digits_of_a_cell_will_do(choose: Choose, ledger: Ledger) -> None:
    cell = ledger.cells("scenes")[0]["id"]
    assert choose(f"scenes/{cell[:6]}").members[0].cell == cell


def test_an_mlflow_run_stands_for_its_cell(launched: Path, ledger: Ledger) -> None:
    cell = ledger.cells("scenes")[0]["id"]
    run_id = "0123456789abcdef" * 2
    found = choose_run(ledger, launched, run_id, find_run={run_id: ("scenes", cell)}.get)
    assert found.members[0].cell == cell


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("scene", r"unknown study 'scene'; did you mean 'scenes'\?.*--workspace it ran in"),
        ("scenes/0", r"unknown cell of study 'scenes' '0'"),
        ("f" * 32, "MLflow holds no cell's run of id ffff.*--tracking-uri"),
    ],
)
def test_an_unknown_run_says_what_there_is(choose: Choose, run: str, words: str) -> None:
    with pytest.raises(UnusableRunError, match=words):
        choose(run)


@pytest.fixture
def copy(launched: Path, tmp_path: Path) -> Path:
    """Return a copy of the workspace that may be spoiled."""
    return shutil.copytree(launched, tmp_path / "runs", ignore=shutil.ignore_patterns("cache"))


def in_copy(copy: Path, run: str) -> ChosenRun:
    ledger = Ledger(copy / "workspace.db")
    try:
        return choose_run(ledger, copy, run, find_run=lambda _: None)
    finally:
        ledger.close()


def test_a_cell_without_weights_says_how_to_have_them(copy: Path) -> None:
    cell = in_copy(copy, "scenes").members[0]
    for file in copy.glob(f"studies/scenes/trials/{cell.trained}-*/best-*.pt"):
        file.unlink()
    words = f"cell scenes/{cell.cell} has no weights any more .*`weights: winners`.*weights=all"
    with pytest.raises(UnusableRunError, match=words):
        in_copy(copy, f"scenes/{cell.cell}")


def test_a_scored_assembly_has_its_own_members_and_threshold(copy: Path) -> None:
    winner = in_copy(copy, "scenes")
    members = {member.group: member.trained for member in winner.members}
    ledger = Ledger(copy / "workspace.db")
    row = {"id": "ab12", "seed": 0, "members": members, "single": None, "folder": "assembly"}
    ledger.plan_assemblies("scenes", [row])
    assert in_copy(copy, "scenes") == winner  # planned, and not scored yet
    scores = {"scores": {"assembly": {"threshold": 0.35}}}
    ledger.save_assembly("scenes", "ab12", outcome=str(Outcome.COMPLETE), scores=scores)
    ledger.close()

    run = in_copy(copy, "scenes")
    assert {member.group: member.cell for member in run.members} == members
    assert {member.threshold for member in run.members} == {0.35}
    assert {member.role for member in run.members} == {"of assembly ab12"}
    assert run.class_names == winner.class_names


def test_an_assembly_that_is_no_longer_planned_is_not_taken(copy: Path) -> None:
    winner = in_copy(copy, "scenes")
    members = {member.group: member.trained for member in winner.members}
    ledger = Ledger(copy / "workspace.db")
    row = {"id": "ab12", "seed": 0, "members": members, "single": None, "folder": "assembly"}
    ledger.plan_assemblies("scenes", [row])
    scores = {"scores": {"assembly": {"threshold": 0.35}}, "images": {"val": 2, "test": 2}}
    ledger.save_assembly("scenes", "ab12", outcome=str(Outcome.COMPLETE), scores=scores)
    ledger.plan_assemblies("scenes", [])
    assert ledger.assembly_looks("scenes") == 1  # it was scored all the same
    ledger.close()

    assert in_copy(copy, "scenes") == winner


def test_an_undecided_stage_is_said_and_the_last_decided_one_taken(copy: Path) -> None:
    ledger = Ledger(copy / "workspace.db")
    rate, threshold = ledger.stage_records("scenes")
    undecided = replace(threshold, decisions=(), configurations=())
    ledger.plan("scenes", (), (rate, undecided))
    ledger.close()

    run = in_copy(copy, "scenes")
    assert {member.role for member in run.members} == {"winner of stage 'learning rate'"}
    assert run.notes == ("stage 'threshold' is not decided; using the winner of 'learning rate'",)


def test_a_study_without_a_decision_has_no_winner(copy: Path) -> None:
    ledger = Ledger(copy / "workspace.db")
    ledger.plan("scenes", (), ())
    ledger.close()
    with pytest.raises(UnusableRunError, match=r"no stage is; launch it to its end, or name"):
        in_copy(copy, "scenes")
