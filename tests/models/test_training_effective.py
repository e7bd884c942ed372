from collections.abc import Callable
from typing import Any

import pytest
import torch

from models.settings import TrainingSettings
from models.training import train


def test_effective_configuration_is_read_back(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"optimizer": "sgd", "momentum": 0.5, "weight_decay": 1e-4})
    train(cell.session())
    effective = cell.effective[0]
    assert len(cell.effective) == 1
    expected = {
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.5,
        "weight_decay": 1e-4,
        "precision": "32-true",
        "batch_size": 2,
        "batch_shapes": [[2, 3, 8, 8]],
        "micro_batch": 2,
        "train_images": 5,
        "val_images": 3,
        "steps_per_epoch": 3,
        "resumed_from_epoch": 0,
        "classes": ["background", "bright square", "dark square"],
    }
    assert {name: effective[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 16}, r"data.image_size did not take effect: .* \[16, 16\], .* \[8, 8\]"),
        (
            {"training": TrainingSettings(batch_size=3)},
            "training.batch_size did not take effect: the study asks for 3, .* runs with 2",
        ),
    ],
)
def test_setting_that_did_not_take_effect_ends_the_trial(
    changes: dict[str, Any],
    message: str,
    attempts: Callable[..., Any],
    tiny_data: Callable[..., Any],
) -> None:
    class Stubborn(tiny_data):  # type: ignore[misc,valid-type]
        def training(self, batch_size: int) -> Any:  # noqa: ARG002
            return super().training(2)

    with pytest.raises(RuntimeError, match=message):
        train(attempts(data=Stubborn()).session(**changes))


def test_optimizer_that_ignores_its_settings_ends_the_trial(
    attempts: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(_: TrainingSettings, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=0.5)

    monkeypatch.setattr("models.workbench.build_optimizer", stubborn)
    with pytest.raises(RuntimeError, match=r"learning_rate did not take effect: .* 0.01, .* 0.5"):
        train(attempts().session())
