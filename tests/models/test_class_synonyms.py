import pytest

from models.class_synonyms import SYNONYMS, meaning_of, named_as
from models.detection.darknet.class_names import COCO_NAMES, VOC_NAMES
from models.detection.pretrained_classes import torchvision_coco


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("Person", "person"),
        ("Traffic light", "traffic light"),
        ("traffic_light", "traffic light"),
        (" Stop  Sign ", "stop sign"),
        ("aeroplane", "airplane"),
        ("TVmonitor", "tv"),
        ("blood cell", "blood cell"),
    ],
)
def test_case_underscores_and_voc_s_words_make_no_difference(name: str, meaning: str) -> None:
    assert meaning_of(name) == meaning


def test_known_classes_take_the_names_of_a_study() -> None:
    known = ("person", "airplane", "dog", "unused 12")
    assert named_as(("Aeroplane", "Person", "cell"), known) == (
        "Person",
        "Aeroplane",
        "dog",
        "unused 12",
    )


def test_of_several_names_of_one_meaning_the_exact_one_counts() -> None:
    assert named_as(("Person", "person"), ("person",)) == ("person",)
    assert named_as(("PERSON", "Person"), ("person",)) == ("PERSON",)


def test_every_class_of_voc_is_one_of_coco_and_none_is_two() -> None:
    for known in (COCO_NAMES, torchvision_coco()):
        assert {meaning_of(name) for name in VOC_NAMES} <= {meaning_of(name) for name in known}
        assert len({meaning_of(name) for name in known}) == len(known)
    assert set(SYNONYMS) <= set(VOC_NAMES)
