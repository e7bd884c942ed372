"""What a study of videos may not say of its frames and splits, at its base and in its stages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.load import LoadedStudy
from studies.spec.settings import base_settings, fingerprint
from studies.spec.study_warnings import study_warnings

Heads = Callable[..., list[str]]
Load = Callable[..., LoadedStudy]
ACTIONS = """\
study: demo
task: action_recognition
data: {dataset: street_actions, image_size: 32, clip: {frames: 8}}
model: {name: constant}
objective: {metric: val/top1}
search:
  tree:
    - stage: tried
      vary: {data.image_size: [32, 64]}
"""
SIZES = "data.image_size: [32, 64]"
RAFT = "flow: {method: raft, weights: absent.pth}"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("image_size: 32,", "resize: letterbox,", "3:", "resize has no effect on videos, got"),
        (SIZES, "data.resize: [stretch, letterbox]", "9:", "resize has no effect on videos, got"),
        (SIZES, "data.clip.stride: [1, 4]", "9:", "stride has no effect on clips of a single"),
        ("frames: 8", f"frames: 8, {RAFT}", "3:", "must be a file with the weights of torchvi"),
        (
            SIZES,
            f"data.clip: [{{frames: 8}}, {{frames: 8, {RAFT}}}]",
            "9:",
            "search.tree.0.vary.data.clip.1: data.clip.flow.weights must be a file with the",
        ),
    ],
)
def test_setting_without_effect_or_file_is_refused(
    old: str, new: str, place: str, message: str, problems: Heads
) -> None:
    text = ACTIONS.replace("frames: 8", "frames: 1") if "clip.stride" in new else ACTIONS
    [found] = problems(text.replace(old, new))
    assert found.startswith(place)
    assert message in found


def test_official_split_goes_with_the_given_policy_alone(
    problems: Heads, load: Load, tmp_path: Path
) -> None:
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Run\n2 Walk\n")
    for number in (1, 2, 3):
        (lists / f"trainlist0{number}.txt").write_text("Run/v_Run_g01_c01.avi 1\n")
        (lists / f"testlist0{number}.txt").write_text("Walk/v_Walk_g02_c01.avi\n")
    (tmp_path / "UCF-101" / "Run").mkdir(parents=True)
    (tmp_path / "UCF-101" / "Run" / "v_Run_g01_c01.avi").touch()
    text = ACTIONS.replace("street_actions,", f"ucf101, root: {tmp_path},")
    text = text.replace("vary:", "together: true\n      vary:")
    both = "data.split.policy: [grouped, given], data.split_list: "
    load(text.replace(SIZES, both + "[1, 3]"))
    [found] = problems(text.replace(SIZES, both + "[2, 3]"))
    assert "split_list 2 has no effect with split.policy 'grouped'" in found
    text = text.replace(SIZES, both + "[1, 3]")
    [found] = problems(text.replace("image_size: 32", "split_list: 2, split: {policy: random}"))
    assert "split_list 2 has no effect with split.policy 'random'" in found


def test_cell_is_known_by_what_the_weights_of_flow_hold(load: Load, tmp_path: Path) -> None:
    names = []
    for name, content in (("a.pth", b"one"), ("b.pth", b"one"), ("c.pth", b"two")):
        file = tmp_path / name
        file.write_bytes(content)
        text = ACTIONS.replace("frames: 8", f"frames: 8, {RAFT}").replace("absent.pth", str(file))
        settings = base_settings(load(text).spec)
        names.append(fingerprint(settings, seed=0, data=data_fingerprint(settings.data)))
    assert names[0] == names[1] != names[2]


def test_clips_longer_than_generated_videos_are_warned_of(load: Load) -> None:
    assert study_warnings(load(ACTIONS).spec) == []
    longer = ACTIONS.replace(SIZES, "data.clip.frames: [8, 17, 20]")
    assert [text.split(" span ")[1][:9] for text in study_warnings(load(longer).spec)] == [
        "33 frames",
        "39 frames",
    ]
