"""What several processes cannot train is refused before a trial starts."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from studies.cli.app import app
from studies.running import devices
from studies.running.devices import TooFewGpusError, slots
from studies.running.executors import Placement
from studies.running.rank_preflight import RanksRefusedError, check_ranks
from studies.spec.schema import StudySpec

MakeSpec = Callable[..., StudySpec]
SCENES = {"dataset": "street_scenes", "images": 60, "classes": ["bus"], "image_size": 32}
TWO = Placement(processes=2)


@pytest.fixture(autouse=True)
def _no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, 0)


def lend(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    found = tuple((str(index), "H200") for index in range(gpus))
    for module in ("devices", "rank_preflight"):
        monkeypatch.setattr(f"studies.running.{module}.visible_gpus", lambda: found)


def small(make_spec: MakeSpec, *stages: Any, batch_size: int = 4, **model: Any) -> StudySpec:
    rates = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}
    unet = {"name": "unet", "base_channels": 2, "depth": 2, **model}
    training = {"batch_size": batch_size, "epochs": 1}
    return make_spec(*(stages or (rates,)), data=SCENES, model=unet, training=training)


def refused(spec: StudySpec, placement: Placement) -> str:
    with pytest.raises(RanksRefusedError) as caught:
        check_ranks(spec, placement)
    return str(caught.value)


def test_network_without_normalisation_is_accepted(make_spec: MakeSpec) -> None:
    check_ranks(small(make_spec), TWO)


def test_one_process_is_never_asked(make_spec: MakeSpec) -> None:
    check_ranks(small(make_spec, batch_norm=True), Placement())


def test_normalisation_over_the_batch_is_refused_on_the_cpu(make_spec: MakeSpec) -> None:
    said = refused(small(make_spec, batch_norm=True), TWO)

    assert said.startswith("--processes-per-trial 2: a network trained by 2 processes on the CPU")
    assert said.endswith("got UNet; use one process, or GPUs")


def test_swept_normalisation_is_refused_too(make_spec: MakeSpec) -> None:
    stage = {"stage": "norm", "vary": {"model.batch_norm": [False, True]}}

    assert "must have no batch normalisation" in refused(small(make_spec, stage), TWO)


def test_normalised_batches_that_gpus_cannot_share_evenly_are_refused(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    lend(monkeypatch, 2)

    check_ranks(small(make_spec, batch_norm=True), TWO)
    said = refused(small(make_spec, batch_norm=True, batch_size=5), TWO)

    assert "training.batch_size must be a multiple of the 2 processes, got 5" in said


@pytest.mark.parametrize(
    ("sizes", "got"),
    [
        ([4, 5], "5"),
        ({"low": 4, "high": 8, "integer": True}, "5"),
        ({"low": 3, "high": 9, "step": 2, "integer": True}, "3"),
        ({"low": 4, "high": 8, "log": True, "integer": True}, "5"),
        ({"low": 4, "high": 8, "step": 2, "integer": True}, None),
    ],
    ids=str,
)
def test_normalised_batches_that_a_search_may_choose_are_tried(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, sizes: Any, got: str | None
) -> None:
    lend(monkeypatch, 2)
    sampled = {} if isinstance(sizes, list) else {"sampler": "random", "trials": 2}
    stage = {"stage": "batch size", "vary": {"training.batch_size": sizes}, **sampled}
    spec = small(make_spec, stage, batch_norm=True)

    if got is None:
        check_ranks(spec, TWO)
    else:
        assert f"a multiple of the 2 processes, got {got}" in refused(spec, TWO)


def test_more_processes_than_images_of_any_batch_are_refused(make_spec: MakeSpec) -> None:
    stage = {"stage": "batch size", "vary": {"training.batch_size": [1, 2]}}

    check_ranks(small(make_spec, stage, batch_size=1), TWO)
    said = refused(small(make_spec, stage, batch_size=1), Placement(processes=3))

    assert "--processes-per-trial must be at most training.batch_size, whose largest is 2" in said


def test_trainer_of_its_own_is_refused_with_what_would_do(make_spec: MakeSpec) -> None:
    said = refused(make_spec({"stage": "rate", "vary": {"training.epochs": [1, 2]}}), TWO)

    assert said.startswith("--processes-per-trial must be 1 for model 'noop'")
    assert re.search(r"models of this task that several train: .*\bunet\b", said)


def test_trials_of_several_gpus_take_them_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, 5)

    found = slots(None, 2)

    assert [(slot.gpu, slot.gpus, slot.processes) for slot in found] == [
        ("0,1", ("0", "1"), 2),
        ("2,3", ("2", "3"), 2),
    ]
    assert found[0].device == "cuda:0 H200 + cuda:1 H200"


def test_more_trials_than_sets_of_gpus_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, 2)

    assert [(slot.gpu, slot.share) for slot in slots(2, 2)] == [("0,1", 0.5), ("0,1", 0.5)]


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, 2)

    with pytest.raises(TooFewGpusError, match="at most the 2 GPUs of this machine, got 3"):
        slots(None, 3)


def test_processes_on_the_cpu_share_the_threads_of_their_trial() -> None:
    (slot,) = slots(1, 2)

    assert (slot.gpus, slot.processes, slot.threads) == ((), 2, devices.cpu_count())


def test_processes_in_the_launch_itself_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("study: demo\n")
    arguments = ["launch", str(file), "--executor", "inline", "--processes-per-trial", "2"]

    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 2
    assert (
        "--executor inline trains in this process alone, got --processes-per-trial 2; "
        "leave it out, or use --executor local"
    ) in done.output
