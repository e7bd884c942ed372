"""What a training starts from must be there; what of it learns must be said so that it counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.spec.load import LoadedStudy, load_study
from studies.spec.problems import StudyFileError
from studies.spec.schema import CellSettings
from studies.spec.settings import fingerprint, with_changes
from studies.spec.start_checks import find_nothing, start_fault

Heads = Callable[..., list[str]]
DOCS = Path(__file__).parents[3] / "docs" / "transfer.md"
TRAINING = "training: {epochs: 2}"
RATES = "training.learning_rate: [1e-3, 1e-4]"
MODEL = "model: {name: unet, base_channels: 8}"
NOOP = "model: {name: noop}"
UNTRAINED = (
    "0 epochs score the weights that a network starts from, and these are random; set "
    "training.transfer.init_from or model.pretrained, or train for at least 1 epoch"
)


def transfer(text: str) -> str:
    return f"training: {{epochs: 2, transfer: {text}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{}",
            "5:23: training.transfer: transfer must say what to start from (init_from) or which "
            "weights learn (mode, freeze_to, learning_rate_factors); fill it in, or write null",
        ),
        (
            "{init_from: 'study:'}",
            "5:45: training.transfer.init_from: init_from must name a study after study:, got "
            "'study:'",
        ),
        (
            "{init_from: 'study:a', classes: [car]}",
            "5:65: training.transfer.classes: classes says what the labels of a file's weights "
            "mean, and has no effect with init_from study:a; remove it",
        ),
        (
            "{init_from: 'study:a', mode: feature_extractor, freeze_to: up}",
            "5:92: training.transfer.freeze_to: freeze_to has no effect with mode "
            "'feature_extractor', where the last layers alone learn; remove it, or use mode "
            "'fine_tuning'",
        ),
        (
            "{init_from: 'study:a', mode: fine_tunning}",
            "5:62: training.transfer.mode: must be one of fine_tuning, feature_extractor; got "
            "'fine_tunning'; did you mean 'fine_tuning'?",
        ),
        (
            "{init_from: 'study:a', learning_rate_factors: {up: 0}}",
            "5:84: training.transfer.learning_rate_factors.up: must be greater than 0, got 0",
        ),
        (
            "{init_form: 'study:a', mode: feature_extractor}",
            "5:34: training.transfer.init_form: unknown key 'init_form'; "
            "did you mean 'init_from'?",
        ),
        (
            "{mode: feature_extractor}",
            "5:33: training.transfer: transfer needs trained weights; name a study or a file in "
            "init_from, or set model.pretrained",
        ),
    ],
)
def test_transfer_that_cannot_take_effect_is_told(
    text: str, message: str, problems_after: Heads
) -> None:
    assert problems_after(TRAINING, transfer(text)) == [message]


def test_missing_file_is_told_with_its_line(problems_after: Heads) -> None:
    (message,) = problems_after(TRAINING, transfer("{init_from: best.pt}"))
    assert message == (
        f"5:45: training.transfer.init_from: no file of weights 'best.pt' (seen from {Path.cwd()})"
        "; correct the path, or name a study of the workspace as study:NAME"
    )


def test_missing_file_of_a_stage_is_told_at_its_value(problems_after: Heads) -> None:
    (message,) = problems_after(RATES, "training.transfer: [null, {init_from: best.pt}]")
    assert message.startswith("10:40: search.tree.0.vary.training.transfer.1: no file of weights")


def test_a_stage_may_try_transfer_beside_training_from_scratch(
    load: Callable[[str], LoadedStudy], study_text: str
) -> None:
    tried = "training.transfer: [null, {init_from: 'study:first'}, {init_from: 'study:second'}]"
    spec = load(study_text.replace(RATES, tried)).spec
    assert len(spec.search.tree[0].vary["training.transfer"]) == 3  # type: ignore[arg-type]


def test_model_without_a_network_has_nothing_to_start_from(
    problems: Heads, study_text: str
) -> None:
    text = study_text.replace(MODEL, NOOP).replace(TRAINING, transfer("{init_from: 'study:a'}"))
    assert problems(text) == [
        "5:33: training.transfer: model 'noop' has a trainer of its own, which starts from "
        "nothing; remove transfer"
    ]


class TestNoEpochs:
    def test_random_weights_are_not_worth_scoring(self, problems_after: Heads) -> None:
        message = f"5:20: training.epochs: {UNTRAINED}"
        assert problems_after(TRAINING, "training: {epochs: 0}") == [message]

    def test_a_stage_is_told_so_too(self, problems_after: Heads) -> None:
        message = f"10:32: search.tree.0.vary.training.epochs.0: {UNTRAINED}"
        assert problems_after(RATES, "training.epochs: [0, 1]") == [message]

    @pytest.mark.parametrize(
        ("model", "pretrained"),
        [("faster_rcnn_resnet", "imagenet"), ("mask_rcnn", "coco"), ("unet_encoder", "imagenet")],
    )
    def test_pretrained_weights_without_the_last_layers_are_not_either(
        self, model: str, pretrained: str
    ) -> None:
        fault = start_fault(self.untrained(model, pretrained), "s", find_nothing)
        assert fault is not None
        assert fault.path == "training.epochs"
        assert f"'{pretrained}' has none for the last layers of '{model}'" in fault.message

    @pytest.mark.parametrize(
        ("model", "pretrained"),
        [("faster_rcnn_resnet", "coco"), ("yolov2", "voc"), ("rcnn", "imagenet")],
    )
    def test_those_that_know_classes_or_are_fitted_are(self, model: str, pretrained: str) -> None:
        assert start_fault(self.untrained(model, pretrained), "s", find_nothing) is None

    def untrained(self, model: str, pretrained: str) -> CellSettings:
        return CellSettings.model_validate(
            {
                "model": {"name": model, "pretrained": pretrained},
                "data": {"dataset": "none"},
                "training": {"epochs": 0},
                "evaluation": {},
            }
        )

    @pytest.mark.parametrize("model", [MODEL, NOOP])
    def test_fewer_are_refused(self, model: str, problems: Heads, study_text: str) -> None:
        text = study_text.replace(MODEL, model).replace(TRAINING, "training: {epochs: -1}")
        assert problems(text) == ["5:20: training.epochs: must be at least 0, got -1"]

    def test_weights_to_start_from_are(
        self, load: Callable[[str], LoadedStudy], study_text: str
    ) -> None:
        text = "training: {epochs: 0, transfer: {init_from: 'study:first'}}"
        assert load(study_text.replace(TRAINING, text)).spec.training.epochs == 0


def test_runs_are_looked_for_where_a_workspace_is_known(tmp_path: Path, study_text: str) -> None:
    asked: list[tuple[str, str]] = []

    def find(settings: CellSettings, study: str) -> str | None:
        source = settings.training.transfer.init_from if settings.training.transfer else None
        asked.append((str(source), study))
        return f"nothing is known of {source}"

    file = tmp_path / "study.yaml"
    file.write_text(study_text.replace(TRAINING, transfer("{init_from: 'study:first'}")))
    with pytest.raises(StudyFileError) as caught:
        load_study(file, environ={}, find_start=find)
    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (5, "nothing is known of study:first")
    assert asked[0] == ("study:first", "demo")


def test_fingerprint_holds_the_weights_and_not_what_they_are_called() -> None:
    base = CellSettings.model_validate(
        {
            "data": {"dataset": "none"},
            "model": {"name": "unet"},
            "training": {"transfer": {"init_from": "study:first"}},
            "evaluation": {},
        }
    )
    other = with_changes(base, {"training.transfer.init_from": "elsewhere/best-3.pt"})

    def known(settings: CellSettings, start: str) -> str:
        return fingerprint(settings, seed=0, data="", start=start)

    assert known(base, "abc") == known(other, "abc")
    assert known(base, "abc") != known(base, "def")
    frozen = with_changes(base, {"training.transfer.freeze_to": "up"})
    assert known(base, "abc") != known(frozen, "abc")


def test_the_example_of_the_docs_is_in_order(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(DOCS.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0])
    spec = load_study(file, environ={"VOC_ROOT": "/nowhere"}, check_data=False).spec
    assert len(spec.search.tree[0].vary["training.transfer"]) == 5  # type: ignore[arg-type]
