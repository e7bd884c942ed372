"""From detections in a file to tracks."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.tracking.settings import ColourAppearanceSettings, DeepSortSettings, SortSettings
from studies.scoring.tracks import Question, score_tracks
from studies.tracking.following import Wish, follow
from studies.tracking.methods import appearance_settings, tracker_settings
from studies.tracking.mot_text import UnusableTracksError, read_mot, write_mot

COLOURS = ((0, 0, 255), (0, 255, 0))  # of blue, green and red


@pytest.fixture
def crossing(tmp_path: Path) -> Path:
    """Write pictures and detections of a red and a green object that change places at once.

    The green one is in front of the red one, before and after.
    """
    (tmp_path / "img1").mkdir()
    lines = []
    for frame in range(1, 13):
        picture = np.full((100, 160, 3), 128, np.uint8)
        places = (30, 40) if frame < 7 else (40, 30)
        for x, colour in zip(places, COLOURS, strict=True):
            picture[20:80, x : x + 20] = colour
            lines.append(f"{frame},-1,{x + 1},21,20,60,0.9,-1,-1,-1\n")
        cv2.imwrite(str(tmp_path / "img1" / f"{frame:06d}.png"), picture)
    (tmp_path / "det.txt").write_text("".join(lines))
    return tmp_path


def test_sort_on_tud_campus_gives_the_reference_tracks_and_scores(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "metrics_fixtures/tracking_TUD-Campus"
    followed = follow(Wish(folder / "det/det.txt", SortSettings()))
    theirs = read_mot(folder / "sort_reference_output.txt", "tracks")
    ours = followed.boxes
    by_id = (np.lexsort((each.ids, each.frames)) for each in (ours, theirs))
    mine, reference = by_id
    assert np.array_equal(ours.frames[mine], theirs.frames[reference])
    assert np.array_equal(ours.ids[mine], theirs.ids[reference])
    # The reference has hundredths of a pixel.
    np.testing.assert_allclose(
        ours.boxes_xyxy[mine], theirs.boxes_xyxy[reference], atol=0.0101, rtol=0
    )
    (tmp_path / "tracks.txt").write_text(write_mot(ours))
    scores = score_tracks(Question(folder / "gt/gt.txt", tmp_path / "tracks.txt")).all
    metrics = scores.metrics()
    assert metrics["mota"] == pytest.approx(0.627, abs=5e-4)
    assert (scores.false_positives, scores.misses, scores.id_switches) == (15, 113, 6)


def test_deepsort_on_tud_campus_switches_less_than_sort(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "metrics_fixtures/tracking_TUD-Campus"
    followed = follow(Wish(folder / "det/det.txt", DeepSortSettings(use_appearance=False)))
    (tmp_path / "tracks.txt").write_text(write_mot(followed.boxes))
    scores = score_tracks(Question(folder / "gt/gt.txt", tmp_path / "tracks.txt")).all
    assert scores.id_switches < 6
    assert scores.matches > 0.65 * scores.true_boxes


def test_pictures_keep_apart_what_overlap_confuses(crossing: Path) -> None:
    plain = follow(Wish(crossing / "det.txt", SortSettings())).boxes
    seen = follow(
        Wish(
            crossing / "det.txt",
            DeepSortSettings(),
            pictures=crossing / "img1",
            appearance=ColourAppearanceSettings(),
        )
    ).boxes
    for boxes, changes_places in ((plain, False), (seen, True)):
        first = boxes.boxes_xyxy[boxes.ids == 1][:, 0]
        assert bool(first[-1] - first[0] > 5) is changes_places


def test_frames_without_detections_are_steps(tmp_path: Path) -> None:
    lines = [f"{frame},-1,5,5,20,20,1\n" for frame in (1, 2, 3, 6, 7, 8, 9)]
    (tmp_path / "det.txt").write_text("".join(lines))
    followed = follow(Wish(tmp_path / "det.txt", SortSettings(max_age=1)))
    assert (followed.frames, followed.detections, followed.tracks) == (9, 7, 2)


def test_a_file_without_detections_has_no_tracks(tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("")
    followed = follow(Wish(tmp_path / "det.txt", SortSettings()))
    assert (followed.frames, followed.tracks, len(followed.boxes)) == (0, 0, 0)


def test_too_few_pictures_are_refused(crossing: Path) -> None:
    (crossing / "img1" / "000012.png").unlink()
    with pytest.raises(UnusableTracksError, match=r"picture for each frame.*, 12, got 11; name"):
        follow(
            Wish(
                crossing / "det.txt",
                DeepSortSettings(),
                pictures=crossing / "img1",
                appearance=ColourAppearanceSettings(),
            )
        )


def test_settings_are_given_as_text() -> None:
    settings = tracker_settings("sort", ["max_age=5", "least_score=0.5"], has_pictures=False)
    assert settings == SortSettings(max_age=5, least_score=0.5)
    deep = tracker_settings("deepsort", [], has_pictures=False)
    assert deep == DeepSortSettings(use_appearance=False)
    assert tracker_settings("deepsort", [], has_pictures=True) == DeepSortSettings()


@pytest.mark.parametrize(
    ("method", "given", "has_pictures", "message"),
    [
        ("sorte", [], False, "unknown --method 'sorte'; did you mean 'sort'?"),
        ("sort", ["max_ages=2"], False, "unknown setting of sort 'max_ages'; did you mean 'max_a"),
        ("sort", ["max_age"], False, "--set must be written name=value"),
        ("sort", ["max_age=0"], False, "--set max_age: input should be greater than or equal to"),
        ("sort", ["least_score=.nan"], False, "--set least_score: input should be a finite numb"),
        ("deepsort", ["least_score=.inf"], False, "--set least_score: input should be a finite "),
        ("sort", ["max_age=[1"], False, "the value must be YAML"),
        ("sort", ["max_age=\x01"], False, "the value must be YAML, got unacceptable character"),
        ("sort", ["shown_age=3"], False, "--set: shown_age must be at most max_age"),
        ("sort", [], True, "--pictures has no effect with --method sort"),
        ("deepsort", ["use_appearance=true"], False, "must be true with --pictures and false"),
        ("deepsort", ["gallery_size=3"], False, "gallery_size has no effect with use_appearance"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    method: str, given: list[str], has_pictures: bool, message: str
) -> None:
    with pytest.raises(UnusableTracksError) as raised:
        tracker_settings(method, given, has_pictures=has_pictures)
    assert message in str(raised.value)


def test_appearances_are_named() -> None:
    assert appearance_settings("network", Path("w.pt")).name == "network"
    with pytest.raises(UnusableTracksError, match="unknown --appearance 'color'; did you mean"):
        appearance_settings("color", None)
    with pytest.raises(UnusableTracksError, match="--weights has no effect with --appearance col"):
        appearance_settings("colour", Path("w.pt"))
