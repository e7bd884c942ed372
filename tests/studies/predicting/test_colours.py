"""Each class has a colour of its own, and the thesis's classes have the thesis's."""

from studies.predicting.colours import class_colours, palette

THESIS = {"bus": (0, 0, 255), "person": (255, 0, 0), "car": (0, 255, 0)}


def test_the_thesis_classes_have_its_colours_in_any_order() -> None:
    for names in (("background", "bus", "person", "car"), ("background", "car", "bus", "person")):
        colours = dict(zip(names, class_colours(names), strict=True))
        assert {name: colours[name] for name in THESIS} == THESIS
        assert colours["background"] == (0, 0, 0)
    assert class_colours(["background", "traffic light"])[1] == (0, 255, 255)


def test_no_two_of_255_classes_look_alike() -> None:
    names = ["background", "person", "pedestrian", *(f"class {number}" for number in range(252))]
    colours = class_colours(names)
    assert len(set(colours)) == len(names)
    assert len(palette(colours)) == 768
