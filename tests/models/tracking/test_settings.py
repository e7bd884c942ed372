"""What may be said of a tracker."""

import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from models.tracking.settings import DeepSortSettings, SortSettings, TrackerSettings


def test_a_name_chooses_the_settings() -> None:
    adapter: TypeAdapter[SortSettings | DeepSortSettings] = TypeAdapter(TrackerSettings)
    assert adapter.validate_python({"name": "sort", "max_age": 4}) == SortSettings(max_age=4)
    assert adapter.validate_python({"name": "deepsort"}) == DeepSortSettings()


def test_defaults_are_the_papers() -> None:
    sort, deep = SortSettings(), DeepSortSettings()
    assert (sort.max_age, sort.min_hits, sort.least_iou) == (1, 3, 0.3)
    assert (deep.max_age, deep.n_init, deep.gallery_size) == (30, 3, 100)
    assert (deep.max_cosine_distance, deep.max_iou_distance, deep.least_score) == (0.2, 0.7, 0.3)


@pytest.mark.parametrize("field", ["max_cosine_distance", "gallery_size"])
def test_what_has_no_effect_without_appearance_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=f"{field} has no effect with use_appearance false"):
        DeepSortSettings.model_validate({"use_appearance": False, field: 1})


def test_a_track_cannot_be_shown_longer_than_it_lives() -> None:
    with pytest.raises(ValidationError, match=r"at most max_age.*got 2 and 1; lower it"):
        SortSettings(max_age=1, shown_age=2)
    with pytest.raises(ValidationError, match=r"at most max_age.*got 31 and 30"):
        DeepSortSettings(shown_age=31)


def test_settings_and_trackers_load_no_torch() -> None:
    code = (
        "import sys; from models.tracking.tracker import build_tracker; "
        "from models.tracking.settings import SortSettings; build_tracker(SortSettings()); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
