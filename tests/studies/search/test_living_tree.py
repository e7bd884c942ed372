"""The tree of a running study: written into the ledger, copied into Optuna, grown on results."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from data_pipeline.catalog import data_fingerprint
from data_pipeline.settings import DataSettings
from studies.search.living_tree import LivingTree, data_fingerprints, stage_record
from studies.search.measured import measured_by
from studies.search.optuna_copy import OptunaCopy
from studies.search.storage import open_storage
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger
from studies.tree.ledger_plan import Addition
from studies.tree.sources import Sources
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5]},
}
SAMPLED = {
    "stage": "rate",
    "vary": {"training.learning_rate": {"low": 0.0001, "high": 1.0, "log": True}},
    "sampler": "tpe",
    "trials": 6,
}
BY_CLASS = {"dataset": "none", "classes": ["car", "bus"], "one_model_per_class": True}


class Bench:
    """A study's ledger, Optuna database and tree, as a coordinator holds them."""

    def __init__(self, spec: StudySpec, folder: Path, optuna_file: Path) -> None:
        self.spec = spec
        self.ledger = Ledger(folder / "workspace.db")
        self.storage = open_storage(optuna_file)
        self.copy = OptunaCopy(lambda: self.storage)
        resolved = spec.model_dump(mode="json", by_alias=True)
        self.ledger.save_study(spec.study, text="", resolved=resolved, environment={})
        self.tree = LivingTree(
            spec,
            self.ledger,
            copy=self.copy,
            measured=measured_by(self.ledger, folder, spec),
            sources=Sources(data_fingerprint),
        )

    def open_cells(self) -> list[PlannedCell]:
        done = self.ledger.results(self.spec.study)
        cells = self.tree.refresh().tree.cells().values()
        return [cell for cell in cells if cell.id not in done]

    def settle(self, cell: PlannedCell, score: float | Outcome) -> None:
        outcome = score if isinstance(score, Outcome) else Outcome.COMPLETE
        end = CellEnd(
            cell=cell.id,
            outcome=outcome,
            reason="",
            metrics={"val/iou": float(score)} if outcome is Outcome.COMPLETE else {},
            best_epoch=1,
            train_macs=1.0,
            seconds=1.0,
        )
        self.ledger.settle(self.spec.study, end)

    def finish(self, score: Callable[[PlannedCell], float | Outcome]) -> Tree:
        """Measure one cell after the other, each where the tree has grown to."""
        tree = self.tree.refresh().tree
        while cells := [
            cell for cell in tree.cells().values() if cell.id not in self.tree.results
        ]:
            self.settle(cells[0], score(cells[0]))
            tree = self.tree.take_in(cells[0].id).tree
        return tree

    def optuna_study(self, name: str) -> optuna.Study:
        """Return Optuna's copy, once all of it is written."""
        self.copy.close()
        return optuna.load_study(study_name=f"demo / {name}", storage=self.storage)

    def close(self) -> None:
        self.copy.close()
        self.ledger.close()
        self.storage.engine.dispose()


@pytest.fixture
def open_bench(tmp_path: Path, storage_file: Path) -> Callable[[StudySpec], Bench]:
    """Return a function that opens a study; a further call is what comes after a crash."""

    def open_study(spec: StudySpec) -> Bench:
        return Bench(spec, tmp_path, storage_file)

    return open_study


def nearness(cell: PlannedCell) -> float:
    score = 0.5 - 0.1 * abs(math.log10(cell.settings.training.learning_rate / 0.01))
    return score + 0.01 * cell.settings.evaluation.threshold


