"""What every network of the catalog must hold to."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.catalog import MODELS, TASKS
from models.cost import count_parameters
from models.pretrained_settings import PretrainedModelSettings
from models.resolve import resolve
from models.settings import EvaluationSettings, ModelSettings, TrainingSettings

NETWORKS = sorted(
    name
    for name, entry in MODELS.items()
    if entry.builder is not None and "semantic_segmentation" in entry.tasks
)
SMALL: dict[str, dict[str, Any]] = {
    # Settings that make a network small enough to run here; unnamed ones run at their defaults.
    "unet": {"base_channels": 4},
    "segnet": {"base_channels": 4},
    "fcn_vgg16": {"base_channels": 4},
    "deeplabv3": {"backbone": "mobilenet_v3_large"},
    "deeplabv3plus": {"encoder": "resnet18"},
    "fpn": {"encoder": "resnet18"},
    "unet_encoder": {"encoder": "resnet18"},
    "unetplusplus": {"encoder": "resnet18"},
}
CHANNELS = 3


def settings_of(name: str) -> ModelSettings:
    return MODELS[name].settings.model_validate({"name": name, **SMALL.get(name, {})})


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = resolve(str(MODELS[name].builder))(settings_of(name), CHANNELS)
    return network


def build_awake(name: str, seed: int = 0) -> nn.Module:
    """Build a network whose layers that start at zero, such as FCN's scores, say something."""
    network = build(name, seed)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def smallest_size(name: str) -> int:
    entry, settings = MODELS[name], settings_of(name)
    return next(size for size in range(16, 1024) if entry.size_rule(settings, size) is None)


def images(name: str, count: int = 2) -> Tensor:
    size = smallest_size(name)
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", sorted(MODELS))
class TestModelEntry:
    def test_settings_carry_the_catalogs_name(self, name: str) -> None:
        assert MODELS[name].settings.model_validate({"name": name}).name == name

    def test_settings_survive_json(self, name: str) -> None:
        settings = settings_of(name)
        assert type(settings).model_validate_json(settings.model_dump_json()) == settings

    def test_settings_say_what_each_field_means(self, name: str) -> None:
        schema = MODELS[name].settings.model_json_schema()["properties"]
        undescribed = [
            field
            for field in schema
            if field != "name" and not MODELS[name].settings.model_fields[field].description
        ]
        assert undescribed == []

    def test_tasks_are_in_the_catalog(self, name: str) -> None:
        assert MODELS[name].tasks
        assert MODELS[name].tasks <= set(TASKS)

    def test_functions_exist_and_take_what_the_catalog_says(self, name: str) -> None:
        entry = MODELS[name]
        for target, arguments in ((entry.builder, 2), (entry.trainer, 1), (entry.scorer, 2)):
            if target is not None:
                inspect.signature(resolve(target)).bind(*range(arguments))

    def test_pretrained_weights_are_offered_where_they_can_be_loaded(self, name: str) -> None:
        entry = MODELS[name]
        assert issubclass(entry.settings, PretrainedModelSettings) == (entry.pretrain is not None)
        if entry.pretrain is not None:
            inspect.signature(resolve(entry.pretrain)).bind(*range(2))

    def test_impossible_size_is_told_with_one_that_is_possible(self, name: str) -> None:
        entry, settings = MODELS[name], settings_of(name)
        for size in range(1, 200):
            message = entry.size_rule(settings, size)
            if message is not None:
                assert str(size) in message
                assert "; use " in message


@pytest.mark.parametrize("name", NETWORKS)
class TestNetwork:
    def test_parameter_counts_are_those_of_the_catalog(self, name: str) -> None:
        entry = MODELS[name]
        assert entry.parameters
        for channels in (1, 2, 12):
            with torch.device("meta"):
                network = resolve(str(entry.builder))(entry.settings(name=name), channels)
            assert count_parameters(network) == entry.parameters[channels]

    def test_output_has_a_channel_per_class(self, name: str) -> None:
        output = build(name).eval()(images(name))
        assert output.shape[:2] == (2, CHANNELS)
        assert output.dtype == torch.float32

    def test_gradients_reach_every_parameter(self, name: str) -> None:
        network = build_awake(name)
        parameters = dict(network.named_parameters())
        output = network(images(name))
        gradients = torch.autograd.grad(
            (output * torch.randn_like(output)).sum(), [*parameters.values()]
        )
        unmoved = [
            parameter
            for parameter, gradient in zip(parameters, gradients, strict=True)
            if not gradient.abs().sum() > 0
        ]
        assert unmoved == []

    def test_state_dict_round_trip(self, name: str) -> None:
        first, second = build_awake(name, seed=0).eval(), build_awake(name, seed=1).eval()
        with torch.no_grad():
            assert not torch.equal(first(images(name)), second(images(name)))
            second.load_state_dict(first.state_dict())
            assert torch.equal(first(images(name)), second(images(name)))

    def test_same_seed_gives_the_same_weights(self, name: str) -> None:
        first, second = build(name, seed=4).state_dict(), build(name, seed=4).state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)

    def test_one_image_is_a_batch(self, name: str) -> None:
        network = build(name).train()
        assert len(network(images(name, count=1))) == 1

    def test_images_of_a_batch_do_not_mix(self, name: str) -> None:
        network, pair = build_awake(name).eval(), images(name)
        with torch.no_grad():
            together, alone = network(pair)[:1], network(pair[:1])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(TASKS))
class TestTaskEntry:
    def test_functions_exist_and_take_what_the_catalog_says(self, name: str) -> None:
        entry = TASKS[name]
        inspect.signature(resolve(entry.builder)).bind(*range(3))
        if entry.rescore is not None:
            inspect.signature(resolve(entry.rescore)).bind(*range(2))
        if entry.predictor is not None:
            inspect.signature(resolve(entry.predictor)).bind(*range(2))

    def test_metrics_are_named_once(self, name: str) -> None:
        assert len(set(TASKS[name].metrics)) == len(TASKS[name].metrics)

    def test_threshold_changes_some_metrics_and_not_all(self, name: str) -> None:
        entry, changed = TASKS[name], set(TASKS[name].at_threshold)
        assert bool(changed) == ("evaluation.threshold" not in entry.idle_settings)
        assert changed < set(entry.metrics)
        assert "loss" not in changed

    def test_losses_and_idle_settings_are_settings(self, name: str) -> None:
        known = {
            f"{section}.{field}"
            for section, settings in (
                ("training", TrainingSettings),
                ("evaluation", EvaluationSettings),
            )
            for field in settings.model_fields
        }
        assert set(TASKS[name].idle_settings) <= known
        losses = TASKS[name].losses or ()
        assert [TrainingSettings(loss=loss).loss for loss in losses] == list(losses)

    def test_saved_predictions_are_named_by_split(self, name: str) -> None:
        names = {TASKS[name].predictions.format(split=split) for split in ("val", "test")}
        assert len(names) == 2


def test_unknown_function_is_told() -> None:
    with pytest.raises(
        ImportError, match=r"must name a function: models\.catalog has no 'nothing'"
    ):
        resolve("models.catalog:nothing")
