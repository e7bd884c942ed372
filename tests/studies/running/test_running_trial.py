"""A trial as its coordinator sees it."""

import time
from pathlib import Path

from studies.running.progress import RunningRow
from studies.running.running_trial import RunningTrial
from studies.running.trial_order import Slot, TrialOrder
from studies.tree.cell_history import CellHistory
from trackers.event_log import EventLog


def test_time_limits_see_the_training_alone_and_that_of_all_attempts(tmp_path: Path) -> None:
    order = TrialOrder(
        purpose="train",
        task="semantic_segmentation",
        cell="c",
        attempt=2,
        settings={},
        seed=0,
        objective="val/iou",
        maximize=True,
        scores_test=False,
        folder=tmp_path,
        earlier_folders=(),
        micro_batch_divisor=1,
        weights=None,
    )
    trial = RunningTrial(
        order,
        Slot(0, None, "cpu", 1),
        RunningRow("c", "c", 2, "cpu", 4),
        CellHistory(),
        started_at=time.monotonic() - 3600.0,  # it decoded for an hour
    )
    assert trial.trained_s() == 0.0
    assert trial.running_s() >= 3600.0

    log = EventLog(trial.log_file)
    for epoch, wall_s in ((1, 40.0), (2, 50.0)):
        log.append("epoch", epoch=epoch, metrics={}, wall_s=wall_s, images_seen=1, finished_at=0.0)
    log.close()
    trial.read()
    assert trial.trained_s() == 50.0
