import pytest

from models.catalog import segmentation_channels
from models.settings import TrainingSettings


@pytest.mark.parametrize(
    ("loss", "names", "channels"),
    [
        ("bce", ("background", "car"), 1),
        ("bce", ("road", "car"), 2),
        ("cross_entropy", ("background", "car"), 2),
        ("cross_entropy", ("road", "car", "sky"), 3),
    ],
)
def test_background_has_a_channel_only_in_a_softmax(
    loss: str, names: tuple[str, ...], channels: int
) -> None:
    training = TrainingSettings.model_validate({"loss": loss})
    assert segmentation_channels(training, names) == channels
