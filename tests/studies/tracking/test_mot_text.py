"""The text format of MOTChallenge, read and written."""

from pathlib import Path

import numpy as np
import pytest

from studies.tracking.mot_text import (
    NO_BOXES,
    Kind,
    MotBoxes,
    UnusableTracksError,
    read_mot,
    write_mot,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "boxes.txt"


def test_pixels_count_from_one_in_the_file_and_from_zero_here(file: Path) -> None:
    file.write_text("1,7,1,1,10,20,0.5,-1,-1,-1\n")
    boxes = read_mot(file, "tracks")
    assert boxes.boxes_xyxy.tolist() == [[0, 0, 10, 20]]
    assert (boxes.frames.tolist(), boxes.ids.tolist(), boxes.scores.tolist()) == ([1], [7], [0.5])


def test_what_is_written_is_read_back(file: Path) -> None:
    lines = "1,2,11.25,1.00,10.50,20.00,0.75,-1,-1,-1\n3,1,-4.00,5.00,1.00,2.00,1,-1,-1,-1\n"
    file.write_text(lines)
    assert write_mot(read_mot(file, "tracks")) == lines


def test_a_box_of_almost_no_side_is_read_back(file: Path) -> None:
    thin = np.array([[3, 4, 3.001, 4.004]])
    one = np.array([1])
    file.write_text(write_mot(MotBoxes(one, one, thin, scores=np.ones(1))))
    assert read_mot(file, "tracks").boxes_xyxy[0] == pytest.approx([3, 4, 3.01, 4.01])


def test_boxes_come_by_frame_and_numbers_may_stand_between_blanks(file: Path) -> None:
    file.write_text("9 -1 5 5 2 2\n\n2, -1, 5, 5, 2, 2, 0.9, 1, 1, 1\n")
    boxes = read_mot(file, "detections")
    assert boxes.frames.tolist() == [2, 9]
    assert boxes.scores.tolist() == [0.9, 1]


def test_true_boxes_of_confidence_zero_are_left_out(file: Path) -> None:
    file.write_text("1,1,5,5,2,2,1,-1,-1,-1\n1,2,5,5,2,2,0,-1,-1,-1\n")
    assert read_mot(file, "truth").ids.tolist() == [1]
    assert read_mot(file, "tracks").ids.tolist() == [1, 2]


def test_an_empty_file_has_no_boxes(file: Path) -> None:
    file.write_text("")
    assert len(read_mot(file, "detections")) == 0
    assert write_mot(NO_BOXES) == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,1,5,5,2", "must be numbers 'frame,id,x,y,width,height"),
        ("1,1,5,5,two,2", "got '1,1,5,5,two,2'; correct or delete the line"),
        ("1,1,5,nan,2,2", "must be numbers"),
        ("0,1,5,5,2,2", "frame must be a whole number from 1 to 10000000, got 0"),
        ("1.5,1,5,5,2,2", "frame must be a whole number from 1 to 10000000, got 1.5"),
        ("1e9,1,5,5,2,2", "frame must be a whole number from 1 to 10000000, got 1e+09"),
        ("1,1.5,5,5,2,2", "id must be a whole number, got 1.5"),
        ("1,1,5,5,0,2", "width must be above 0, got 0"),
        ("1,1,5,5,2,-3", "height must be above 0, got -3"),
    ],
)
@pytest.mark.parametrize("kind", ["detections", "tracks", "truth"])
def test_a_wrong_line_is_named(file: Path, kind: Kind, line: str, message: str) -> None:
    file.write_text(f"1,9,5,5,2,2\n\n{line}\n")
    with pytest.raises(UnusableTracksError) as raised:
        read_mot(file, kind)
    assert str(raised.value).startswith(f"{file}:3")
    assert message in str(raised.value)


@pytest.mark.parametrize("kind", ["tracks", "truth"])
def test_an_object_is_once_in_a_frame_and_has_a_number(file: Path, kind: Kind) -> None:
    file.write_text("4,1,5,5,2,2\n4,2,5,5,2,2\n4,1,8,8,2,2\n")
    with pytest.raises(UnusableTracksError, match=r":3 .*got id 1 in frame 4 again \(first in li"):
        read_mot(file, kind)
    file.write_text("4,-1,5,5,2,2\n")
    with pytest.raises(UnusableTracksError, match=r":1: id must be 0 or above.*got -1"):
        read_mot(file, kind)
    assert np.array_equal(read_mot(file, "detections").ids, [-1])


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(UnusableTracksError, match=f"cannot read {file}"):
        read_mot(file, "tracks")
