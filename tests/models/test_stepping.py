"""Warm-up and clipping in the training loop, against torch's own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision.amp import MixedPrecision
from torch.amp import GradScaler
from torch.optim import lr_scheduler

from models.schedule_settings import Warmup
from models.schedules import Place, warmup_factor
from models.session import Interrupted
from models.settings import TrainingSettings
from models.stepping import set_step_rate, take_step
from models.training import train
from models.workbench import set_up


def test_factors_are_those_of_torchs_warm_up() -> None:
    steps, warmup = 4, Warmup(epochs=2.5, start_factor=0.2)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=10)
    for step in range(14):
        factor = warmup_factor(warmup, step / steps)
        assert factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step
        optimizer.step()
        scheduler.step()


def test_without_a_warm_up_the_first_step_has_the_whole_rate() -> None:
    assert warmup_factor(None, 0.0) == 1.0


def test_warm_up_goes_on_over_epochs_and_multiplies_the_schedule(
    attempts: Callable[..., Any],
) -> None:
    training = {
        "epochs": 4,
        "warmup": {"epochs": 2, "start_factor": 0.4},
        "schedule": {"name": "step", "every_epochs": 1, "factor": 0.5},
    }
    cell = attempts(training=training)
    train(cell.session())
    assert cell.effective[0]["learning_rate"] == 0.01
    assert cell.effective[0]["first_learning_rate"] == pytest.approx(0.01 * 0.4)
    last = [report.metrics["learning_rate"] for report in cell.reports]  # of 3 steps an epoch
    grown = [0.4 + 0.6 * (2 / 3) / 2, 0.4 + 0.6 * (5 / 3) / 2, 1, 1]
    halved = [0.01 * 0.5**epoch for epoch in range(4)]
    assert last == pytest.approx([a * b for a, b in zip(grown, halved, strict=True)])


BY_STEPS: dict[str, dict[str, Any]] = {
    "cyclical": {"half_cycle_epochs": 0.75},
    "one_cycle": {"lowest_momentum": 0.3},
    "polynomial": {},
}


@pytest.mark.parametrize("name", BY_STEPS)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_training_that_was_stopped_in_an_epoch_goes_on_with_the_same_rates(
    attempts: Callable[..., Any], name: str, accumulate: int
) -> None:
    recipe = {"schedule": {"name": name, **BY_STEPS[name]}, "accumulate": accumulate}
    whole, cut = attempts(training=recipe), attempts(training=recipe)
    expected = train(whole.session())
    with pytest.raises(Interrupted):
        train(cut.session(stop_at_poll=4))
    found = train(cut.session())
    files = [
        torch.load(cell.folders[-1] / result.files["weights"])
        for cell, result in ((whole, expected), (cut, found))
    ]
    torch.testing.assert_close(files[0], files[1], rtol=0, atol=0)
    rates = [
        {report.epoch: report.metrics["learning_rate"] for report in cell.reports}
        for cell in (whole, cut)
    ]
    assert rates[0] == rates[1]
    assert len(set(rates[0].values())) > 1, "the case must show the schedule at work"


def test_one_cycle_moves_the_momentum_of_the_live_optimizer(attempts: Callable[..., Any]) -> None:
    """Of 4 steps the second one is at the top: rising_share 0.5 of them, less one."""
    one_cycle = {"name": "one_cycle", "rising_share": 0.5, "lowest_momentum": 0.3}
    cell = attempts(training={"epochs": 2, "schedule": one_cycle, "learning_rate": 0.5})
    bench, seen = set_up(cell.session()), []
    for step in range(4):
        set_step_rate(bench, cell.training, 0.5, Place(*divmod(step, 2), 2))
        group = bench.optimizer.param_groups[0]
        seen.append((group["lr"], group["betas"][0]))
    assert [rate for rate, _ in seen] == pytest.approx([0.02, 0.5, 0.250001, 2e-6])
    assert [beta1 for _, beta1 in seen] == pytest.approx([0.9, 0.3, 0.6, 0.9])


def test_warm_up_keeps_the_factors_of_layers(attempts: Callable[..., Any]) -> None:
    training = {
        "warmup": {"epochs": 1, "start_factor": 0.5},
        "transfer": {"learning_rate_factors": {"classify": 10}},
    }
    bench = set_up(attempts(training=training).session())
    before = [group["lr"] for group in bench.optimizer.param_groups]
    assert before == pytest.approx([0.01, 0.1])


def test_warm_up_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warmup.epochs must be below epochs 3, .*; got 3"):
        TrainingSettings.model_validate({"epochs": 3, "warmup": {"epochs": 3}})


@pytest.mark.parametrize("longest", [0.5, 1e6])
def test_clipping_is_torchs_over_all_weights(longest: float, attempts: Callable[..., Any]) -> None:
    training = {"optimizer": "sgd", "learning_rate": 1.0, "clip_gradients": longest}
    cell = attempts(training=training)
    bench = set_up(cell.session())
    weights: list[torch.Tensor] = list(bench.model.parameters())
    gradients = [torch.randn_like(each) for each in weights]
    expected = [each.detach().clone() for each in weights]
    for each, gradient in zip(weights, gradients, strict=True):
        each.grad = gradient.clone()
    alone = [torch.zeros_like(each) for each in gradients]
    for each, gradient in zip(alone, gradients, strict=True):
        each.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(alone, longest)
    assert (norm > longest) == (longest < 1), "both cases must be met"
    take_step(bench, cell.training)
    for each, before, clipped in zip(weights, expected, alone, strict=True):
        assert clipped.grad is not None
        torch.testing.assert_close(each.detach(), before - clipped.grad)


def test_accumulated_batches_are_clipped_once_as_one_large_batch(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    common = {"optimizer": "sgd", "epochs": 2, "learning_rate": 0.5, "clip_gradients": 0.1}
    found = []
    for sizes in ({"batch_size": 4}, {"batch_size": 2, "accumulate": 2}):
        cell = attempts(training={**common, **sizes}, data=tiny_data(count=8))
        result = train(cell.session())
        found.append(torch.load(cell.folders[0] / result.files["weights"]))
        assert cell.effective[0]["clip_gradients"] == 0.1
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


def test_scaled_gradients_are_clipped_in_their_own_unit(attempts: Callable[..., Any]) -> None:
    """The scaler of half precision, which trainings have on a GPU, works on a CPU too."""
    cell = attempts(training={"clip_gradients": 0.5})
    precision = MixedPrecision("16-mixed", "cpu", GradScaler("cpu", init_scale=128.0))
    fabric = Fabric(accelerator="cpu", devices=1, plugins=precision)
    model = torch.nn.Linear(4, 3, bias=False)
    network, stepper = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=1.0))
    bench = replace(
        set_up(cell.session()), fabric=fabric, model=model, network=network, stepper=stepper
    )
    before = model.weight.detach().clone()
    fabric.backward(network(torch.randn(8, 4)).sum())
    assert model.weight.grad is not None
    assert model.weight.grad.norm() > 128, "still scaled, and longer than 0.5 without it"
    take_step(bench, cell.training)
    assert float((model.weight.detach() - before).norm()) == pytest.approx(0.5, rel=1e-3)


def test_gradient_that_is_not_finite_is_left_to_the_scaler(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"clip_gradients": 0.5})
    fabric = Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu"))
    model = torch.nn.Linear(4, 3, bias=False)
    network, stepper = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=1.0))
    bench = replace(
        set_up(cell.session()), fabric=fabric, model=model, network=network, stepper=stepper
    )
    before = model.weight.detach().clone()
    fabric.backward(network(torch.full((1, 4), 6e4)).float().square().sum())
    take_step(bench, cell.training)
    assert torch.equal(model.weight, before)
