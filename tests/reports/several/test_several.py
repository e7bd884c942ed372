"""A page that holds several studies beside each other."""

import json
import re
from dataclasses import replace

import pytest

from reports.baselines.verdict import Verdict as Judged
from reports.several.contents import several_contents
from reports.several.convergence import convergence
from reports.several.costs import shared_costs
from reports.several.page import render_several
from reports.templating import plotly_js
from reports.verifying.verification import Verdict, verify
from trackers.records import JsonValue, StudyRecord

MOMENT = "1 January 2026"


@pytest.fixture
def study(study: StudyRecord) -> StudyRecord:
    """Let every cell end a second after the one before."""
    cells = {
        name: replace(
            cell,
            trials=tuple(replace(t, ended_at=t.started_at + 60 + second) for t in cell.trials),
        )
        for second, (name, cell) in enumerate(study.cells.items())
    }
    return replace(study, cells=cells)


@pytest.fixture
def other(study: StudyRecord) -> StudyRecord:
    """Return the study once more, every value higher by 0.1 and a stage varied otherwise."""
    cells = {
        name: replace(cell, metrics={k: v + 0.1 for k, v in cell.metrics.items()})
        for name, cell in study.cells.items()
    }
    stages = tuple(
        replace(
            stage,
            decisions=tuple(
                replace(
                    decision,
                    candidates=tuple(
                        replace(
                            c, mean=c.mean + 0.1, values={k: v + 0.1 for k, v in c.values.items()}
                        )
                        for c in decision.candidates
                    ),
                )
                for decision in stage.decisions
            ),
        )
        for stage in study.stages
    )
    settings: dict[str, JsonValue] = {
        "study": "other",
        "training": {"learning_rate": 1e-3, "epochs": 9},
    }
    return replace(study, name="other", cells=cells, stages=stages, settings=settings)


def test_the_better_study_is_said_first_with_how_sure_that_is(
    study: StudyRecord, other: StudyRecord
) -> None:
    found = several_contents([study, other])
    (pair,) = found.pairs
    assert pair.difference is not None
    assert pair.difference.difference == pytest.approx(0.1)
    assert found.sentences[0].startswith("Highest validation IoU: other, with learning rate ")
    # Every seed is better by the same: nothing is known of the noise.
    assert pair.difference.verdict is Judged.CANNOT_SAY
    assert "cannot be said" in found.sentences[1]


def test_only_settings_that_differ_are_listed(study: StudyRecord, other: StudyRecord) -> None:
    (row,) = several_contents([study, other]).asked
    assert (row.path, row.values) == ("training.epochs", ("8", "9"))


def test_the_best_so_far_never_gets_worse_and_ends_with_the_best_configuration(
    study: StudyRecord,
) -> None:
    steps = convergence(study).steps
    best = [step.best for step in steps]
    assert best == sorted(best)
    assert [step.epochs for step in steps] == sorted(step.epochs for step in steps)
    whole = [
        c.mean
        for stage in study.stages
        if not stage.after_training
        for c in stage.decisions[0].candidates
        if len(c.values) == 3
    ]
    assert best[-1] == pytest.approx(max(whole))


def test_configurations_that_are_known_at_once_are_one_step(study: StudyRecord) -> None:
    cells = {
        name: replace(cell, trials=tuple(replace(t, ended_at=9e9) for t in cell.trials))
        for name, cell in study.cells.items()
    }
    (step,) = convergence(replace(study, cells=cells)).steps
    assert step.epochs == sum(len(cell.epochs) for cell in cells.values())


def test_the_front_is_that_of_all_studies_together(study: StudyRecord, other: StudyRecord) -> None:
    for found in shared_costs([study, other], is_one_question=True):
        assert {name for name, _ in found.front} == {"other"}  # as cheap, and better
        assert all(len(each.points) > 3 for each in found.studies)


def test_studies_that_may_not_be_compared_have_a_front_each(
    study: StudyRecord, other: StudyRecord
) -> None:
    for found in shared_costs([study, other], is_one_question=False):
        assert {name for name, _ in found.front} == {study.name, "other"}


def test_studies_of_different_metrics_share_no_figure_and_say_why(
    study: StudyRecord, other: StudyRecord
) -> None:
    page = render_several([study, replace(other, metric="val/dice")]).replace(plotly_js(), "")
    assert "data-figure=" not in page
    assert "they choose by another metric: val/iou and val/dice" in page


def test_the_page_is_the_same_for_the_same_records_and_can_be_verified(
    study: StudyRecord, other: StudyRecord
) -> None:
    studies = [study, other]
    page = render_several(studies, generated_at=MOMENT)
    assert page == render_several(studies, generated_at=MOMENT)

    altered = page
    number = re.search(r'data-figure="convergence">[^<]*?"y":\[[\d.]+,([\d.]+)', altered)
    assert number is not None
    altered = altered[: number.start(1)] + "0.987" + altered[number.end(1) :]
    found = verify(altered, studies, lambda *_: page)
    assert found.verdict is Verdict.DIFFERS
    assert "figure 'Best validation IoU so far', trace 'street-unet'" in found.differences[0].place
    assert verify(page, studies, lambda *_: page).verdict is Verdict.SAME


def test_the_page_loads_nothing_and_every_figure_has_its_place(
    study: StudyRecord, other: StudyRecord
) -> None:
    page = render_several([study, other]).replace(plotly_js(), "")
    specs = dict(re.findall(r'data-figure="([^"]+)">([^<]+)<', page))
    assert {"convergence", "cost-compute"} <= set(specs)
    assert all(f'id="{name}"' in page for name in specs)
    assert set(json.loads(specs["convergence"])["layout"]["meta"]["axes"]) == {
        "epochs",
        "device time",
    }
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_hostile_names_are_shown_and_not_run(study: StudyRecord, other: StudyRecord) -> None:
    evil = '<script>alert("1")</script>'
    page = render_several([replace(study, name=evil), other]).replace(plotly_js(), "")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;" in page


@pytest.mark.parametrize("count", [1, 2])
def test_a_study_is_compared_with_others(study: StudyRecord, count: int) -> None:
    with pytest.raises(ValueError, match="needs two studies of different names, got street-unet"):
        render_several([study] * count)
