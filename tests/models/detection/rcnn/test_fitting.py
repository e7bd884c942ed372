from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.detection.detector import padded
from models.detection.outputs import Target, Targets
from models.detection.rcnn.examples import (
    HARD,
    Pool,
    class_overlaps,
    first_examples,
    hard_examples,
)
from models.detection.rcnn.fitting import fit_regressors, fit_svms
from models.detection.rcnn.linear_models import (
    CONSTANT,
    LENGTH,
    TRUE_WEIGHT,
    Floats,
    fit_boxes,
    fit_svm,
)
from models.detection.rcnn.network import PIXELS, RCNN, build_rcnn
from models.detection.rcnn.settings import RCNNSettings


def cloud(count: int, centre: float, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, 6)) + centre).astype(np.float32)


class TestSvm:
    def test_no_other_border_is_better(self) -> None:
        """The loss is convex, so a minimum among small changes is the minimum."""
        objects, background, cost = cloud(30, 0.8, 1), cloud(90, 0.0, 2), 0.05
        weights, constant = fit_svm(objects, background, cost)

        def loss(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
            inside = np.maximum(0, 1 - objects @ values[:-1] - values[-1]).sum()
            outside = np.maximum(0, 1 + background @ values[:-1] + values[-1]).sum()
            length = np.square(values[:-1]).sum() + (values[-1] / CONSTANT) ** 2
            return float(length / 2 + cost * (TRUE_WEIGHT * inside + outside))

        found = np.append(weights[0], constant)
        generator = np.random.default_rng(3)
        others = found + 0.02 * generator.normal(size=(400, 7))
        assert loss(found) <= min(loss(each) for each in others) + 1e-3
        assert loss(found) < 0.9 * loss(np.zeros(7))

    @pytest.mark.parametrize(("objects", "background"), [(0, 5), (5, 0)])
    def test_without_both_sides_nothing_is_ever_found(self, objects: int, background: int) -> None:
        weights, constant = fit_svm(cloud(objects, 1, 1), cloud(background, 0, 2), 1.0)
        assert weights.shape == (1, 6)
        assert constant == -np.inf

    def test_same_examples_give_the_same_border(self) -> None:
        pair = cloud(20, 0.3, 4), cloud(40, 0.0, 5)
        first, second = (fit_svm(*pair, 0.1) for _ in range(2))
        assert np.array_equal(first[0], second[0])


class TestBoxRegression:
    def test_weights_are_those_of_the_closed_form(self) -> None:
        features, generator = cloud(50, 2.0, 1), np.random.default_rng(2)
        deltas = generator.normal(size=(50, 4)).astype(np.float32)
        weights, constants = fit_boxes(features, deltas, 7.0)
        centred, wanted = features - features.mean(axis=0), deltas - deltas.mean(axis=0)
        solved = np.linalg.solve(centred.T @ centred + 7 * np.eye(6), centred.T @ wanted)
        np.testing.assert_allclose(weights, solved.T, rtol=1e-3, atol=1e-5)
        expected = deltas.mean(axis=0) - features.mean(axis=0) @ solved
        np.testing.assert_allclose(constants, expected, rtol=1e-3, atol=1e-4)

    def test_without_an_example_boxes_stay(self) -> None:
        weights, constants = fit_boxes(cloud(0, 0, 1), np.zeros((0, 4), np.float32), 1.0)
        assert not weights.any()
        assert not constants.any()


@pytest.mark.parametrize("case", range(30))
def test_pool_holds_the_rows_with_the_greatest_keys(case: int) -> None:
    generator = np.random.default_rng(case)
    most = int(generator.integers(1, 12))
    pool, everything = Pool(most, 2, others=1), []
    for _ in range(5):
        count = int(generator.integers(0, 9))
        keys = generator.permutation(1000)[:count] / 1000 + generator.random()
        features = generator.random((count, 2)).astype(np.float32)
        pool.add(features, features.sum(axis=1, keepdims=True), keys)
        everything += list(zip(keys.tolist(), features.tolist(), strict=True))
    best = sorted(everything, reverse=True)[:most]
    assert pool.count == len(best)
    assert sorted(pool.features.tolist()) == sorted(features for _, features in best)
    np.testing.assert_allclose(pool.others[:, 0], pool.features.sum(axis=1), rtol=1e-6)


def test_overlap_with_a_class_is_the_greatest_with_any_of_its_objects() -> None:
    target: Target = {
        "boxes": torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 60, 60]]),
        "labels": torch.tensor([3, 3, 1]),
    }
    overlaps = class_overlaps(torch.tensor([[0.0, 0.0, 10.0, 16.0]]), target, 3)
    assert overlaps.tolist() == [[0.0, 0.0, pytest.approx(0.8)]]
    nothing: Target = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()}
    assert class_overlaps(torch.ones(2, 4), nothing, 3).tolist() == [[0, 0, 0]] * 2


SIDE = 64
PLACES = ((6, 8, 30, 34), (28, 24, 58, 60))


def scene(seed: int) -> tuple[Tensor, Target]:
    """A red and a green rectangle on noise."""
    generator = torch.Generator().manual_seed(seed)
    image = 0.1 * torch.rand(3, SIDE, SIDE, generator=generator) - 0.7
    boxes = torch.tensor(PLACES) + torch.randint(-4, 4, (2, 1), generator=generator)
    for channel, (left, top, right, bottom) in enumerate(boxes.tolist()):
        image[channel, top:bottom, left:right] += 1.2
    return image, {"boxes": boxes.float(), "labels": torch.tensor([1, 2])}


