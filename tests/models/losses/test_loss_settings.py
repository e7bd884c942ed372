"""A setting of a loss is refused where it has no effect."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from models.loss_settings import LOSSES_OF_SETTINGS, Loss
from models.settings import TrainingSettings

VALUES: dict[str, Any] = {
    "focal_gamma": 2.0,
    "focal_alpha": 0.25,
    "label_smoothing": 0.1,
    "huber_delta": 0.3,
    "triplet_weight": 0.5,
    "triplet_margin": 0.3,
    "mining": "semi_hard",
    "class_weights": "median_frequency",
    "border_weight": {"of": "cell"},
}


def test_every_setting_of_a_loss_is_tried_here() -> None:
    assert set(VALUES) == set(LOSSES_OF_SETTINGS)


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("name", VALUES)
def test_setting_is_taken_by_its_losses_alone(name: str, loss: str) -> None:
    given = {"loss": loss, name: VALUES[name]}
    if loss in LOSSES_OF_SETTINGS[name]:
        assert getattr(TrainingSettings.model_validate(given), name) is not None
    else:
        with pytest.raises(ValidationError, match=f"{name} has no effect with loss '{loss}'"):
            TrainingSettings.model_validate(given)


def test_refusal_names_the_losses_to_use() -> None:
    message = (
        "focal_gamma has no effect with loss 'bce'; remove it or use loss 'focal' or "
        "'softmax_focal'"
    )
    with pytest.raises(ValidationError, match=message):
        TrainingSettings(loss="bce", focal_gamma=2)
    message = "border_weight .* 'dice'; .* 'bce', 'cross_entropy', 'focal' or 'softmax_focal'"
    with pytest.raises(ValidationError, match=message):
        TrainingSettings.model_validate({"loss": "dice", "border_weight": {}})


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"loss": "dice", "class_weights": "median_frequency"}, "'focal' or 'softmax_focal'"),
        ({"loss": "mse", "focal_gamma": 1}, "use loss 'softmax_focal'"),
        ({"loss": "dice", "huber_delta": 0.3}, "use loss 'huber'"),
        ({"loss": "mse", "label_smoothing": 0.1}, "use loss 'cross_entropy' or 'triplet'"),
    ],
)
def test_refusal_names_losses_of_the_same_task(given: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=rf"{remedy} \["):
        TrainingSettings.model_validate(given)


def test_border_weight_is_that_of_u_net_unless_told_otherwise() -> None:
    border = TrainingSettings.model_validate({"border_weight": {}}).border_weight
    assert border is not None
    assert (border.w0, border.sigma) == (10, 5)


@pytest.mark.parametrize("settings", [{"border_weight": {}}, {"class_weights": {"a car": 2.0}}])
def test_settings_survive_json(settings: dict[str, Any]) -> None:
    training = TrainingSettings.model_validate(settings)
    assert TrainingSettings.model_validate_json(training.model_dump_json()) == training


def test_triplets_need_three_images_and_an_embedding_that_learns() -> None:
    with pytest.raises(ValidationError, match=r"batch_size of at least 3, .*; got 2"):
        TrainingSettings(loss="triplet", batch_size=2)
    extractor = {"init_from": "study:a", "mode": "feature_extractor"}
    with pytest.raises(ValidationError, match="no effect with transfer"):
        TrainingSettings.model_validate({"loss": "triplet", "transfer": extractor})
