import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.metrics.segmentation import rescore
from models.noop import score_test, train
from models.noop_landscape import planted_score
from models.noop_settings import NoopSettings
from models.session import Diverged, EpochReport, Interrupted, OutOfMemory
from models.settings import EvaluationSettings
from models.spending import Meter, TrainingLimits

Make = Callable[..., Any]


def noop(**settings: Any) -> NoopSettings:  # fields of NoopSettings
    return NoopSettings.model_validate(settings)


def test_nothing_that_a_study_file_needs_imports_torch() -> None:
    modules = (
        "models.catalog, models.noop, models.session, models.schedules, models.checkpoints, "
        "models.resolve, models.metrics.segmentation, models.segmentation.settings"
    )
    check = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_catalogs_import_no_numpy() -> None:
    check = "import sys, models.catalog; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_flat_landscape_scores_the_same_everywhere(attempts: Make) -> None:
    scores = [
        train(attempts(noop(), {"learning_rate": rate}).session()).metrics["val/iou"]
        for rate in (1e-4, 1e-1)
    ]
    assert scores == pytest.approx([0.9, 0.9], abs=2e-6)


def test_each_decade_from_the_optimum_costs_a_tenth(attempts: Make) -> None:
    model = noop(optimum={"learning_rate": 1e-3, "batch_size": 4})
    for rate, batch_size, expected in ((1e-3, 4, 0.9), (1e-2, 4, 0.8), (1e-5, 40, 0.6)):
        cell = attempts(model, {"learning_rate": rate, "batch_size": batch_size})
        assert train(cell.session()).metrics["val/iou"] == pytest.approx(expected, abs=2e-6)


def test_noise_is_of_the_seed_and_the_configuration(attempts: Make) -> None:
    def value(seed: int, rate: float) -> float:
        cell = attempts(noop(noise=0.05), {"learning_rate": rate}, seed=seed)
        return float(train(cell.session()).metrics["val/iou"])

    assert value(0, 1e-3) == value(0, 1e-3)
    assert len({value(0, 1e-3), value(1, 1e-3), value(0, 1e-2)}) == 3


def test_threshold_stage_finds_the_planted_threshold(attempts: Make) -> None:
    cell = attempts(noop(optimum={"threshold": 0.3}))
    result = train(cell.session())
    file = cell.folders[0] / result.files["predictions_val"]
    ious = {
        threshold: rescore(file, EvaluationSettings(threshold=threshold))["iou"]
        for threshold in (0.2, 0.3, 0.4, 0.5, 0.8)
    }
    assert max(ious, key=lambda threshold: ious[threshold]) == 0.3
    assert ious[0.3] == pytest.approx(0.9, abs=2e-6)
    assert ious[0.5] == result.metrics["val/iou"]
    assert ious[0.5] == pytest.approx(0.9 - 0.1 * 0.22185, abs=1e-5)


@pytest.mark.parametrize("moment", range(1, 7))
def test_stopped_noop_ends_with_the_undisturbed_value(moment: int, attempts: Make) -> None:
    undisturbed = train(attempts(noop(), {"epochs": 4}).session())
    cell = attempts(noop(), {"epochs": 4})
    with pytest.raises(Interrupted):
        train(cell.session(stop_at_poll=min(moment, 4)))
    result = train(cell.session())
    assert result.metrics == undisturbed.metrics
    assert result.train_macs == undisturbed.train_macs
    assert sorted({report.epoch for report in cell.reports}) == [1, 2, 3, 4]


def test_lost_epoch_changes_the_value(attempts: Make) -> None:
    undisturbed = train(attempts(noop(), {"epochs": 4}).session())
    cell = attempts(noop(), {"epochs": 4})
    with pytest.raises(Interrupted):
        train(cell.session(stop_at_poll=3))
    newest = max(cell.folders[0].glob("*.ckpt"))
    other = attempts(noop(), {"epochs": 4}, seed=9)
    with pytest.raises(Interrupted):
        train(other.session(stop_at_poll=3))
    newest.write_bytes(max(other.folders[0].glob("*.ckpt")).read_bytes())
    assert train(cell.session()).metrics != undisturbed.metrics


def test_fault_changes_no_value(attempts: Make) -> None:
    undisturbed = train(attempts(noop(noise=0.1)).session())
    cell = attempts(noop(noise=0.1, faults=[{"action": "raise", "at_epoch": 2, "attempts": 1}]))
    with pytest.raises(RuntimeError, match="planted failure in epoch 2"):
        train(cell.session())
    assert train(cell.session()).metrics == undisturbed.metrics
    assert cell.effective[1]["resumed_from_epoch"] == 1


def test_fault_without_a_number_of_attempts_strikes_every_time(attempts: Make) -> None:
    cell = attempts(noop(faults=[{"action": "nan", "at_epoch": 2}]))
    for _ in range(3):
        with pytest.raises(Diverged, match="got nan in epoch 2"):
            train(cell.session())


def test_fault_strikes_only_the_cells_it_names(attempts: Make) -> None:
    model = noop(faults=[{"action": "raise", "when": {"learning_rate": 0.1, "seed": 1}}])
    train(attempts(model, {"learning_rate": 0.1}, seed=0).session())
    train(attempts(model, {"learning_rate": 0.2}, seed=1).session())
    with pytest.raises(RuntimeError, match="planted"):
        train(attempts(model, {"learning_rate": 0.1}, seed=1).session())


def test_smaller_micro_batch_fits_into_memory(attempts: Make) -> None:
    model = noop(faults=[{"action": "oom", "fits_micro_batch": 2}])
    cell = attempts(model, {"batch_size": 8})
    for divisor in (1, 2):
        with pytest.raises(OutOfMemory, match="must be at most 2 images, got batch 8"):
            train(cell.session(micro_batch_divisor=divisor))
    assert train(cell.session(micro_batch_divisor=4)).epochs == 3


