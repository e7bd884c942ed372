from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.tables.flags import study_flags
from reports.tables.summary import summarise
from trackers.records import StudyRecord

Build = Callable[[int], StudyRecord]


def texts(study: StudyRecord) -> str:
    return "\n".join(flag.text for flag in study_flags(study))


def test_the_answer_names_the_winner_its_value_and_interval(study: StudyRecord) -> None:
    best = study.stages[-1].decisions[0].candidates[0]
    first = summarise(study).sentences[0]
    assert first.startswith(
        "Best by validation IoU: learning rate 1e-3, batch size 8, optimizer adamw, threshold 0.3"
    )
    assert f"at {best.mean:.3f}" in first
    assert f"{best.low:.3f} to {best.high:.3f}" in first


def test_the_lead_over_the_next_is_its_paired_difference(study: StudyRecord) -> None:
    second = study.stages[-1].decisions[0].candidates[1]
    assert second.difference is not None
    assert f"it leads the next by {abs(second.difference):.3f}" in summarise(study).sentences[1]


def test_a_tie_is_told_with_the_rule_that_broke_it(build: Build) -> None:
    study = build(2)
    sentence = summarise(study).sentences[1]
    assert "2 of 3 configurations cannot be told from the best mean" in sentence
    assert study.stages[1].decisions[0].rule.lower() in sentence.lower()


def test_cost_and_outcomes_add_up(study: StudyRecord) -> None:
    summary = summarise(study)
    assert summary.planned == 39
    assert sum(count for _, count in summary.outcomes) == 39
    assert dict(summary.outcomes) == {"failed": 1, "infeasible": 1, "not run": 1, "complete": 36}
    assert summary.seconds == pytest.approx(sum(c.seconds for c in study.cells.values()))
    assert summary.train_macs == pytest.approx(sum(c.train_macs for c in study.cells.values()))


def test_the_chosen_settings_are_those_of_the_winners_cells(study: StudyRecord) -> None:
    (winner,) = summarise(study).winners
    chosen = {setting.path: setting.chosen for setting in winner.settings}
    cell = study.cells["th-0.3-0"]
    assert chosen["training.optimizer"] == cell.settings["training.optimizer"] == "adamw"
    assert {s.name: (s.base, s.chosen) for s in winner.settings}["batch size"] == ("4", "8")


def test_a_part_that_a_stage_replaced_as_a_whole_has_the_base_values_it_replaced(
    build: Build,
) -> None:
    study = build(1)
    first = study.stages[0]
    network = {"name": "unet", "base_channels": 8}
    replaced = tuple(replace(each, varied={"model": network}) for each in first.configurations)
    base = {**study.base, "model.name": "unet", "model.base_channels": 64, "model.depth": 4}
    changed = replace(
        study, base=base, stages=(replace(first, configurations=replaced), *study.stages[1:])
    )
    [setting] = summarise(changed).winners[0].settings
    assert (setting.base, setting.chosen) == ("unet (base channels 64)", "unet (base channels 8)")


def test_the_base_of_a_part_that_a_winner_does_without_is_what_it_was(build: Build) -> None:
    study = build(1)
    first, path = study.stages[0], "training.transfer"
    without = tuple(replace(each, varied={path: None}) for each in first.configurations)
    base = {**study.base, f"{path}.init_from": "study:a", f"{path}.mode": "feature_extractor"}
    cells = {
        key: replace(cell, settings={**cell.settings, path: None})
        for key, cell in study.cells.items()
    }
    stages = (replace(first, configurations=without), *study.stages[1:])
    [setting] = (
        summarise(replace(study, base=base, cells=cells, stages=stages)).winners[0].settings
    )
    assert (setting.base, setting.chosen) == ("from a, feature extractor", "no transfer")


def test_each_class_has_its_own_winner_and_the_mean_is_over_classes(
    class_study: StudyRecord,
) -> None:
    summary = summarise(class_study)
    assert [winner.group for winner in summary.winners] == ["car", "stop sign"]
    means = [
        max(c.mean for c in decision.candidates) for decision in class_study.stages[-1].decisions
    ]
    assert [winner.mean for winner in summary.winners] == means
    assert summary.overall == pytest.approx(sum(means) / 2)


