import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.class_rows import ClassRows
from models.classification.lenet5 import LeNet5, class_codes
from models.classification.lenet5_settings import LeNet5Settings
from models.detection.mask_rcnn import MaskRCNNNetwork, build_mask_rcnn
from models.detection.settings import MaskRCNNSettings
from models.fitted_linear import FittedLinear
from models.named_layers import TransferError
from models.segmentation.fcn import build_fcn
from models.segmentation.settings import UNetSettings
from models.segmentation.unet import UNet
from models.segmentation.vgg_settings import FCNSettings
from models.session import StartingWeights
from models.transfer import carry_over, require_no_frozen_noise

OLD = ("car", "person", "traffic light")
NEW = ("bus", "person", "car", "traffic sign", "traffic light")
Keep = Callable[..., StartingWeights]


class Rows(nn.Module):
    """A body of two values, and a last layer whose rows are made up as `rows` says."""

    def __init__(self, count: int, rows: ClassRows) -> None:
        super().__init__()
        self.body = nn.Linear(2, 2)
        self.last = nn.Linear(2, count)
        self.class_rows = (rows,)


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Return a function that writes weights as a trial keeps them."""

    def write(network: nn.Module, classes: Sequence[str] | None = OLD) -> StartingWeights:
        file = tmp_path / "best-3.pt"
        torch.save(network.state_dict(), file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return StartingWeights("study:first", file, digest, tuple(classes) if classes else None)

    return write


def drawn(build: Callable[[], nn.Module], seed: int) -> Any:
    torch.manual_seed(seed)
    return build()


def small_mask_rcnn(classes: int) -> MaskRCNNNetwork:
    settings: dict[str, Any] = {
        "backbone": "resnet18",
        "anchor_sizes": (8, 16, 32, 48, 64),
        "proposals": 20,
        "score_threshold": 0.0,
        "detections": 10,
    }
    return build_mask_rcnn(MaskRCNNSettings.model_validate(settings), classes + 1)


def unet(channels: int, base_channels: int = 2) -> UNet:
    return UNet(UNetSettings(base_channels=base_channels, depth=1), channels)


@pytest.mark.parametrize(
    ("rows", "old_count", "new_count", "expected"),
    [
        # one row each: class 1 and 2 of the new ones are old, the other way round
        (ClassRows("last"), 3, 5, [None, 1, 0, None, 2]),
        (ClassRows("last", has_background=True), 4, 6, [0, None, 2, 1, None, 3]),
        (
            ClassRows("last", per_class=2, has_background=True),
            8,
            12,
            [0, 1, None, None, 4, 5, 2, 3, None, None, 6, 7],
        ),
        # two anchors: a box of one value and then the classes, twice
        (
            ClassRows("last", repeats=2, fixed=1),
            8,
            12,
            [0, None, 2, 1, None, 3, 4, None, 6, 5, None, 7],
        ),
    ],
)
def test_rows_follow_the_names_of_their_classes(
    rows: ClassRows, old_count: int, new_count: int, expected: list[int | None], keep: Keep
) -> None:
    old, new = Rows(old_count, rows), Rows(new_count, rows)
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    fit = carry_over(new, keep(old), NEW)
    for kind in ("weight", "bias"):
        now, theirs = new.state_dict()[f"last.{kind}"], old.state_dict()[f"last.{kind}"]
        for row, source in enumerate(expected):
            want = fresh[f"last.{kind}"][row] if source is None else theirs[source]
            assert torch.equal(now[row], want), f"{kind} {row}"
    assert torch.equal(new.body.weight, old.body.weight)
    assert fit.describe() == {
        "carried_weights": 4,
        "new_layers": [],
        "left_over_layers": [],
        "classes": {
            "carried": ["person", "car", "traffic light"],
            "new": ["bus", "traffic sign"],
            "left_over": [],
        },
    }


def test_classes_can_be_left_behind(keep: Keep) -> None:
    rows = ClassRows("last")
    old, new = Rows(3, rows), Rows(1, rows)
    fit = carry_over(new, keep(old), ("traffic light",))
    assert torch.equal(new.last.weight[0], old.last.weight[2])
    assert fit.classes["left_over"] == ["car", "person"]


def test_a_sigmoid_networks_class_finds_its_row_in_a_softmax_network(keep: Keep) -> None:
    old, new = drawn(lambda: unet(2), 0), drawn(lambda: unet(4), 1)
    fresh = new.classify.weight[0].clone()
    carry_over(new, keep(old, ("background", "car", "bus")), ("background", "bus", "car", "van"))
    assert torch.equal(new.classify.weight[1], old.classify.weight[1])
    assert torch.equal(new.classify.weight[2], old.classify.weight[0])
    assert torch.equal(new.classify.weight[0], fresh), "a sigmoid has no row of the background"


def test_transposed_convolutions_of_classes_are_carried_in_both_dimensions(keep: Keep) -> None:
    settings = FCNSettings(base_channels=2)
    old, new = build_fcn(settings, 3), build_fcn(settings, 5)
    for weights in old.parameters():
        nn.init.normal_(weights)
    off_diagonal = new.get_parameter("up.0.weight")[0, 1].clone()
    carry_over(new, keep(old), NEW)
    up, theirs = new.get_parameter("up.0.weight"), old.get_parameter("up.0.weight")
    assert torch.equal(up[2, 1], theirs[0, 1]), "from car to person"
    assert torch.equal(up[4, 4], theirs[2, 2]), "of traffic light"
    assert torch.equal(up[0, 1], off_diagonal), "from the new class to an old one"


def test_added_classes_leave_the_scores_of_the_others_bit_equal(keep: Keep) -> None:
    old, new = drawn(lambda: unet(3), 0).eval(), drawn(lambda: unet(5), 1).eval()
    carry_over(new, keep(old), (*OLD, "bus", "traffic sign"))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    seen: list[Tensor] = []
    new.classify.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        expected, found = old(images), new(images)
        rows = functional.conv2d(seen[0], new.classify.weight[:3], new.classify.bias[:3])
    assert torch.equal(rows, expected)
    # A convolution may add up in an order that depends on the number of its rows.
    torch.testing.assert_close(found[:, :3], expected, rtol=1e-6, atol=1e-6)


def test_detector_with_added_classes_scores_regions_of_the_old_ones_alike(keep: Keep) -> None:
    old, new = drawn(lambda: small_mask_rcnn(3), 0), drawn(lambda: small_mask_rcnn(5), 1)
    carry_over(new, keep(old), (*OLD, "bus", "traffic sign"))
    image = [torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(2))]
    scores: list[Tensor] = []
    for network in (old.eval(), new.eval()):
        predictor = network.roi_heads.get_submodule("box_predictor.cls_score")
        predictor.register_forward_hook(lambda _, __, logits: scores.append(logits))
        with torch.no_grad():
            network(image)
    assert len(scores[0]) == 20
    assert torch.equal(scores[1][:, :4], scores[0])


@pytest.mark.parametrize(
    ("old_classes", "new_classes"),
    [("ab", "ca"), ("ab", "ba"), ("abc", "cda"), ("abcd", "efghd"), ("abc", "c"), ("ab", "abc")],
)
def test_classes_keep_their_codes_and_new_ones_get_others(
    old_classes: str, new_classes: str, keep: Keep
) -> None:
    old, new = (
        LeNet5(LeNet5Settings(form="paper"), len(each)) for each in (old_classes, new_classes)
    )
    carry_over(new, keep(old, (*old_classes,)), (*new_classes,))
    before = class_codes(len(old_classes)).tolist()
    after = new.state_dict()["output.codes"].tolist()
    for name, code in zip(new_classes, after, strict=True):
        assert name not in old_classes or code == before[old_classes.index(name)]
    assert len({*map(tuple, after)}) == len(new_classes)


def test_codes_stay_apart_when_weights_go_on_from_training_to_training(keep: Keep) -> None:
    first, second, third = (LeNet5(LeNet5Settings(form="paper"), 2) for _ in range(3))
    carry_over(second, keep(first, ("a", "b")), ("c", "a"))
    carry_over(third, keep(second, ("c", "a")), ("d", "c"))
    assert torch.equal(
        third.state_dict()["output.codes"][1], second.state_dict()["output.codes"][0]
    )
    assert not torch.equal(*third.state_dict()["output.codes"])


def test_what_was_fitted_to_other_classes_is_to_be_fitted_anew(keep: Keep) -> None:
    old, new = (Rows(3, ClassRows("last")) for _ in range(2))
    fitted, fresh = FittedLinear(2, 3), FittedLinear(2, 3)
    old.add_module("last", fitted)
    new.add_module("last", fresh)
    fitted.settle(torch.randn(3, 2), torch.randn(3), 0.5)
    carry_over(new, keep(old), OLD)
    assert not fresh.is_fitted


def test_without_the_names_of_classes_the_last_layers_start_anew(keep: Keep) -> None:
    old, new = drawn(lambda: unet(3), 0), drawn(lambda: unet(3), 1)
    fresh = new.classify.weight.clone()
    fit = carry_over(new, keep(old, None), OLD)
    assert torch.equal(new.classify.weight, fresh)
    assert torch.equal(new.down[0][0].weight, old.down[0][0].weight)
    assert fit.describe()["new_layers"] == fit.describe()["left_over_layers"] == ["classify"]


def test_weights_of_another_width_are_told_with_both_shapes(keep: Keep) -> None:
    start = keep(unet(3, base_channels=4))
    with pytest.raises(TransferError) as caught:
        carry_over(unet(3), start, OLD)
    assert str(caught.value) == (
        "study:first: weights must be of the network that the study trains, got down.0.0.weight "
        "of (4, 3, 3, 3) there and (2, 3, 3, 3) here, down.0.0.bias of (4,) there and (2,) here, "
        "down.0.2.weight of (4, 4, 3, 3) there and (2, 2, 3, 3) here and 11 more; set model as "
        "the run had it"
    )


def test_weights_of_another_architecture_are_told(keep: Keep) -> None:
    with pytest.raises(TransferError, match="got those of another, which have 0% of its weights"):
        carry_over(unet(3), keep(small_mask_rcnn(3)), OLD)


def test_rows_that_do_not_fit_the_classes_are_told(keep: Keep) -> None:
    start = keep(Rows(3, ClassRows("last")), classes=("car", "bus"))
    with pytest.raises(TransferError, match=r"last.weight must fit 2 classes \(car, bus\), got"):
        carry_over(Rows(3, ClassRows("last")), start, OLD)


def test_weights_that_changed_since_the_study_looked_are_refused(keep: Keep) -> None:
    start = keep(unet(3))
    torch.save(unet(3).state_dict(), start.file)
    with pytest.raises(TransferError, match="but have changed; launch it again"):
        carry_over(unet(3), start, OLD)


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    file = tmp_path / "notes.pt"
    file.write_bytes(b"no weights")
    digest = hashlib.sha256(b"no weights").hexdigest()
    with pytest.raises(TransferError, match="cannot be read: is not a saved state"):
        carry_over(unet(3), StartingWeights("notes.pt", file, digest, None), OLD)


def test_weights_that_were_drawn_and_do_not_learn_are_refused(keep: Keep) -> None:
    old, new = unet(3), unet(3)
    new.add_module("extra", nn.Linear(2, 2))
    fit = carry_over(new, keep(old), OLD)
    assert fit.new == ("extra.weight", "extra.bias")
    with pytest.raises(TransferError, match=r"but extra.weight, extra.bias are new"):
        require_no_frozen_noise(fit.new)