def test_the_plan_is_written_down_in_running_order(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    bench = open_bench(make_spec(RATE, THRESHOLD, search={"replicates": 2}))
    tree = bench.tree.refresh().tree
    assert [row["id"] for row in bench.ledger.cells("demo")] == list(tree.cells())
    assert [len(each.configurations) for each in bench.ledger.stage_records("demo")] == [2, 0]
    bench.close()


def test_stage_records_are_read_back_as_they_grew(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    rate = {**RATE, "only": {"data.classes": ["car"]}, "with": {"training.epochs": 3}}
    bench = open_bench(make_spec(rate, THRESHOLD, data=BY_CLASS, search={"replicates": 2}))
    tree = bench.finish(nearness)
    written = bench.ledger.stage_records("demo")
    assert list(written) == [stage_record(grown) for grown in tree.stages]
    assert (written[0].held, written[0].only) == (
        {"training.epochs": 3}, {"data.classes": ["car"]},
    )  # fmt: skip
    assert written[1].only == {}, "nothing is left out"
    assert written[1].decisions[0].winners == ("2.2",)
    assert len(bench.ledger.results("demo")) == len(tree.cells())
    bench.close()


def test_every_stage_is_copied_into_optuna(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    bench = open_bench(make_spec(RATE, THRESHOLD, search={"replicates": 2}))
    bench.finish(lambda cell: Outcome.INFEASIBLE if cell.seed else nearness(cell))
    rate = bench.optuna_study("rate")
    assert [trial.value for trial in rate.trials] == pytest.approx([0.405, 0.505])
    assert {
        name: each["outcome"] for name, each in rate.trials[0].user_attrs["replicates"].items()
    } == {"seed 0": "complete", "seed 1": "infeasible"}
    assert rate.trials[0].user_attrs["configuration"] == "1.1"
    assert [t.params for t in bench.optuna_study("threshold").trials] == [
        {"evaluation.threshold": 0.3}, {"evaluation.threshold": 0.5},
    ]  # fmt: skip
    bench.close()


@pytest.mark.parametrize(
    ("score", "state"),
    [
        (Outcome.INFEASIBLE, TrialState.PRUNED),
        (Outcome.FAILED, TrialState.FAIL),
        (math.nan, TrialState.FAIL),
    ],
)
def test_what_has_no_score_is_never_told_as_one(
    make_spec: MakeSpec,
    open_bench: Callable[[StudySpec], Bench],
    score: float | Outcome,
    state: TrialState,
) -> None:
    bench = open_bench(make_spec(RATE))
    bench.finish(lambda _: score)
    for trial in bench.optuna_study("rate").trials:
        assert (trial.state, trial.value) == (state, None)
    bench.close()


def test_proposals_are_written_down_before_their_cells_are_planned(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    bench = open_bench(make_spec(SAMPLED))
    tree = bench.tree.refresh().tree
    proposals = bench.ledger.proposals("demo")["rate"]
    assert [each.varied for each in tree.stages[0].configurations] == proposals
    assert 0 < len(proposals) < 6, "the others wait for results"
    assert bench.tree.refresh().tree == tree
    bench.close()


def test_a_sampler_proposes_until_the_stage_is_full(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    bench = open_bench(make_spec(SAMPLED, THRESHOLD))
    tree = bench.finish(nearness)
    assert tree.is_complete
    assert len(bench.ledger.proposals("demo")["rate"]) == 6
    assert bench.optuna_study("rate").best_value == pytest.approx(
        tree.stages[0].decisions[0].candidates[0].mean
        if tree.stages[0].decisions[0].winners == ("1.1",)
        else max(each.mean for each in tree.stages[0].decisions[0].candidates)
    )
    bench.close()


def test_a_search_killed_before_its_proposals_are_written_goes_on_alike(
    make_spec: MakeSpec,
    open_bench: Callable[[StudySpec], Bench],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    def killed(_: Ledger, __: str, additions: Iterable[Addition]) -> None:
        asked.extend(dict(each.configuration.varied) for each in additions)
        raise KeyboardInterrupt

    bench = open_bench(make_spec(SAMPLED))
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "extend", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.tree.refresh()
    bench.close()
    again = open_bench(make_spec(SAMPLED))
    again.tree.refresh()
    assert again.ledger.proposals("demo")["rate"] == asked
    again.close()


def test_each_class_has_a_search_of_its_own(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    bench = open_bench(make_spec({**SAMPLED, "per": "data.classes", "trials": 2}, data=BY_CLASS))
    tree = bench.finish(nearness)
    proposals = bench.ledger.proposals("demo")
    assert {name: len(found) for name, found in proposals.items()} == {
        "rate / car": 2, "rate / bus": 2,
    }  # fmt: skip
    assert [decision.group for decision in tree.stages[0].decisions] == ["car", "bus"]
    assert len(bench.optuna_study("rate / bus").trials) == 2
    bench.close()


def test_each_branch_of_a_beam_has_a_search_of_its_own(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    sampled: dict[str, Any] = {
        "stage": "batch",
        "vary": {"training.batch_size": {"low": 1, "high": 64, "integer": True}},
        "sampler": "random",
        "trials": 2,
    }
    bench = open_bench(make_spec({**RATE, "beam": 2}, sampled))
    tree = bench.finish(nearness)
    grown = tree.stages[1]
    assert [each.parent for each in grown.configurations] == ["1.2", "1.2", "1.1", "1.1"]
    for name, parent in (("batch", "1.2"), ("batch #2", "1.1")):
        belongs = [dict(c.varied) for c in grown.configurations if c.parent == parent]
        assert [trial.params for trial in bench.optuna_study(name).trials] == belongs
    bench.close()


def test_a_wider_beam_searches_the_further_branch(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    sampled = {**SAMPLED, "stage": "again", "trials": 2}
    bench = open_bench(make_spec(RATE, sampled))
    bench.finish(nearness)
    bench.close()
    wider = open_bench(make_spec(RATE, sampled, search={"select": {"beam": 2}}))
    assert not wider.tree.refresh().tree.is_complete
    assert len(wider.open_cells()) == 2
    assert wider.finish(nearness).is_complete
    wider.close()


def test_another_winner_makes_optunas_copy_anew(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    batch = {"stage": "batch", "vary": {"training.batch_size": [4, 8]}}
    bench = open_bench(make_spec(RATE, batch))
    bench.finish(nearness)
    before = [trial.value for trial in bench.optuna_study("batch").trials]
    bench.close()
    more = open_bench(make_spec(RATE, batch, search={"replicates": 2}))
    more.finish(lambda cell: 1.5 - nearness(cell) if cell.seed else nearness(cell))
    trials = more.optuna_study("batch").trials
    assert [trial.params["training.batch_size"] for trial in trials] == [4, 8]
    assert [trial.value for trial in trials] != before
    more.close()


def test_a_finished_study_grows_no_further(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench]
) -> None:
    bench = open_bench(make_spec(RATE, SAMPLED | {"stage": "again", "trials": 2}))
    tree = bench.finish(nearness)
    bench.close()
    again = open_bench(make_spec(RATE, SAMPLED | {"stage": "again", "trials": 2}))
    assert again.tree.refresh().tree == tree
    again.close()


def test_data_is_fingerprinted_once_however_it_is_cut_and_changed(make_spec: MakeSpec) -> None:
    asked: list[DataSettings] = []

    def read(settings: DataSettings) -> str:
        asked.append(settings)
        return str(len(asked))

    fingerprint = data_fingerprints(read)
    same: list[dict[str, object]] = [
        {},
        {"image_size": 9},
        {"split": {"folds": 3, "fold": 1}},
        {"split": {"folds": 3, "fold": 2}},
        {"augment": ["horizontal_flip"]},
    ]
    for changes in same:
        data = {"dataset": "street_scenes", "images": 12, **changes}
        assert fingerprint(make_spec(RATE, data=data).data) == "1"
    other = {"dataset": "street_scenes", "images": 13}
    assert fingerprint(make_spec(RATE, data=other).data) == "2"


@pytest.mark.parametrize("follows", [True, False], ids=["as it runs", "when it is opened"])
def test_optunas_copy_holds_proposals_that_were_measured_already(
    make_spec: MakeSpec, open_bench: Callable[[StudySpec], Bench], follows: bool
) -> None:
    vary = {"training.learning_rate": [0.1, 0.01]}
    few = {**SAMPLED, "stage": "few", "vary": vary}  # six proposals of two configurations
    stages = [few] if follows else [RATE, few]
    bench = open_bench(make_spec(*stages, THRESHOLD))
    bench.finish(nearness)
    trials = bench.optuna_study("few").trials
    assert [each.state for each in trials] == [TrialState.COMPLETE] * 6
    bench.close()
