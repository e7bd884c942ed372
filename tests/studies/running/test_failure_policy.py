"""What follows from how a trial ended: a row of tests per row of the policy's table."""

from dataclasses import replace
from typing import Any

import pytest

from studies.running.failure_policy import (
    MAX_FAULTS,
    TrialExit,
    Verdict,
    describe_exit,
    judge,
)
from trackers.event_log import Event
from trackers.records import Outcome

EXIT = TrialExit(
    end=None,
    exit_code=0,
    killed_because="",
    was_asked_to_stop=False,
    made_progress=False,
    earlier_faults=0,
    micro_batch_divisor=1,
    batch_size=8,
)


def said(name: str, **fields: object) -> Event:
    return Event(name, 0.0, fields)


def ended(kind: str, **fields: object) -> Event:
    return said("ended", kind=kind, **fields)


TABLE: dict[str, tuple[dict[str, Any], Verdict]] = {
    "finished": ({"end": said("finished", note="")}, Verdict(Outcome.COMPLETE, "")),
    "finished early, with a note": (
        {"end": said("finished", note="stopped at epoch 3")},
        Verdict(Outcome.COMPLETE, "stopped at epoch 3"),
    ),
    "finished, then crashed while it ended": (
        {"end": said("finished"), "exit_code": -11},
        Verdict(Outcome.COMPLETE, ""),
    ),
    "finished just before it was killed": (
        {"end": said("finished"), "killed_because": "hung", "was_asked_to_stop": True},
        Verdict(Outcome.COMPLETE, ""),
    ),
    "lost one of its processes": (
        {"end": ended("lost", message="process 2 of 2 was lost: exit code -9")},
        Verdict(
            Outcome.LOST,
            "process 2 of 2 was lost: exit code -9",
            retries=True,
            is_fault=True,
        ),
    ),
    "ran out of memory": (
        {"end": ended("out_of_memory")},
        Verdict(
            Outcome.INFEASIBLE,
            "out of memory at micro-batch 8; again with 4",
            retries=True,
            micro_batch_divisor=2,
        ),
    ),
    "ran out of memory at micro-batch 1": (
        {"end": ended("out_of_memory"), "micro_batch_divisor": 8},
        Verdict(Outcome.INFEASIBLE, "out of memory at micro-batch 1"),
    ),
    "diverged": (
        {"end": ended("diverged", message="loss is nan in epoch 2")},
        Verdict(Outcome.INFEASIBLE, "loss is nan in epoch 2"),
    ),
    "was killed, before an epoch": (
        {"exit_code": -9, "micro_batch_divisor": 4},
        Verdict(
            Outcome.LOST,
            "exit code -9 (SIGKILL)",
            retries=True,
            is_fault=True,
        ),
    ),
    "was killed, after an epoch": (
        {"exit_code": -9, "made_progress": True, "earlier_faults": MAX_FAULTS},
        Verdict(Outcome.LOST, "exit code -9 (SIGKILL)", retries=True),
    ),
    "crashed a third time": (
        {"exit_code": 139, "earlier_faults": 2},
        Verdict(Outcome.LOST, "exit code 139 (SIGSEGV)", retries=True, is_fault=True),
    ),
    "crashed a fourth time": (
        {"exit_code": 139, "earlier_faults": 3},
        Verdict(
            Outcome.LOST,
            "exit code 139 (SIGSEGV), 4 times without finishing an epoch",
            is_fault=True,
        ),
    ),
    "raised": (
        {"end": ended("failed", message="KeyError: 'x'", signature="KeyError at a.py:3")},
        Verdict(Outcome.FAILED, "KeyError: 'x'", signature="KeyError at a.py:3"),
    ),
    "stopped when asked": (
        {"end": ended("stopped"), "was_asked_to_stop": True},
        Verdict(Outcome.STOPPED, "stopped with a checkpoint"),
    ),
    "crashed when asked to stop": (
        {"exit_code": 1, "was_asked_to_stop": True},
        Verdict(Outcome.STOPPED, "ended while stopping: exit code 1"),
    ),
    "hung": (
        {"exit_code": -9, "killed_because": "hung: no step for 30m"},
        Verdict(Outcome.STOPPED, "hung: no step for 30m"),
    ),
    "was asked to stop by another": (
        {"end": ended("stopped"), "micro_batch_divisor": 2},
        Verdict(
            Outcome.STOPPED,
            "asked to stop from outside",
            retries=True,
            is_fault=True,
        ),
    ),
    "was asked to stop by another, again and again": (
        {"end": ended("stopped"), "earlier_faults": 3},
        Verdict(
            Outcome.STOPPED,
            "asked to stop from outside, 4 times without finishing an epoch",
            is_fault=True,
        ),
    ),
    "found the disk full": (
        {"end": ended("disk_full", message="no space left")},
        Verdict(Outcome.STOPPED, "disk full: no space left", stops_study=True),
    ),
}


@pytest.mark.parametrize(("facts", "verdict"), TABLE.values(), ids=TABLE.keys())
def test_a_trial_is_judged_by_the_table(facts: dict[str, Any], verdict: Verdict) -> None:
    assert judge(replace(EXIT, **facts)) == verdict


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(1, [1]), (2, [2, 1]), (5, [5, 3, 2, 1]), (8, [8, 4, 2, 1]), (9, [9, 5, 3, 2, 1])],
)
def test_memory_is_tried_down_to_a_micro_batch_of_one(batch_size: int, sizes: list[int]) -> None:
    trial = replace(EXIT, end=ended("out_of_memory"), batch_size=batch_size)
    tried = []
    verdict = Verdict(Outcome.INFEASIBLE, "", retries=True)
    while verdict.retries:
        divisor = verdict.micro_batch_divisor or trial.micro_batch_divisor
        trial = replace(trial, micro_batch_divisor=divisor)
        tried.append(-(-batch_size // trial.micro_batch_divisor))
        verdict = judge(trial)
        assert verdict.outcome is Outcome.INFEASIBLE
        assert f"at micro-batch {tried[-1]}" in verdict.reason
    assert tried == sizes


@pytest.mark.parametrize(
    ("exit_code", "text"),
    [
        (None, "the process vanished"),
        (0, "exit code 0"),
        (3, "exit code 3"),
        (-9, "exit code -9 (SIGKILL)"),
        (139, "exit code 139 (SIGSEGV)"),
        (128, "exit code 128"),
        (255, "exit code 255"),
    ],
)
def test_an_exit_code_is_named_by_its_signal(exit_code: int | None, text: str) -> None:
    assert describe_exit(exit_code) == text