def test_nothing_run_yet_is_a_report_too(build: Build) -> None:
    summary = summarise(build(0))
    assert summary.winners == ()
    assert summary.sentences[0].startswith("No stage has been decided")
    assert summary.sentences[2] == "0 of 39 planned cells completed (39 not run)."
    assert "not finished: stopped by Ctrl-C" in texts(build(0))


@pytest.mark.parametrize(("seeds", "least_p"), [(2, "0.5"), (3, "0.25")])
def test_few_seeds_allow_no_claim(study: StudyRecord, seeds: int, least_p: str) -> None:
    cells = {key: cell for key, cell in study.cells.items() if cell.seed < seeds}
    assert f"p is at least {least_p}" in texts(replace(study, cells=cells))


def test_six_seeds_are_not_flagged(study: StudyRecord) -> None:
    cells = {k: replace(c, seed=i % 6) for i, (k, c) in enumerate(study.cells.items())}
    assert "significance" not in texts(replace(study, cells=cells))


def test_one_seed_is_a_caution(study: StudyRecord) -> None:
    cells = {key: cell for key, cell in study.cells.items() if cell.seed == 0}
    assert "One seed per configuration" in texts(replace(study, cells=cells))


def test_cautions_name_what_is_missing(study: StudyRecord, class_study: StudyRecord) -> None:
    found = texts(study)
    assert "1 planned cell did not run." in found
    assert "Without a result: 1 failed and 1 infeasible." in found
    assert "missing: learning rate (1) and optimizer (1)." in found
    assert "the best may lie beyond: threshold 0.3 (smallest)." in found
    assert "selected on the test split" in texts(class_study)
    assert "selected on the test split" not in found


def test_cost_of_pictures_that_are_longer_than_the_square_counted_is_a_lower_bound(
    study: StudyRecord,
) -> None:
    assert "lower bound" not in texts(study)
    cells = {
        key: replace(cell, settings={**cell.settings, "data.resize": "shorter_side"})
        for key, cell in study.cells.items()
    }
    assert "the training cost is a lower bound" in texts(replace(study, cells=cells))


def test_a_second_look_at_the_test_split_is_a_caution(study: StudyRecord) -> None:
    assert "was scored" not in texts(study)
    assert "was scored 9 times for 4 results" in texts(replace(study, test_looks=9))


def test_a_finished_clean_study_has_no_warning_but_seeds(study: StudyRecord) -> None:
    (stage, *_) = study.stages
    keep = {cell for c in stage.configurations[1:2] for cell in c.cells}
    alone = replace(
        study,
        stages=(replace(stage, configurations=stage.configurations[1:2], planned_cells=3),),
        cells={key: cell for key, cell in study.cells.items() if key in keep},
        test_scores=(),
        test_looks=0,
    )
    decided = replace(
        alone.stages[0],
        decisions=(replace(stage.decisions[0], candidates=(stage.decisions[0].candidates[1],)),),
    )
    levels = [flag.level for flag in study_flags(replace(alone, stages=(decided,)))]
    assert levels == ["note"]


def test_what_trials_warned_of_is_noted_once_with_how_many_cells(study: StudyRecord) -> None:
    slower = "decoded samples cannot be kept (the disk is full)"
    warned = {
        key: replace(cell, warnings=(slower,)) if number < 3 else cell
        for number, (key, cell) in enumerate(study.cells.items())
    }
    assert "While" not in texts(study)
    assert texts(replace(study, cells=warned)).count(f"While 3 cells ran: {slower}.") == 1


def test_an_objective_that_rewards_finding_nothing_is_warned_of(study: StudyRecord) -> None:
    assert "finds nothing" not in texts(study)
    assert "1 for a detector that finds nothing" in texts(replace(study, metric="test/thesis_map"))
