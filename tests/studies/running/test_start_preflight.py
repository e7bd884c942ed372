"""What cannot be started from is told before a trial starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models.segmentation.settings import UNetSettings
from models.segmentation.unet import UNet
from studies.running.start_preflight import check_starts, starting_facts, starting_settings
from studies.running.starting import Starts, UnusableStartError
from studies.running.workspace import WorkspaceFolder
from studies.spec.schema import CellSettings, StudySpec
from studies.tree.learnt_data import learnt_data
from trackers.event_log import EventLog

MakeSpec = Callable[..., StudySpec]
SCENES = {"dataset": "street_scenes", "classes": ["car", "bus"], "image_size": 64}
SMALL = {"name": "unet", "base_channels": 2, "depth": 1}


class Said:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def update(self, snapshot: Any) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights of a network of one class, with the log of its training beside them."""
    file = tmp_path / "trial" / "best-4.pt"
    log = EventLog(file.parent / "events.jsonl")
    learnt = {"dataset": "street_scenes", "split": {"folds": 5, "fold": 2}}
    log.append("started", learnt=learnt_data(learnt))  # type: ignore[arg-type]  # JSON it is
    log.append("effective", classes=["background", "car"])
    log.close()
    network = UNet(UNetSettings.model_validate(SMALL), 1)
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture
def starts(tmp_path: Path) -> Starts:
    return Starts(WorkspaceFolder(tmp_path / "runs"))


@pytest.fixture
def study(make_spec: MakeSpec, weights: Path) -> Callable[..., StudySpec]:
    """Make a study with a stage that tries transfers from the weights: `study({…}, …)`."""

    def make(*transfers: dict[str, Any], **sections: Any) -> StudySpec:
        values = [None, *({"init_from": str(weights), **each} for each in transfers)]
        stage = {"stage": "start", "vary": {"training.transfer": values}}
        return make_spec(stage, **{"data": SCENES, "model": SMALL, **sections})

    return make


def test_weights_that_fit_are_told_once(
    study: Callable[..., StudySpec], starts: Starts, weights: Path
) -> None:
    view = Said()
    check_starts(study({}, {"mode": "feature_extractor"}), starts, view)
    assert view.lines == [f"training starts from {weights}: {weights}"]


def test_the_record_says_which_weights(
    study: Callable[..., StudySpec], starts: Starts, weights: Path
) -> None:
    ((name, fact),) = starting_facts(study({}), starts).items()
    assert name == f"weights of {weights}"
    assert fact.startswith("best-4.pt, SHA-256 ")


def test_classes_come_from_the_log_beside_a_file_or_from_the_study(
    study: Callable[..., StudySpec], starts: Starts, weights: Path
) -> None:
    known, named = starting_settings(study({}, {"classes": ["background", "bus"]}))
    for settings, names in ((known, ("background", "car")), (named, ("background", "bus"))):
        start = starts.find(settings)
        assert start is not None
        assert start.class_names == names
        assert start.file == weights
    assert starts.fingerprint(known) != starts.fingerprint(named)


def of_scenes(weights: Path, **data: Any) -> CellSettings:
    content = {"data": {**SCENES, **data}, "model": SMALL, "evaluation": {}}
    training = {"transfer": {"init_from": str(weights)}}
    return CellSettings.model_validate({**content, "training": training})


def test_folds_do_not_start_from_a_file_that_saw_their_validation(
    starts: Starts, weights: Path
) -> None:
    message = starts.complaint(of_scenes(weights, folds=5), "more")
    assert message is not None
    assert message.startswith("data.folds: 5 validates on every image of dataset 'street_scenes'")


def test_a_single_fold_starts_from_the_same_cut_alone(starts: Starts, weights: Path) -> None:
    assert starts.complaint(of_scenes(weights, split={"folds": 5, "fold": 2}), "more") is None
    message = starts.complaint(of_scenes(weights, split={"folds": 5, "fold": 3}), "more")
    assert message is not None
    assert message.startswith("data.split validates on fold 3 of dataset 'street_scenes', and '")


def test_weights_of_unknown_or_other_data_serve_folds(starts: Starts, weights: Path) -> None:
    other = {"dataset": "camvid", "root": "elsewhere", "folds": 5}
    assert starts.complaint(of_scenes(weights, **other), "more") is None
    (weights.parent / "events.jsonl").unlink()
    again = Starts(starts.workspace)
    assert again.complaint(of_scenes(weights, folds=5), "more") is None