SCRIPT = """
import sys
from pathlib import Path
from models.noop import train
from models.noop_landscape import planted_score
from models.noop_settings import NoopSettings
from models.session import TrainingSession
from models.settings import EvaluationSettings, TrainingSettings
model = NoopSettings.model_validate_json(sys.argv[2])
train(TrainingSession(
    "semantic_segmentation", model, TrainingSettings(), EvaluationSettings(), 32, 0, 1, "val/iou",
    True, False, Path(sys.argv[1]), (), lambda: None,
    lambda report: print(report, flush=True), lambda _: None, lambda *_: None, lambda: False,
))
"""


def in_a_process(folder: Path, timeout_s: float = 60, **fault: Any) -> int:
    settings = noop(faults=[{"at_epoch": 2, **fault}]).model_dump_json()
    command = [sys.executable, "-c", SCRIPT, str(folder), settings]
    done = subprocess.run(command, timeout=timeout_s, capture_output=True, check=False)
    assert done.stdout.count(b"EpochReport") == 1, done.stderr.decode()
    return done.returncode


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"action": "exit", "code": 139}, 139),
        ({"action": "kill"}, -9),
        ({"action": "segfault"}, -11),
    ],
)
def test_fault_ends_the_process(fault: dict[str, Any], code: int, tmp_path: Path) -> None:
    assert in_a_process(tmp_path, **fault) == code


def test_hang_does_not_look_whether_to_stop(
    attempts: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 5:
            raise TimeoutError

    naps: list[float] = []
    monkeypatch.setattr("models.noop.time.sleep", slept)
    cell = attempts(noop(faults=[{"action": "hang"}]))
    with pytest.raises(TimeoutError):
        train(cell.session(stop_at_poll=1))
    assert cell.polls == 0


def test_stop_is_noticed_in_the_middle_of_an_epoch(attempts: Make) -> None:
    cell, started = attempts(noop(epoch_seconds=30)), time.monotonic()
    with pytest.raises(Interrupted):
        train(cell.session(stop_at_poll=3))
    assert time.monotonic() - started < 5


def test_time_limit_ends_complete(attempts: Make) -> None:
    cell = attempts(
        noop(epoch_seconds=0.05), {"epochs": 50}, meter=Meter(TrainingLimits(seconds=0.08))
    )
    result = train(cell.session())
    assert result.epochs == 2
    assert result.note == "time limit of 0.08 s reached after epoch 2"


def test_checkpoint_is_written_before_the_report(attempts: Make) -> None:
    cell = attempts(noop())
    written: list[list[str]] = []

    def report(_: EpochReport) -> None:
        written.append(sorted(file.name for file in cell.folders[0].glob("*.ckpt")))

    train(cell.session(report=report))
    assert [names[-1] for names in written] == [
        f"checkpoint-{epoch:06d}-00000000.ckpt" for epoch in (1, 2, 3)
    ]


def test_test_split_is_scored_from_the_weights(attempts: Make) -> None:
    cell = attempts(noop())
    result = train(cell.session())
    scored = score_test(cell.session(), cell.folders[0] / result.files["weights"])
    assert scored.metrics["test/iou"] == result.metrics["val/iou"]
    assert (cell.folders[1] / scored.files["predictions_test"]).is_file()


def test_cost_is_three_forward_passes_per_image(attempts: Make) -> None:
    result = train(attempts(noop(images=10, macs_per_image=7)).session())
    assert result.train_macs == 3 * 7 * 10 * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimum": {"learning_rat": 1}}, "got 'learning_rat'; did you mean 'learning_rate'?"),
        ({"optimum": {"learning_rate": 0}}, "optimum of learning_rate must be above 0, got 0"),
        (
            {"faults": [{"action": "raise", "when": {"sede": 1}}]},
            "got 'sede'; did you mean 'seed'?",
        ),
    ],
)
def test_misspelt_setting_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        noop(**settings)


def test_interaction_moves_the_best_learning_rate_with_the_batch_size() -> None:
    landscape = noop(
        optimum={"learning_rate": 0.01, "batch_size": 4},
        interaction={"of": ["learning_rate", "batch_size"], "strength": 0.5},
    )

    def score(learning_rate: float, batch_size: float) -> float:
        values = {"learning_rate": learning_rate, "batch_size": batch_size}
        return planted_score(landscape, values.get, seed=0, identity="")

    assert score(0.01, 4) == pytest.approx(0.9)
    assert score(0.1, 400) == pytest.approx(0.7), "two decades of batch size move it by one"
    assert score(0.01, 400) == pytest.approx(0.6)


def test_noise_of_a_seed_is_the_same_for_every_configuration() -> None:
    landscape = noop(seed_noise=0.1)
    first, second = (
        [planted_score(landscape, lambda _: None, seed=seed, identity=name) for seed in range(3)]
        for name in ("one", "other")
    )
    assert first == second
    assert len(set(first)) == 3


@pytest.mark.parametrize(
    ("interaction", "message"),
    [
        ({"of": ["learning_rate", "batch_siz"]}, "did you mean 'batch_size'"),
        ({"of": ["epochs", "epochs"]}, "must name two settings"),
        ({"of": ["learning_rate", "batch_size"], "strength": 0}, "moves nothing"),
        ({"of": ["learning_rate", "batch_size"]}, "add it to optimum"),
    ],
)
def test_interaction_without_effect_is_refused(interaction: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        noop(optimum={"learning_rate": 0.01}, interaction=interaction)