def batches(count: int = 6) -> Iterator[tuple[list[Tensor], Targets]]:
    for seed in range(0, count, 2):
        pair = scene(seed), scene(seed + 1)
        yield [image for image, _ in pair], Targets([target for _, target in pair])


def network(**settings: Any) -> RCNN:
    torch.manual_seed(0)
    fields = {"crop": 63, "context": 4, "head_width": 64, "proposals": 60, **settings}
    return build_rcnn(RCNNSettings.model_validate(fields), 3).eval()


@pytest.fixture(scope="module")
def plain() -> RCNN:
    return network()


@torch.no_grad()
def test_first_pass_takes_true_boxes_and_some_regions(plain: RCNN) -> None:
    first = first_examples(plain, batches(), images=6)
    assert [len(each) for each in first.objects] == [6, 6]
    assert first.background.shape == (6 * 32, 64)
    assert first.overlaps.shape == (6 * 32, 2)
    assert first.regions == 6 * 34
    rows = np.concatenate([first.background, *first.objects])
    lengths = np.linalg.norm(rows * first.svm_scale, axis=1)
    assert lengths.mean() == pytest.approx(LENGTH, rel=1e-4)
    image, target = scene(0)
    looked = plain.look({PIXELS: image[None]}, [target["boxes"]])
    np.testing.assert_allclose(first.objects[1][0], looked.fc7[1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("most", "of_images"), [(7, [1, 1, 1, 1, 1, 2]), (2, [0, 0, 1] * 2)])
def test_few_negatives_are_few_regions_of_each_image(
    most: int, of_images: list[int], plain: RCNN
) -> None:
    few = network(hard_negatives=most)
    few.load_state_dict(plain.state_dict())
    first = first_examples(few, batches(), images=6)
    assert [len(each) for each in first.drawn] == of_images
    assert len(first.background) == most


@torch.no_grad()
def test_images_without_anything_to_look_at_first_are_passed_over() -> None:
    few = network(hard_negatives=2)
    empty: Target = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long()}
    pictures = [([scene(seed)[0]], Targets([empty])) for seed in range(6)]
    first = first_examples(few, pictures, images=6)
    assert first.regions == len(first.background) == 2
    assert hard_examples(few, pictures, first).background[0].count == 2


@torch.no_grad()
def test_second_pass_keeps_what_the_svms_are_wrongest_about() -> None:
    both = network(), network(hard_negatives=50)
    margins = []
    for each in both:
        first = first_examples(each, batches(), images=6)
        fit_svms(each, first)
        hard = hard_examples(each, batches(), first)
        assert hard.regions > 6 * 20
        margins.append([each.svms(torch.from_numpy(p.features))[:, 0] for p in hard.background])
        old = len(first.background_of(0, each.settings.svm_negative_iou))
        easy = int((margins[-1][0] <= HARD).sum())
        assert easy <= old  # what comes anew is hard
    assert len(margins[1][0]) == 50 < len(margins[0][0])
    assert all(pool.count <= 50 for pool in hard.background)


@torch.no_grad()
def test_no_region_is_background_twice(plain: RCNN) -> None:
    """Without SVMs every margin is 0, which is hard: the second pass takes all that are new."""
    first = first_examples(plain, batches(), images=6)
    hard = hard_examples(plain, batches(), first)
    overlaps = [
        class_overlaps(plain.regions(padded([image], 1))[0], target, 2)
        for image, target in map(scene, range(6))
    ]
    for label, pool in enumerate(hard.background):
        whole = sum(int((each[:, label] < 0.3).sum()) for each in overlaps)
        assert pool.count == whole


@torch.no_grad()
def test_fitted_network_tells_classes_apart_and_boxes_move_to_objects() -> None:
    """With features of random weights: those of red and of green crops differ as it is."""
    fitted = network(svm_c=1.0, box_iou=0.4, ridge=1.0, score_threshold=0.3)
    first = first_examples(fitted, batches(), images=6)
    fit_svms(fitted, first)
    hard = hard_examples(fitted, batches(), first)
    fit_svms(fitted, first, hard)
    assert not fitted.box_regression.is_fitted
    before = misses(fitted)
    fit_regressors(fitted, first, hard)
    assert fitted.box_regression.is_fitted
    assert misses(fitted) < before
    images, truth = zip(*(scene(seed) for seed in range(6)), strict=True)
    for found, target in zip(fitted(list(images)), truth, strict=True):
        assert found["labels"][:2].tolist() in ([1, 2], [2, 1])
        assert set(found["labels"].tolist()) <= set(target["labels"].tolist())


def misses(fitted: RCNN) -> float:
    """Return the mean distance of each object's best detection from its box, pixels."""
    images, truth = zip(*(scene(seed) for seed in range(6)), strict=True)
    total = 0.0
    for found, target in zip(fitted(list(images)), truth, strict=True):
        for box, label in zip(target["boxes"], target["labels"], strict=True):
            best = found["boxes"][found["labels"] == label][0]
            total += float((best - box).abs().mean())
    return total / 12


@torch.no_grad()
def test_class_that_training_has_no_object_of_is_never_found(plain: RCNN) -> None:
    lone = network()
    lone.load_state_dict(plain.state_dict())

    def reds() -> Iterator[tuple[list[Tensor], Targets]]:
        for images, targets in batches():
            objects: list[Target] = [
                {"boxes": each["boxes"][:1], "labels": each["labels"][:1]}
                for each in targets.of_images
            ]
            yield images, Targets(objects)

    first = first_examples(lone, reds(), images=6)
    fit_svms(lone, first)
    fit_svms(lone, first, hard_examples(lone, reds(), first))
    (found,) = lone([scene(0)[0]])
    assert set(found["labels"].tolist()) == {1}