def test_a_folder_is_the_same_however_it_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    roots = {
        learnt_data({"dataset": "camvid", "root": str(root)})["root"]
        for root in ("data", "link", "./data/", tmp_path / "link")
    }
    assert roots == {str((tmp_path / "data").resolve())}


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        ({"freeze_to": "merg"}, "unknown layer 'merg' in freeze_to; did you mean 'merge'?"),
        ({"learning_rate_factors": {"donw": 0.1}}, "'donw' in learning_rate_factors; did you"),
    ],
)
def test_unknown_layers_are_told(
    transfer: dict[str, Any], message: str, study: Callable[..., StudySpec], starts: Starts
) -> None:
    with pytest.raises(UnusableStartError, match=message):
        check_starts(study({}, transfer), starts, Said())


def test_weights_of_a_network_of_other_settings_are_told(
    study: Callable[..., StudySpec], starts: Starts
) -> None:
    wider = {**SMALL, "base_channels": 4}
    with pytest.raises(UnusableStartError, match=r"training.transfer: .*best-4.pt: weights must"):
        check_starts(study({}, model=wider), starts, Said())


def test_models_that_a_stage_varies_are_tried_too(
    make_spec: MakeSpec, weights: Path, starts: Starts
) -> None:
    spec = make_spec(
        {"stage": "width", "vary": {"model.base_channels": [2, 4]}},
        data=SCENES,
        model=SMALL,
        training={"transfer": {"init_from": str(weights)}},
    )
    with pytest.raises(UnusableStartError, match=r"down\.0\.0\.weight of"):
        check_starts(spec, starts, Said())


def test_layers_that_nothing_is_put_into_must_learn(make_spec: MakeSpec, starts: Starts) -> None:
    """Also where the published weights are not there: for which layers they are is known."""
    values = [None, {"freeze_to": "classify"}]
    spec = make_spec(
        {"stage": "start", "vary": {"training.transfer": values}},
        data={**SCENES, "normalize": "imagenet"},
        model={"name": "segnet", "pretrained": "imagenet"},
    )
    with pytest.raises(UnusableStartError, match=r"but decoder\..* are new; use mode fine_tuning"):
        check_starts(spec, starts, Said())


def test_published_weights_that_do_not_fit_the_last_layers_are_not_scored_as_they_are(
    make_spec: MakeSpec, starts: Starts
) -> None:
    spec = make_spec(
        {"stage": "rate", "vary": {"training.learning_rate": [0.1]}},
        task="object_detection",
        data=SCENES,
        model={"name": "yolov3_tiny", "pretrained": "coco", "priors": [[9, 9], [20, 20]]},
        objective={"metric": "val/ap50"},
        training={"epochs": 0},
    )
    with pytest.raises(UnusableStartError, match=r"training.epochs: 0 epochs .* would be random"):
        check_starts(spec, starts, Said())


def test_without_transfer_nothing_is_looked_at(make_spec: MakeSpec, starts: Starts) -> None:
    spec = make_spec({"stage": "rate", "vary": {"training.learning_rate": [0.1]}})
    assert list(starting_settings(spec)) == []
    assert starting_facts(spec, starts) == {}


def test_damaged_log_beside_a_file_is_told(
    study: Callable[..., StudySpec], starts: Starts, weights: Path
) -> None:
    (weights.parent / "events.jsonl").write_text("[]\n")
    with pytest.raises(UnusableStartError, match="but the log beside it is damaged"):
        starting_facts(study({}), starts)


def test_the_single_network_beside_those_of_classes_is_tried_too(
    make_spec: MakeSpec, weights: Path
) -> None:
    spec = make_spec(
        {"stage": "rate", "vary": {"training.learning_rate": [0.1]}},
        data={**SCENES, "one_model_per_class": True},
        model=SMALL,
        training={"transfer": {"init_from": str(weights)}},
        assembly={"single_network": True},
    )
    tried = [settings.data.classes for settings in starting_settings(spec)]
    assert [list(classes) for classes in tried] == [["car"], ["bus"], ["car", "bus"]]
