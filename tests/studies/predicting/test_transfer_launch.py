"""A study that starts from what another one found, launched as always."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from ruamel.yaml import YAML

from studies.running.executors import Placement
from studies.running.launch import LaunchResult, launch
from studies.running.same_study import StudyChangedError
from studies.running.starting import Starts, UnusableStartError
from studies.running.views import PlainView
from studies.running.workspace import WorkspaceFolder, open_workspace
from studies.spec.load import load_study
from studies.spec.schema import CellSettings
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study
from trackers.memory_tracker import MemoryTracker
from trackers.records import Outcome, StudyRecord

pytestmark = pytest.mark.slow
SCENES = "study:scenes"  # of conftest: a network each for cars and buses


def settings(classes: list[str], source: str = SCENES) -> CellSettings:
    content = {
        "data": {"dataset": "street_scenes", "classes": classes},
        "model": {"name": "unet"},
        "training": {"transfer": {"init_from": source}},
        "evaluation": {},
    }
    return CellSettings.model_validate(content)


class TestFinding:
    @pytest.fixture
    def starts(self, launched: Path) -> Starts:
        return Starts(WorkspaceFolder(launched))

    @pytest.mark.parametrize("name", ["car", "bus"])
    def test_a_network_of_one_class_starts_from_that_of_its_class(
        self, name: str, starts: Starts
    ) -> None:
        start = starts.find(settings([name]))
        assert start is not None
        assert start.class_names == ("background", name)
        assert start.file.is_file()
        assert len(start.sha256) == 64

    def test_a_network_of_all_classes_must_name_a_cell(self, starts: Starts) -> None:
        wanted = settings(["car", "bus"])
        with pytest.raises(UnusableStartError) as caught:
            starts.find(wanted)
        assert str(caught.value) == (
            "'study:scenes' stands for a network per class, of car, bus, and a network of car, "
            "bus can start from one alone; name its cell as study:scenes/CELL"
        )
        assert starts.complaint(wanted, "more") == str(caught.value)

    def test_a_cell_is_found_by_its_id(self, starts: Starts, launched: Path) -> None:
        ledger = Ledger(launched / "workspace.db")
        cell = ledger.cells("scenes")[0]
        ledger.close()
        start = starts.find(settings(["car", "bus"], f"{SCENES}/{cell['id']}"))
        assert start is not None
        assert start.class_names == ("background", cell["grp"])

    def test_unknown_study_is_told_with_what_was_meant(self, starts: Starts) -> None:
        message = starts.complaint(settings(["car"], "study:scene"), "more")
        assert message is not None
        assert message.startswith("unknown study 'scene'; did you mean 'scenes'?")

    def test_folds_do_not_start_from_what_saw_their_validation(self, starts: Starts) -> None:
        wanted = settings(["car"])
        folded = wanted.model_copy(update={"data": wanted.data.model_copy(update={"folds": 5})})
        message = starts.complaint(folded, "more")
        assert message is not None
        assert message.startswith("data.folds: 5 validates on every image of dataset")
        assert starts.complaint(wanted, "more") is None

    def test_a_study_does_not_start_from_itself(self, starts: Starts) -> None:
        assert starts.complaint(settings(["car"]), "scenes") == (
            "a study cannot start from itself; name another than 'scenes'"
        )


@pytest.fixture(scope="module")
def workspace(launched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the workspace with the finished study of scenes."""
    return Path(shutil.copytree(launched, tmp_path_factory.mktemp("transfer") / "runs"))


@pytest.fixture(scope="module")
def study(launched: Path) -> dict[str, Any]:
    """Return a study that adds people to cars, from scratch and from the cars' network."""
    ledger = Ledger(launched / "workspace.db")
    row = next(row for row in ledger.cells("scenes") if row["grp"] == "car")
    ledger.close()
    return {
        "study": "more",
        "task": "semantic_segmentation",
        "data": {**row["settings"]["data"], "classes": ["person", "car"]},
        "model": row["settings"]["model"],
        "training": {
            "learning_rate": 1e-2,
            "batch_size": 4,
            "epochs": 1,
            "transfer": {"init_from": f"{SCENES}/{row['id']}"},
        },
        "objective": {"metric": "val/iou"},
        "search": {
            "tree": [
                {
                    "stage": "start",
                    "vary": {
                        "training.transfer": [
                            None,
                            {"init_from": f"{SCENES}/{row['id']}", "mode": "feature_extractor"},
                        ]
                    },
                },
                {
                    "stage": "untrained",
                    "vary": {"training.epochs": [0]},
                    "with": {"training.transfer": {"init_from": f"{SCENES}/{row['id']}"}},
                },
            ]
        },
        "weights": "all",
    }


