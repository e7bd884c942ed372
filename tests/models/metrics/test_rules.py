"""The rules of VOC, the thesis and Open Images: by hand, as published, and against brute force."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score  # type: ignore[import-untyped]

from models.metrics.coco_ap import coco_scores
from models.metrics.scored_images import Objects, ScoredImage
from models.metrics.voc_ap import PROTOCOLS, Rule, voc_scores

Draw = Callable[[int], tuple[list[ScoredImage], int]]
Box = tuple[float, float, float, float]
Key = tuple[int, int]  # image, object
Detection = tuple[int, float, list[float]]  # image, score, box
Verdict = tuple[float, bool | None]  # score, right; None: not counted


def image(
    truth: Sequence[Box],
    found: Sequence[tuple[float, Box]],
    *,
    ignored: Sequence[int] = (),
    labels: tuple[Sequence[int], Sequence[int]] | None = None,
) -> ScoredImage:
    of_truth, of_found = labels or ([0] * len(truth), [0] * len(found))
    boxes = np.array(truth, np.float64).reshape(-1, 4)
    return ScoredImage(
        image_id="a",
        size_hw=(200, 200),
        pixel_area=1.0,
        truth=Objects(np.array(of_truth, np.int64), boxes, None),
        truth_areas=(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
        is_ignored=np.isin(np.arange(len(truth)), ignored),
        found=Objects(
            np.array(of_found, np.int64),
            np.array([box for _, box in found], np.float64).reshape(-1, 4),
            None,
        ),
        scores=np.array([score for score, _ in found], np.float64),
    )


def square(left: float, side: float = 10.0) -> Box:
    return (left, 0.0, left + side, side)


def seven_ranks() -> ScoredImage:
    """Five objects; of seven detections the first, second, sixth and seventh are right."""
    objects = [square(20.0 * index) for index in range(5)]
    is_right = [True, True, False, False, False, True, True]
    places = iter(objects)
    nowhere = (0.0, 100.0, 10.0, 110.0)
    found = [
        (0.9 - 0.1 * rank, next(places) if right else nowhere)
        for rank, right in enumerate(is_right)
    ]
    return image(objects, found)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("voc07", 0.6623), ("voc10", 0.6286), ("thesis", 0.7393), ("open_images", 0.6286)],
)
def test_the_theses_example_of_seven_ranks(rule: Rule, expected: float) -> None:
    scores = voc_scores([seven_ranks()], 1, rule=rule)
    assert scores.mean == pytest.approx(expected, abs=5e-5)
    assert (scores.rule, scores.iou) == (rule, 0.5)


def test_cocos_rule_on_the_example_of_seven_ranks() -> None:
    assert coco_scores([seven_ranks()], 1, "bbox").class_ap50[0] == pytest.approx(0.6322, abs=5e-5)


def test_without_its_missed_object_the_example_is_scikit_learns() -> None:
    ranks = [1, 1, 0, 0, 0, 1, 1]
    plain = average_precision_score(ranks, [0.9 - 0.1 * rank for rank in range(7)])
    assert plain == pytest.approx(0.7679, abs=5e-5)
    with_missed = average_precision_score([*ranks, 1], [*(0.9 - 0.1 * n for n in range(7)), 0])
    scores = voc_scores([seven_ranks()], 1, rule="thesis")
    assert scores.mean == pytest.approx(with_missed, abs=1e-12)


def test_the_published_example_of_85_images(real_data: Path) -> None:
    folder = real_data / "metrics_fixtures" / "voc_map_85img"
    published = {
        name: float(value) / 100
        for value, name in re.findall(
            r"^([\d.]+)% = (\w+) AP", (folder / "expected_output.txt").read_text(), re.MULTILINE
        )
    }
    images = read_text_folders(folder, sorted(published))
    scores = voc_scores(images, len(published), rule="voc10")
    by_class = dict(zip(sorted(published), scores.class_ap, strict=True))
    assert by_class == pytest.approx(published, abs=5.1e-5)
    assert scores.mean == pytest.approx(0.3105, abs=5e-5)


def read_text_folders(folder: Path, names: list[str]) -> list[ScoredImage]:
    """Read corners that are pixels, which belong to their boxes."""
    images = []
    for file in sorted((folder / "ground-truth").glob("*.txt")):
        true = [line.split() for line in file.read_text().splitlines()]
        lines = (folder / "detection-results" / file.name).read_text().splitlines()
        rows = [row for row in map(str.split, lines) if row[0] in names]
        images.append(
            image(
                [pixels(row[1:5]) for row in true],
                [(float(row[1]), pixels(row[2:])) for row in rows],
                labels=([names.index(row[0]) for row in true], [names.index(r[0]) for r in rows]),
            )
        )
    return images


def pixels(texts: Sequence[str]) -> Box:
    left, top, right, bottom = map(float, texts)
    return left, top, right + 1, bottom + 1


def test_voc_takes_the_best_object_and_the_thesis_the_first_that_fits() -> None:
    """The second detection fits the first object alone, which VOC leaves to it."""
    objects = [(0.0, 0.0, 10.0, 10.0), (2.0, 0.0, 12.0, 10.0)]
    found = [(0.9, (1.5, 0.0, 11.5, 10.0)), (0.8, (-3.0, 0.0, 7.0, 10.0))]
    assert voc_scores([image(objects, found)], 1, rule="voc10").mean == 1.0
    assert voc_scores([image(objects, found)], 1, rule="thesis").mean == pytest.approx(0.5 + 1 / 3)


def test_a_second_detection_of_an_object_is_wrong_though_another_object_would_fit() -> None:
    """VOC asks for the best object alone; COCO gives the second detection the other one."""
    objects = [(0.0, 0.0, 10.0, 10.0), (2.0, 0.0, 12.0, 10.0)]
    found = [(0.9, (0.0, 0.0, 10.0, 10.0)), (0.8, (0.5, 0.0, 10.5, 10.0))]
    assert voc_scores([image(objects, found)], 1, rule="voc10").mean == 0.5
    assert coco_scores([image(objects, found)], 1, "bbox").class_ap50 == pytest.approx((1.0,))


def test_a_difficult_object_is_neither_found_nor_missed() -> None:
    found = [(0.9, square(0)), (0.8, square(20)), (0.7, square(20))]
    for rule in ("voc07", "voc10", "thesis"):
        scores = voc_scores([image([square(0), square(20)], found, ignored=[1])], 1, rule=rule)
        assert scores.mean == pytest.approx(1.0), rule


def test_a_group_is_found_once_by_the_best_of_those_inside() -> None:
    group, inside, other = (0.0, 0.0, 50.0, 50.0), square(5), square(25)
    alone = (100.0, 0.0, 110.0, 10.0)
    found = [(0.9, inside), (0.8, other), (0.7, alone)]
    split = [image([group, alone], found, ignored=[0])]
    assert voc_scores(split, 1, rule="open_images").mean == 1.0
    assert voc_scores(split, 1, rule="voc10").mean == pytest.approx(1 / 3)


def test_a_group_without_a_detection_is_missed() -> None:
    split = [image([(0, 0, 50, 50), square(100)], [(0.9, square(100))], ignored=[0])]
    assert voc_scores(split, 1, rule="open_images").mean == 0.5
    assert voc_scores(split, 1, rule="voc10").mean == 1.0


def test_of_equal_scores_the_one_listed_first_is_first() -> None:
    wrong, right = (0.5, square(100)), (0.5, square(0))
    assert voc_scores([image([square(0)], [right, wrong])], 1, rule="voc10").mean == 1.0
    assert voc_scores([image([square(0)], [wrong, right])], 1, rule="voc10").mean == 0.5
    both = [image([], [wrong]), image([square(0)], [right])]
    assert voc_scores(both, 1, rule="voc10").mean == 0.5
    assert voc_scores(both[::-1], 1, rule="voc10").mean == 1.0


def test_the_thesis_counts_equal_scores_as_one_point_in_any_order() -> None:
    wrong, right = (0.5, square(100)), (0.5, square(0))
    for found in ([right, wrong], [wrong, right]):
        assert voc_scores([image([square(0)], found)], 1, rule="thesis").mean == 0.5


@pytest.mark.parametrize("rule", PROTOCOLS)
def test_without_objects_there_is_no_score_and_without_detections_it_is_0(rule: Rule) -> None:
    absent = voc_scores([image([], [(0.9, square(0))])], 2, rule=rule)
    assert (absent.mean, absent.class_ap) == (None, (None, None))
    assert voc_scores([], 1, rule=rule).mean is None
    blind = voc_scores([image([square(0)], [])], 2, rule=rule)
    by_misses = 1.0 if rule == "thesis" else 0.0  # a missed object counts as found with score 0
    assert blind.class_ap == (by_misses, None)


def test_json_names_the_rule() -> None:
    content = voc_scores([seven_ranks()], 2, rule="voc10", iou=0.3).to_json()
    assert (content["rule"], content["iou"], content["class_ap"][1]) == ("voc10", 0.3, None)


@pytest.mark.parametrize("rule", PROTOCOLS)
@pytest.mark.parametrize("first", [0, 500])
def test_1000_random_splits_score_as_by_brute_force(
    random_split: Draw, rule: Rule, first: int
) -> None:
    for seed in range(first, first + 500):
        images, classes = random_split(seed)
        iou = (0.3, 0.5, 0.75)[seed % 3]
        scores = voc_scores(images, classes, rule=rule, iou=iou)
        expected = [brute(images, label, rule, iou) for label in range(classes)]
        assert scores.class_ap == pytest.approx(expected, abs=1e-12), seed


def overlap(one: Sequence[float], other: Sequence[float], *, region: bool = False) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (one[2] - one[0]) * (one[3] - one[1])
    whole = area + (other[2] - other[0]) * (other[3] - other[1]) - width * height
    return width * height / (area if region else whole)


def brute(images: Sequence[ScoredImage], label: int, rule: Rule, iou: float) -> float | None:
    """Rank and match the detections of a class one by one, as the protocols say in words."""
    truths = {
        (number, index): box
        for number, each in enumerate(images)
        for index, box in enumerate(each.truth.boxes_xyxy.tolist())
        if each.truth.labels[index] == label
    }
    ignored = {key for key in truths if images[key[0]].is_ignored[key[1]]}
    detections = sorted(
        (
            (number, each.scores[index], box)
            for number, each in enumerate(images)
            for index, box in enumerate(each.found.boxes_xyxy.tolist())
            if each.found.labels[index] == label
        ),
        key=lambda detection: -detection[1],
    )
    if rule == "thesis":
        verdicts = brute_thesis(detections, truths, ignored, iou)
    else:
        verdicts = brute_best(detections, truths, ignored, iou, rule == "open_images")
    ranks = [(score, right) for score, right in verdicts if right is not None]
    asked = len(truths) if rule == "open_images" else len(truths) - len(ignored)
    if not asked:
        return None
    if rule == "thesis":
        return brute_scikit(ranks, asked)
    return brute_average(ranks, asked, eleven=rule == "voc07")


def brute_best(
    detections: Sequence[Detection],
    truths: dict[Key, list[float]],
    ignored: set[Key],
    iou: float,
    groups: bool,
) -> Iterator[Verdict]:
    taken: set[Key] = set()
    for number, score, box in detections:
        candidates = [
            (overlap(box, other), -index, (at, index))
            for (at, index), other in truths.items()
            if at == number and not (groups and (at, index) in ignored)
        ]
        value, _, key = max(candidates, default=(0.0, 0, None))
        if key is not None and value >= iou:
            if key in ignored:
                yield score, None
                continue
            if key not in taken:
                taken.add(key)
                yield score, True
                continue
        inside = [
            (overlap(box, truths[group], region=True), -group[1], group)
            for group in ignored
            if group[0] == number and groups
        ]
        value, _, group = max(inside, default=(0.0, 0, None))
        if group is not None and value >= iou:
            yield score, None if group in taken else True
            taken.add(group)
        else:
            yield score, False


def brute_thesis(
    detections: Sequence[Detection],
    truths: dict[Key, list[float]],
    ignored: set[Key],
    iou: float,
) -> Iterator[Verdict]:
    taken: set[Key] = set()
    for number, score, box in detections:
        fits = [key for key, other in truths.items() if key[0] == number]
        fits = [key for key in fits if overlap(box, truths[key]) >= iou]
        free = [key for key in fits if key not in taken and key not in ignored]
        if free:
            taken.add(free[0])
            yield score, True
        else:
            yield score, None if any(key in ignored for key in fits) else False


def brute_scikit(ranks: Sequence[tuple[float, bool]], asked: int) -> float:
    truth = [int(right) for _, right in ranks]
    scores = [score for score, _ in ranks]
    missed = asked - sum(truth)
    return float(average_precision_score(truth + [1] * missed, scores + [0.0] * missed))


def brute_average(ranks: Sequence[tuple[float, bool]], asked: int, *, eleven: bool) -> float:
    best: dict[int, float] = defaultdict(float)  # objects found -> highest precision from then on
    found = 0
    for rank, (_, right) in enumerate(ranks, start=1):
        found += right
        for count in range(found + 1):
            best[count] = max(best[count], found / rank)
    if not eleven:
        return sum(best[count] for count in range(1, found + 1)) / asked
    least = [-(-tenth * asked // 10) for tenth in range(11)]  # objects for recall 0, 0.1 … 1
    return sum(best[count] if count <= found else 0.0 for count in least) / 11
