"""Tables of a small study whose every number was worked out by hand.

Two stages of two configurations with three seeds; the comments hold the arithmetic. The 97.5 %
point of Student's t with two degrees of freedom is 4.30265, so that three values of standard
deviation 0.02 have an interval of 4.30265 x 0.02 / sqrt(3) = 0.04968 around their mean.
"""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.page import render
from studies.tree.decisions import Candidate, Rule, decide
from trackers.records import (
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    EpochRecord,
    Outcome,
    StageRecord,
    StudyRecord,
    TrialRecord,
)

IOU = {
    "rate 1e-3": (0.50, 0.52, 0.54),  # mean 0.52, deviation 0.02: 0.470 to 0.570
    "rate 1e-4": (0.30, 0.34, 0.32),  # mean 0.32, deviation 0.02: 0.270 to 0.370
    "batch 8": (0.53, 0.51, 0.55),  # mean 0.53, deviation 0.02: 0.480 to 0.580
}
LOSS = {"rate 1e-3": 0.25, "rate 1e-4": 0.5, "batch 8": 0.125}
SECONDS = {"rate 1e-3": 60.0, "rate 1e-4": 60.0, "batch 8": 120.0}
MACS = {"rate 1e-3": 1.5e12, "rate 1e-4": 1.5e12, "batch 8": 3e12}
# 3.6 EUR per hour are 0.001 EUR per second; 600 W are 600 J per second.
MINUS = "\N{MINUS SIGN}"
PRICE: dict[str, float | str] = {"provider": "a cloud", "price_per_hour": 3.6, "currency": "EUR"}


