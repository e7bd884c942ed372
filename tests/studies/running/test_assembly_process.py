"""Networks that were never trained, put together over generated street scenes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from data_pipeline.catalog import prepare_data
from data_pipeline.source import open_data
from models.metrics.segmentation import load_predictions
from models.segmentation.unet import build_unet
from models.session import Interrupted
from studies.running.assembly_process import run_assembly
from studies.running.trial_order import AssemblyOrder, NetworkOrder, TrialOrder
from studies.spec.schema import CellSettings
from studies.spec.settings import for_all_classes, with_changes

CLASSES = ("bus", "stop sign")
TASK = "semantic_segmentation"
SIZES = {"bus": 16, "stop sign": 32, "": 16}
THRESHOLDS = (0.3, 0.45, 0.5, 0.55)
Order = Callable[..., TrialOrder]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CellSettings:
    """Return settings for a few scenes that are drawn."""
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    data = {
        "dataset": "street_scenes",
        "images": 40,
        "picture_width": 96,
        "picture_height": 72,
        "classes": list(CLASSES),
        "split": {"policy": "random"},
        "drawn_in": str(tmp_path / "scenes"),
        "workers": 0,
    }
    model = {"name": "unet", "base_channels": 2, "depth": 1}
    parts = {"data": data, "model": model, "training": {"batch_size": 4}, "evaluation": {}}
    settings = CellSettings.model_validate(parts)
    prepare_data(settings.data)
    return settings


def network(base: CellSettings, group: str, folder: Path, **changes: object) -> NetworkOrder:
    """Return a network of random weights, for one class or all of them."""
    taken = {"data.image_size": SIZES[group]}
    own = {"data.classes": [group]} if group else {}
    settings = with_changes(base, {**taken, **own, **changes})
    torch.manual_seed(len(group))
    built = build_unet(settings.model, 1 if group else len(CLASSES))  # type: ignore[arg-type]
    file = folder / f"best-{len(group)}.pt"
    torch.save(built.state_dict(), file)
    every = with_changes(for_all_classes(base, CLASSES), taken)
    dumped = [each.model_dump(mode="json") for each in (settings, every)]
    return NetworkOrder(group, dumped[0], file, applied_to=dumped[1])


@pytest.fixture
def order(base: CellSettings, tmp_path: Path) -> Order:
    """Return a function that orders an assembly; keywords change the settings of its networks."""

    def make(*, choose_on: Any = "val", single: bool = True, **changes: object) -> TrialOrder:
        folder = tmp_path / "assembly"
        folder.mkdir(exist_ok=True)
        groups = (*CLASSES, "") if single else CLASSES
        networks = tuple(network(base, group, folder, **changes) for group in groups)
        return TrialOrder(
            purpose="assembly",
            task=TASK,
            cell="abc",
            attempt=1,
            settings={},
            seed=0,
            objective="val/iou",
            maximize=True,
            scores_test=True,
            folder=folder,
            earlier_folders=(),
            micro_batch_divisor=1,
            weights=None,
            assembly=AssemblyOrder(networks, THRESHOLDS, choose_on, batch_size=3),
        )

    return make


def run(order: TrialOrder) -> dict[str, Any]:
    return run_assembly(order, lambda *_: None, lambda: False)


def ids(settings: dict[str, Any], split: Any) -> set[str]:
    data = CellSettings.model_validate(settings).data
    return set(open_data(data, TASK, 0, examines=False).image_ids(split))


def test_images_that_a_network_knows_are_left_out_and_counted(order: Order) -> None:
    made = order()
    assert made.assembly is not None
    found = run(made)
    networks = made.assembly.networks
    for split, known in (("val", ("train",)), ("test", ("train", "val"))):
        images = ids(networks[0].applied_to, split)
        seen = {each for n in networks for part in known for each in ids(n.settings, part)}
        assert found["left_out"][split] == len(images & seen)
        assert found["images"][split] == len(images - seen)
        assert images & seen, "the split must be one that shows the difference"
        kept = load_predictions(made.folder / f"predictions_{split}.npz").image_ids
        assert set(kept) == images - seen


def independent_iou(made: TrialOrder, group: str, threshold: float, images: set[str]) -> float:
    """Score one class of the assembly picture by picture, with torch alone."""
    assert made.assembly is not None
    hits = either = 0
    members = made.assembly.networks[:2]
    for image_id in sorted(images):
        said = []
        for member in members:
            settings = CellSettings.model_validate(member.settings)
            net = build_unet(settings.model, 1).eval()  # type: ignore[arg-type]
            net.load_state_dict(torch.load(member.weights))
            picture, _ = picture_of(member.applied_to, image_id)
            with torch.no_grad():
                out = net(picture[None].float().contiguous() / 127.5 - 1).sigmoid()
            sized = torch.nn.functional.interpolate(out, (32, 32), mode="bilinear")
            said.append(out[0, 0] if out.shape[-1] == 32 else sized[0, 0])
        highest = torch.stack(said).max(dim=0).values
        index = CLASSES.index(group)
        wins = said[index] == highest if index == 0 else (said[index] > said[0])
        found = wins & (said[index] * 1000 >= threshold * 1000 - 1e-3)
        _, mask = picture_of(members[1].applied_to, image_id)
        truth, valid = mask == index + 1, mask != 255
        hits += int((found & truth & valid).sum())
        either += int(((found | truth) & valid).sum())
    return hits / either


def picture_of(settings: dict[str, Any], image_id: str) -> tuple[torch.Tensor, torch.Tensor]:
    data = CellSettings.model_validate(settings).data
    source = open_data(data, TASK, 0)
    loader = source.test(1)
    assert loader is not None
    for batch in loader.epoch(1):
        if batch.image_ids == (image_id,):  # type: ignore[union-attr]
            return batch.images[0], batch.masks[0]  # type: ignore[union-attr]
    raise AssertionError(image_id)


def test_networks_of_different_sizes_score_as_put_together_by_hand(order: Order) -> None:
    made = order()
    found = run(made)
    assert made.assembly is not None
    images = set(load_predictions(made.folder / "predictions_test.npz").image_ids)
    threshold = found["scores"]["assembly"]["threshold"]
    for group, slug in zip(CLASSES, ("bus", "stop_sign"), strict=True):
        expected = independent_iou(made, group, threshold, images)
        assert found["metrics"][f"test/iou_{slug}"] == pytest.approx(expected, abs=1e-6)


def test_each_networks_own_threshold_scores_it_alone(order: Order) -> None:
    low, high = run(order()), run(order(**{"evaluation.threshold": 0.9}))
    assert low["metrics"]["own/test/iou_bus"] != high["metrics"].get("own/test/iou_bus")
    assert low["scores"]["assembly"] == high["scores"]["assembly"]


def test_doing_it_again_gives_the_same_numbers(order: Order) -> None:
    assert run(order()) == run(order())


def test_without_a_single_network_there_is_none_to_compare(order: Order) -> None:
    assert set(run(order(single=False))["scores"]) == {"own", "assembly"}


def test_the_picture_and_the_counts_of_every_way_are_kept(order: Order) -> None:
    made = order()
    files = run(made)["files"]
    assert {"predictions_val", "predictions_own_test", "predictions_single_val"} < files.keys()
    assert (made.folder / files["predictions_strip"]).read_bytes().startswith(b"\x89PNG")


def test_a_stop_is_heard_between_batches(order: Order) -> None:
    with pytest.raises(Interrupted, match="asked to stop"):
        run_assembly(order(), lambda *_: None, lambda: True)


def test_an_assembly_whose_networks_know_every_image_is_refused(order: Order) -> None:
    made = order(**{"data.split.test": 0.01, "data.split.val": 0.01})
    with pytest.raises(ValueError, match=r"val images that none of its networks was trained"):
        run(made)
