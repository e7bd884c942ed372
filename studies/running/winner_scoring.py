"""The test split's one look at the stage winners, after every decision is made."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from studies.running.eviction import evict
from studies.running.failure_policy import describe_exit
from studies.running.orders import trial_folder
from studies.running.running_trial import RunningTrial
from studies.running.trial_order import TrialOrder
from studies.running.uploads import best_weights
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import Ledger
from trackers.records import Outcome

SETTLED = (Outcome.COMPLETE, Outcome.INFEASIBLE)  # infeasible: there is no test split


@dataclass(slots=True)
class WinnerDesk:
    """Knows which trained cells still need their test predictions."""

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    _open: list[str] | None = None  # cells to score; None: not looked yet
    _failed: dict[str, str] = field(default_factory=dict)

    def may_start(self, tree: Tree) -> bool:
        """Whether the tree is decided and a winner is left to score."""
        if not tree.is_complete or self.spec.objective.select_on == "test":
            return False
        if self._open is None:
            done = self.ledger.test_scores(self.spec.study)
            self._open = [
                cell
                for cell in winning_trainings(tree)
                if (cell not in done or done[cell]["outcome"] not in SETTLED)
                and self._has_weights(cell)
            ]
        return bool(self._open)

    def _has_weights(self, cell: str) -> bool:
        """Whether a winner can be scored: weights of earlier losers are not kept."""
        if best_weights(self.workspace, self.ledger.trials(self.spec.study, cell)) is not None:
            return True
        self.ledger.save_test_score(
            self.spec.study,
            cell,
            outcome=Outcome.FAILED,
            reason="its weights were dropped when it had not won; keep them by `weights: all`",
            folder=trial_folder(self.spec.study, cell, "test"),
        )
        return False

    def next_order(self) -> TrialOrder:
        """Return the order for the next winner."""
        if not self._open:
            raise LookupError("every stage winner was scored; ask may_start first")
        cell = self._open.pop(0)
        row = self.ledger.cell(self.spec.study, cell)
        trials = self.ledger.trials(self.spec.study, cell)
        folder = self.workspace / trial_folder(self.spec.study, cell, "test")
        evict(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return TrialOrder(
            purpose="test",
            task=self.spec.task,
            cell=cell,
            attempt=1,
            settings=row["settings"],
            seed=row["seed"],
            objective=self.spec.objective.metric,
            maximize=self.spec.objective.direction == "maximize",
            scores_test=True,
            folder=folder,
            earlier_folders=(),
            micro_batch_divisor=trials[-1]["micro_batch_divisor"],
            weights=best_weights(self.workspace, trials),
        )

    def record_exit(self, trial: RunningTrial, exit_code: int | None) -> str:
        """Write down how a scoring ended; return a line for the view."""
        end = trial.history.end
        cell = trial.order.cell
        if end is not None and end.name == "finished":
            outcome = Outcome.COMPLETE if end.fields["metrics"] else Outcome.INFEASIBLE
            reason = str(end.fields.get("note", ""))
            if outcome is Outcome.INFEASIBLE:
                self._open = []  # the others have none either
        elif trial.stop_asked_at is not None:
            outcome, reason = Outcome.STOPPED, "stopped"
        else:
            message = str(end.fields.get("message", "")) if end is not None else ""
            outcome, reason = Outcome.FAILED, message or describe_exit(exit_code)
            self._failed[cell] = reason
        folder = trial_folder(self.spec.study, cell, "test")
        self.ledger.save_test_score(
            self.spec.study, cell, outcome=outcome, reason=reason, folder=folder
        )
        return f"{trial.row.label}: {outcome}" + (f" ({reason})" if reason else "")

    def failed(self) -> str:
        """Return the reasons of scorings that failed, or ""."""
        return "; ".join(dict.fromkeys(self._failed.values()))


def winning_trainings(tree: Tree) -> list[str]:
    """Return the trained cells behind every stage's winners, each once."""
    found: dict[str, None] = {}
    for cell in winning_cells(tree):
        found[cell.source or cell.id] = None
    return list(found)


def winning_cells(tree: Tree) -> list[PlannedCell]:
    """Return the cells of every stage's winners, in stage order."""
    return [
        cell
        for grown in tree.stages
        for decision in grown.decisions
        for configuration in grown.configurations
        if configuration.id in decision.winners
        for cell in configuration.cells
    ]