@pytest.fixture(scope="module")
def run(
    workspace: Path, study: dict[str, Any]
) -> Callable[[], tuple[LaunchResult, StudyRecord, str]]:
    """Return a function that launches the study and returns its end, record and view."""

    def launch_it() -> tuple[LaunchResult, StudyRecord, str]:
        file = workspace.parent / "more.yaml"
        YAML().dump(study, file)
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VISIONSTUDY_WORKSPACE", str(workspace))
            place = open_workspace(workspace)
            loaded = load_study(file, find_start=Starts(place).complaint)
            view = PlainView(Console(file=said, width=400))
            result = launch(
                loaded, place, placement=Placement(workers=1), tracker=MemoryTracker(), view=view
            )
        ledger = Ledger(place.ledger_file)
        try:
            return result, read_study(ledger, workspace, "more"), said.getvalue()
        finally:
            ledger.close()

    return launch_it


@pytest.fixture(scope="module")
def outcome(
    run: Callable[[], tuple[LaunchResult, StudyRecord, str]],
) -> tuple[LaunchResult, StudyRecord, str]:
    return run()


def test_second_study_takes_the_weights_of_the_first_along(
    outcome: tuple[LaunchResult, StudyRecord, str],
) -> None:
    result, record, said = outcome
    assert result.end.is_finished, result.end.note
    assert [cell.outcome for cell in record.cells.values()] == [Outcome.COMPLETE] * 3
    scratch, transfer, untrained = (
        cell.trials[-1].effective["transfer"] for cell in record.cells.values()
    )
    assert scratch is None
    assert transfer == untrained
    assert isinstance(transfer, dict)
    assert transfer["classes"] == {"carried": ["car"], "new": ["person"], "left_over": []}
    assert said.count("training starts from study:scenes/") == 1
    assert any(name.startswith("weights of study:scenes/") for name in record.environment)


def test_feature_extractor_keeps_all_but_the_last_layer_as_it_was(
    outcome: tuple[LaunchResult, StudyRecord, str], workspace: Path
) -> None:
    _, record, _ = outcome
    _, tuned, untrained = record.cells.values()
    folders = [workspace / cell.trials[-1].folder for cell in (tuned, untrained)]
    after, before = (torch.load(next(folder.glob("best-*.pt"))) for folder in folders)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed <= {"classify.weight", "classify.bias"}


def test_cell_without_epochs_is_scored_and_reported(
    outcome: tuple[LaunchResult, StudyRecord, str],
) -> None:
    result, record, _ = outcome
    untrained = list(record.cells.values())[-1]
    assert untrained.best_epoch == 0
    assert untrained.epochs == ()
    assert "val/iou" in untrained.metrics
    page = result.report.read_text(encoding="utf-8")
    assert "no transfer" in page
    assert ", feature extractor" in page


def test_a_second_launch_has_nothing_left_to_do(
    outcome: tuple[LaunchResult, StudyRecord, str],
    run: Callable[[], tuple[LaunchResult, StudyRecord, str]],
) -> None:
    _, before, _ = outcome
    result, record, _ = run()
    assert result.end.is_finished
    assert set(record.cells) == set(before.cells)
    assert all(len(cell.trials) == 1 for cell in record.cells.values())


def test_weights_that_became_others_are_refused_where_cells_were_measured_with_them(
    outcome: tuple[LaunchResult, StudyRecord, str],
    run: Callable[[], tuple[LaunchResult, StudyRecord, str]],
    workspace: Path,
    study: dict[str, Any],
) -> None:
    assert outcome[0].end.is_finished
    start = Starts(WorkspaceFolder(workspace)).find(
        settings(["car"], study["training"]["transfer"]["init_from"])
    )
    assert start is not None
    kept = start.file.read_bytes()
    weights = torch.load(start.file)
    torch.save({name: value + 1 for name, value in weights.items()}, start.file)
    try:
        with pytest.raises(StudyChangedError, match=r"refused +\(weights of study:scenes/"):
            run()
    finally:
        start.file.write_bytes(kept)