class Tables(HTMLParser):
    """Reads the text of every table, row by row, with its caption."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, list[list[str]]]] = []
        self._inside = ""  # the tag whose text is read: a caption or a cell

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "table":
            self.found.append(("", []))
        elif tag == "tr" and self.found:
            self.found[-1][1].append([])
        elif tag in ("th", "td"):
            self.found[-1][1][-1].append("")
        if tag in ("caption", "th", "td"):
            self._inside = tag
        elif tag == "span" and self._inside:
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        caption, rows = self.found[-1] if self.found else ("", [])
        if self._inside == "caption":
            self.found[-1] = (f"{caption} {data}".strip(), rows)
        elif self._inside:
            rows[-1][-1] += data


def rows_of(html: str, caption: str, index: int = 0) -> list[list[str]]:
    """Return the rows after the heads of the n-th table with a caption, spaces made equal."""
    tables = Tables()
    tables.feed(html)
    found = [rows for name, rows in tables.found if name == caption]
    rows = [[" ".join(cell.split()) for cell in row] for row in found[index] if row]
    return [[cell.replace("\N{WORD JOINER}", "") for cell in row] for row in rows][1:]


def cell_of(name: str, seed: int) -> CellRecord:
    identity, seconds = f"{name}, {seed}", SECONDS[name]
    epochs = tuple(
        EpochRecord(number, {"train/loss": loss, "val/iou": iou}, seconds * number / 2, 64, 0.0)
        for number, loss, iou in ((1, 1.0, 0.1), (2, LOSS[name], IOU[name][seed]))
    )
    attempts = [TrialRecord(identity, 1, Outcome.COMPLETE, "", "cpu", "a", 0, seconds, 0, "")]
    if identity == "rate 1e-4, 2":  # was killed after a minute once
        lost = TrialRecord(identity, 1, Outcome.LOST, "killed", "cpu", "a", 0, 60, 0, "")
        attempts = [lost, replace(attempts[0], attempt=2)]
    return CellRecord(
        id=identity,
        settings={"training.learning_rate": float(name[5:]) if name[0] == "r" else 1e-3},
        seed=seed,
        group="",
        outcome=Outcome.COMPLETE,
        reason="",
        metrics={"val/iou": IOU[name][seed]},
        best_epoch=2,
        epochs=epochs,
        trials=tuple(replace(each, costs=_costs(each)) for each in attempts),
        train_macs=MACS[name],
    )


def _costs(trial: TrialRecord) -> Mapping[str, float | str]:
    seconds = trial.ended_at or 0.0
    counted = {"device_s": seconds, "epochs": 2.0, "images": 128.0, "peak_memory_mb": 512.0}
    return {**counted, "energy_j": 600 * seconds, "money": 0.001 * seconds, **PRICE}


def decided(stage: str, names: Mapping[str, str], tried: int) -> DecisionRecord:
    """Decide as a study does: the cheapest that cannot be told from the best mean."""
    candidates = [
        Candidate(
            configuration,
            configuration,
            {f"seed {seed}": value for seed, value in enumerate(IOU[name])},
            (),
            MACS[name],
            SECONDS[name],
        )
        for configuration, name in names.items()
    ]
    rule = Rule(
        stage, "", "val/iou", maximize=True, confidence=0.95, prefers_cheapest=True, beam=1
    )
    found = decide(candidates, replace(rule, tried=tried))
    assert found is not None
    return found


def stage_of(
    name: str, path: str, names: Mapping[str, str], values: tuple[float, ...], parent: str | None
) -> StageRecord:
    configurations = tuple(
        ConfigurationRecord(
            key, parent, {path: value}, "", tuple(f"{cells}, {s}" for s in range(3))
        )
        for (key, cells), value in zip(names.items(), values, strict=True)
    )
    decisions = (decided(name, names, tried=len(names)),)
    return StageRecord(name, False, {path: list(values)}, {}, {}, configurations, decisions, 6)


@pytest.fixture
def golden(build: Callable[[int], StudyRecord]) -> StudyRecord:
    """A learning rate that matters, then a batch size that does not."""
    rates = {"rate=1e-3": "rate 1e-3", "rate=1e-4": "rate 1e-4"}
    batches = {"batch=4": "rate 1e-3", "batch=8": "batch 8"}  # the first is known already
    stages = (
        stage_of("learning rate", "training.learning_rate", rates, (1e-3, 1e-4), None),
        stage_of("batch size", "training.batch_size", batches, (4, 8), "rate=1e-3"),
    )
    cells = {cell.id: cell for name in IOU for seed in range(3) for cell in [cell_of(name, seed)]}
    bare = replace(build(0), stages=stages, cells=cells, baselines=(), test_scores=())
    return replace(bare, name="golden", is_finished=True, note="")


@pytest.fixture
def page(golden: StudyRecord) -> str:
    return render(golden, generated_at="1 January 2026")


def test_a_stage_that_tells_its_configurations_apart(page: str) -> None:
    # Differences by seed: -0.20, -0.18, -0.22; mean -0.20, deviation 0.02: -0.250 to -0.150.
    assert rows_of(page, "Validation IoU of every configuration") == [
        [
            "✓ learning rate 1e-3 (winner)",
            "0.500",
            "0.520",
            "0.540",
            "0.520",
            "0.470 to 0.570",
            "best",
            "1.5 TMAC",
            "60 s",
            "3 complete",
        ],
        [
            "learning rate 1e-4",
            "0.300",
            "0.340",
            "0.320",
            "0.320",
            "0.270 to 0.370",
            f"{MINUS}0.200 {MINUS}0.250 to {MINUS}0.150",
            "1.5 TMAC",
            "60 s",
            "3 complete",
        ],
    ]


def test_a_stage_that_does_not_keeps_the_cheaper_one(page: str) -> None:
    # Differences by seed: -0.03, +0.01, -0.01; mean -0.01, deviation 0.02: -0.060 to +0.040.
    assert rows_of(page, "Validation IoU of every configuration", 1) == [
        [
            "✓ batch size 4 (winner)",
            "0.500",
            "0.520",
            "0.540",
            "0.520",
            "0.470 to 0.570",
            f"{MINUS}0.010 {MINUS}0.060 to +0.040 not told apart",
            "1.5 TMAC",
            "60 s",
            "3 complete",
        ],
        [
            "batch size 8",
            "0.530",
            "0.510",
            "0.550",
            "0.530",
            "0.480 to 0.580",
            "best",
            "3 TMAC",
            "2 min",
            "3 complete",
        ],
    ]


def test_training_is_averaged_at_the_scored_epoch(page: str) -> None:
    caption = "Training and validation at the scored epoch, mean over seeds"
    assert rows_of(page, caption) == [
        ["✓ learning rate 1e-3", "0.250", "0.520", "2", "60 s", "3"],
        ["learning rate 1e-4", "0.500", "0.320", "2", "60 s", "3"],
    ]
    assert rows_of(page, caption, 1) == [
        ["✓ batch size 4", "0.250", "0.520", "2", "60 s", "3"],
        ["batch size 8", "0.125", "0.530", "2", "2 min", "3"],
    ]


def test_costs_add_up_by_stage_and_by_outcome(page: str) -> None:
    caption = (
        "What trials held devices for, by the stage that first asked for their cell, "
        "and by how they ended"
    )
    assert rows_of(page, caption) == [
        # 6 trials of 60 s and one lost after 60 s: 420 s, 252 kJ = 0.07 kWh, 0.42 EUR.
        ["learning rate", "7", "7 min", "14", "896", "0.07", "0.42", "0.50"],
        # 3 trials of 120 s, those of batch size 4 being known already: 360 s, 216 kJ = 0.06 kWh.
        ["batch size", "3", "6 min", "6", "384", "0.06", "0.36", "0.50"],
        ["in all", "10", "13 min", "20", "1,280", "0.13", "0.78", "0.50"],
        ["lost", "1", "60 s", "2", "128", "0.01", "0.06", "0.50"],
        ["complete", "9", "12 min", "18", "1,152", "0.12", "0.72", "0.50"],
    ]


def test_the_figures_data_are_what_a_cell_cost_on_average(page: str) -> None:
    # The killed minute is paid by its configuration: (60 + 60 + 120) s / 3 cells = 80 s.
    assert rows_of(page, "Data of Score against device minutes per cell") == [
        ["others", "learning rate: learning rate 1e-4", "1.333", "0.32"],
        ["front", "learning rate: learning rate 1e-3", "1", "0.52"],
        ["front", "batch size: batch size 4", "1", "0.52"],
        ["front", "batch size: batch size 8", "2", "0.53"],
    ]


def test_the_answer_holds_the_winners_number_and_what_it_chose(page: str) -> None:
    assert rows_of(page, "What the stages chose") == [
        ["learning rate", "1e-3", "1e-3", "learning rate"],
        ["batch size", "4", "4", "batch size"],
    ]
    # 6 cells of 60 s and 3 of 120 s; 6 x 1.5 + 3 x 3 = 18 TMAC.
    assert "9 of 9 planned cells completed, in 12\N{NARROW NO-BREAK SPACE}min" in page
    assert "(18\N{NARROW NO-BREAK SPACE}TMAC)" in page


def test_the_same_record_gives_the_same_bytes_in_every_process(
    golden: StudyRecord, page: str, tmp_path: Path
) -> None:
    record = tmp_path / "record.pickle"
    record.write_bytes(pickle.dumps(golden))
    script = (
        "import hashlib, pickle, sys; from pathlib import Path; from reports.page import render; "
        "study = pickle.loads(Path(sys.argv[1]).read_bytes()); "
        "page = render(study, generated_at='1 January 2026'); "
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    own = hashlib.sha256(page.encode()).hexdigest()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, str(record)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == own
