"""A setting of a loss is refused where it has no effect."""

from typing import Any

import pytest
from pydantic import ValidationError

from models.settings import (
    LOSSES_OF_SETTINGS,
    SIGMOID_LOSSES,
    SOFTMAX_LOSSES,
    TrainingSettings,
)

VALUES: dict[str, Any] = {
    "focal_gamma": 2.0,
    "focal_alpha": 0.25,
    "class_weights": "median_frequency",
    "border_weight": {"of": "cell"},
}


def test_every_setting_of_a_loss_is_tried_here() -> None:
    assert set(VALUES) == set(LOSSES_OF_SETTINGS)


@pytest.mark.parametrize("loss", SIGMOID_LOSSES + SOFTMAX_LOSSES)
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
        TrainingSettings(focal_gamma=2)
    message = "border_weight .* 'dice'; .* 'bce', 'cross_entropy', 'focal' or 'softmax_focal'"
    with pytest.raises(ValidationError, match=message):
        TrainingSettings.model_validate({"loss": "dice", "border_weight": {}})


def test_border_weight_is_that_of_u_net_unless_told_otherwise() -> None:
    border = TrainingSettings.model_validate({"border_weight": {}}).border_weight
    assert border is not None
    assert (border.w0, border.sigma) == (10, 5)


@pytest.mark.parametrize("settings", [{"border_weight": {}}, {"class_weights": {"a car": 2.0}}])
def test_settings_survive_json(settings: dict[str, Any]) -> None:
    training = TrainingSettings.model_validate(settings)
    assert TrainingSettings.model_validate_json(training.model_dump_json()) == training
