"""What describes boxes: colours, and the paper's network."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.tracking.appearance import BUILDERS, Appearance, build_appearance
from models.tracking.appearance_network import AppearanceNetwork
from models.tracking.box_pictures import box_pictures
from models.tracking.settings import ColourAppearanceSettings, NetworkAppearanceSettings

SETTINGS = (ColourAppearanceSettings(), NetworkAppearanceSettings())
RANGES = [0, 180, 0, 256]  # of hue and saturation
BOXES = np.array([[0.0, 0.0, 20.0, 40.0], [25.0, 5.0, 45.0, 45.0], [-30.0, -30.0, -5.0, -5.0]])


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda each: each.name)
def describe(request: pytest.FixtureRequest) -> Appearance:
    return build_appearance(request.param)


def noise(height: int = 48, width: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def people() -> NDArray[np.uint8]:
    """Return a frame of grey: one in red and blue at 0, one in green and blue at 30."""
    frame = np.full((60, 60, 3), 128, np.uint8)
    frame[:30, :20], frame[30:, :20] = (200, 20, 20), (20, 20, 200)
    frame[:30, 30:50], frame[30:, 30:50] = (20, 200, 20), (20, 20, 200)
    return frame


def test_every_appearance_is_tested() -> None:
    assert {each.name for each in SETTINGS} == set(BUILDERS)


def test_descriptors_have_length_one_wherever_boxes_are(describe: Appearance) -> None:
    descriptors = describe(noise(), BOXES)
    assert descriptors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)
    assert describe(noise(), np.zeros((0, 4))).shape == (0, descriptors.shape[1])


def test_the_same_pixels_are_described_alike_wherever_they_are(describe: Appearance) -> None:
    frame = noise()
    frame[5:45, 40:60] = frame[:40, :20]
    there = np.array([[0.0, 0.0, 20.0, 40.0], [40.0, 5.0, 60.0, 45.0], [20.0, 0.0, 40.0, 40.0]])
    first, same, other = describe(frame, there)
    np.testing.assert_allclose(first, same, atol=1e-5)
    assert np.abs(first - other).max() > 1e-3


def test_descriptors_are_the_same_of_every_build() -> None:
    for settings in SETTINGS:
        first, second = (build_appearance(settings)(noise(), BOXES) for _ in range(2))
        assert np.array_equal(first, second)


def test_building_draws_no_random_numbers_of_others() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build_appearance(NetworkAppearanceSettings())
    assert torch.equal(torch.rand(1), expected)


def test_colours_tell_people_apart_and_know_them_in_another_size() -> None:
    describe = build_appearance(ColourAppearanceSettings())
    boxes = np.array([[0.0, 0.0, 20.0, 60.0], [30.0, 0.0, 50.0, 60.0]])
    first, second = describe(people(), boxes)
    assert first @ second == pytest.approx(0.5, abs=0.05)  # trousers alone are alike
    larger = np.repeat(np.repeat(people(), 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(describe(larger, 2 * boxes) @ first, [1, 0.5], atol=0.05)


def test_colours_in_another_order_are_another_description() -> None:
    describe = build_appearance(ColourAppearanceSettings())
    [up], [down] = (
        describe(np.ascontiguousarray(frame), np.array([[0.0, 0.0, 20.0, 60.0]]))
        for frame in (people(), people()[::-1])
    )
    assert up @ down < 0.1


def test_the_cosine_of_colours_is_the_coefficient_of_bhattacharyya() -> None:
    describe = build_appearance(ColourAppearanceSettings(bands=1))
    whole = np.array([[0.0, 0.0, 32.0, 64.0]])
    frames = [noise(64, 32, seed) // (seed + 1) for seed in (0, 1)]
    [first], [second] = (describe(frame, whole) for frame in frames)
    one, other = (
        cv2.calcHist([cv2.cvtColor(each, cv2.COLOR_RGB2HSV)], [0, 1], None, [8, 8], RANGES)
        for each in frames
    )
    distance = cv2.compareHist(one, other, cv2.HISTCMP_BHATTACHARYYA)  # sqrt(1 - coefficient)
    assert first @ second == pytest.approx(1 - distance**2, abs=1e-5)


def test_the_network_has_the_papers_parameters() -> None:
    with torch.device("meta"):
        network = AppearanceNetwork()
    assert sum(each.numel() for each in network.parameters()) == 2_800_864


def test_the_network_has_the_sizes_of_table_1() -> None:
    with torch.device("meta"):
        network = AppearanceNetwork()
        maps = network.stem(torch.empty(1, 3, 128, 64))
        sizes = [tuple(maps.shape[1:])]
        for block in network.blocks:
            maps = block(maps)
            sizes.append(tuple(maps.shape[1:]))
    assert sizes[:3] == [(32, 64, 32)] * 3
    assert sizes[3:] == [(64, 32, 16)] * 2 + [(128, 16, 8)] * 2


def test_a_box_is_described_the_same_alone_and_among_others() -> None:
    describe = build_appearance(NetworkAppearanceSettings(batch_size=2))
    together = describe(noise(), BOXES)
    alone = np.concatenate([describe(noise(), box[None]) for box in BOXES])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_weights_are_those_of_the_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = AppearanceNetwork().eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    describe = build_appearance(NetworkAppearanceSettings(weights=tmp_path / "weights.pt"))
    frame = noise(128, 64)
    picture = torch.from_numpy(frame).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        expected = network(picture).numpy()
    found = describe(frame, np.array([[0.0, 0.0, 64.0, 128.0]]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("content", [b"no weights", None])
def test_weights_of_something_else_are_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "weights.pt"
    if content is None:
        torch.save(torch.nn.Linear(2, 2).state_dict(), file)
    else:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="must hold the state dict of AppearanceNetwork"):
        build_appearance(NetworkAppearanceSettings(weights=file))
    with pytest.raises(ValueError, match="must hold the state dict of AppearanceNetwork"):
        build_appearance(NetworkAppearanceSettings(weights=tmp_path / "nowhere.pt"))


def test_what_is_cut_out_of_a_frame_is_what_is_in_the_box() -> None:
    frame = noise()
    [cut] = box_pictures(frame, np.array([[3.0, 5.0, 19.0, 37.0]]), (32, 16))
    assert np.array_equal(cut, frame[5:37, 3:19])
    [corner] = box_pictures(frame, np.array([[60.0, 40.0, 99.0, 99.0]]), (8, 4))
    assert np.array_equal(corner, frame[40:, 60:])


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match=r"frame must be \(h, w, 3\) uint8, got \(4, 4\)"):
        box_pictures(np.zeros((4, 4), np.uint8), BOXES, (8, 4))
