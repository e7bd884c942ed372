"""One network per class, put together: scored once per seed, when every network is there."""

import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping

from studies.running.eviction import evict
from studies.running.failure_policy import describe_exit
from studies.running.orders import trial_folder
from studies.running.running_trial import RunningTrial
from studies.running.trial_order import AssemblyOrder, NetworkOrder, Slot, TrialOrder
from studies.running.uploads import best_weights
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_all_classes, with_changes
from studies.tree.assemblies import SINGLE_NETWORK, PlannedAssembly
from studies.tree.cell_history import read_history
from studies.tree.cells import PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import Ledger
from trackers.event_log import Event
from trackers.records import Outcome

AS_TAKEN = ("data.image_size", "data.resize", "data.normalize")  # how a network takes pictures
KEPT = ("metrics", "scores", "images", "left_out")  # of the "finished" event, in the ledger


class NotAssembledError(Exception):
    """Networks cannot be put together; the message says why."""


@dataclass(slots=True)
class AssemblyDesk:
    """Knows which assemblies of a decided tree still need their scores."""

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    _open: dict[str, tuple[int, AssemblyOrder]] = field(default_factory=dict)  # id -> seed, …
    _running: set[str] = field(default_factory=set)
    _failed: dict[str, str] = field(default_factory=dict)

    def follow(self, tree: Tree) -> None:
        """Take in the tree as it has grown: which assemblies it has, and which may be scored."""
        known = [each for each in tree.assemblies if each.is_settled]
        self.ledger.plan_assemblies(self.spec.study, [self._row(each) for each in known])
        rows = {row["id"]: row for row in self.ledger.assemblies(self.spec.study)}
        taken = self._running | self._failed.keys()
        self._open = {}
        for each in known:
            if each.id not in taken and self._is_open(rows[each.id]):
                try:
                    self._open[each.id] = each.seed, self._plan(each)
                except NotAssembledError as error:
                    self._put_off(rows[each.id], str(error))

    def may_start(self) -> bool:
        """Whether an assembly is left to score."""
        return bool(self._open)

    def next_order(self, slot: Slot) -> TrialOrder:
        """Write that the next assembly starts, and return its order."""
        if not self._open:
            raise LookupError("every assembly was scored; ask may_start first")
        assembly = next(iter(self._open))
        seed, plan = self._open.pop(assembly)
        self._running.add(assembly)
        folder = self.workspace / self._folder(assembly)
        evict(folder)
        shutil.rmtree(folder, ignore_errors=True)
        self.ledger.save_assembly(
            self.spec.study,
            assembly,
            outcome=None,
            reason="",
            device=slot.device,
            host=slot.host or socket.gethostname(),
            started_at=time.time(),
            ended_at=None,
        )
        return TrialOrder(
            purpose="assembly",
            task=self.spec.task,
            cell=assembly,
            attempt=1,
            settings={},
            seed=seed,
            objective=self.spec.objective.metric,
            maximize=self.spec.objective.direction == "maximize",
            scores_test=True,
            folder=folder,
            earlier_folders=(),
            micro_batch_divisor=1,
            weights=None,
            assembly=plan,
        )

    def record_exit(self, trial: RunningTrial, exit_code: int | None) -> str:
        """Write down how a scoring ended; return a line for the view."""
        end, assembly = trial.history.end, trial.order.cell
        self._running.discard(assembly)
        if end is not None and end.name == "finished":
            outcome, reason = Outcome.COMPLETE, ""
            self._finish(assembly, end)
        elif trial.stop_asked_at is not None:
            outcome, reason = Outcome.STOPPED, trial.killed_because or "stopped"
            self._settle(assembly, outcome, reason)
        else:
            message = str(end.fields.get("message", "")) if end is not None else ""
            reason = trial.killed_because or message or describe_exit(exit_code)
            outcome = Outcome.FAILED
            self._failed[assembly] = reason
            self._settle(assembly, outcome, reason)
        return f"{trial.row.label}: {outcome}" + (f" ({reason})" if reason else "")

    def failed(self) -> str:
        """Return the reasons of assemblies that failed, or ""."""
        return "; ".join(dict.fromkeys(self._failed.values()))

    def _row(self, assembly: PlannedAssembly) -> dict[str, Any]:
        return {
            "id": assembly.id,
            "seed": assembly.seed,
            "members": {group: cell.id for group, cell in assembly.members.items()},
            "single": assembly.single.id if assembly.single and assembly.has_single else None,
            "folder": self._folder(assembly.id),
        }

    def _is_open(self, row: RowMapping) -> bool:
        """Whether an assembly lacks scores; take those that an earlier coordinator missed.

        One that could not be put together is looked at again: a network that lacked may be there.
        """
        if row["outcome"] == Outcome.COMPLETE:
            return False
        if row["outcome"] is None and row["started_at"] is not None:
            folder = self.workspace / row["folder"]
            evict(folder)
            end = read_history([folder]).end
            if end is not None and end.name == "finished":
                self._finish(row["id"], end)
                return False
        return True

    def _plan(self, assembly: PlannedAssembly) -> AssemblyOrder:
        if assembly.without:
            names = ", ".join(assembly.without)
            raise NotAssembledError(f"{names} has no trained network to put together with others")
        cells = dict(assembly.members)
        if assembly.single is not None and assembly.has_single:
            cells[""] = assembly.single
        networks = [self._network(group, cell) for group, cell in cells.items()]
        ways = {each.applied_to["data"]["resize"] for each in networks}
        if len(ways) > 1:
            raise NotAssembledError(
                "networks can be put together only where they take pictures with the same "
                f"data.resize, got {' and '.join(sorted(ways))}"
            )
        return AssemblyOrder(
            networks=tuple(networks),
            thresholds=assembly.thresholds,
            choose_on="test" if self.spec.objective.select_on == "test" else "val",
            batch_size=min(self._micro_batch(cell.trained) for cell in cells.values()),
        )

    def _network(self, group: str, cell: PlannedCell) -> NetworkOrder:
        trials = self.ledger.trials(self.spec.study, cell.trained)
        weights = best_weights(self.workspace, trials)
        if weights is None:
            raise NotAssembledError(
                f"the weights of {group or SINGLE_NETWORK} (cell {cell.trained}) were dropped "
                "when it had not won; keep them by `weights: all`"
            )
        settings = self.ledger.cell(self.spec.study, cell.id)["settings"]
        return NetworkOrder(group, settings, weights, applied_to=self._applied_to(settings))

    def _applied_to(self, nested: Mapping[str, Any]) -> dict[str, Any]:
        """Return the study's images of all classes, as a network takes them."""
        taken = CellSettings.model_validate(nested)
        changes = {path: getattr(taken.data, path.removeprefix("data.")) for path in AS_TAKEN}
        every = for_all_classes(base_settings(self.spec), self.spec.data.classes)
        return with_changes(every, changes).model_dump(mode="json")

    def _micro_batch(self, trained: str) -> int:
        """Return the most images that went through a network at once in its training."""
        row = self.ledger.cell(self.spec.study, trained)
        trials = self.ledger.trials(self.spec.study, trained)
        size: int = row["settings"]["training"]["batch_size"]
        return -(-size // int(trials[-1]["micro_batch_divisor"]))

    def _put_off(self, row: RowMapping, reason: str) -> None:
        """Write why an assembly cannot be scored, if that is news."""
        if (row["outcome"], row["reason"]) != (Outcome.INFEASIBLE, reason):
            self._settle(row["id"], Outcome.INFEASIBLE, reason)

    def _finish(self, assembly: str, end: Event) -> None:
        scores = {name: end.fields[name] for name in KEPT}
        self._settle(assembly, Outcome.COMPLETE, "", scores=scores)

    def _settle(
        self,
        assembly: str,
        outcome: Outcome,
        reason: str,
        *,
        scores: Mapping[str, Any] | None = None,
    ) -> None:
        self.ledger.save_assembly(
            self.spec.study,
            assembly,
            outcome=str(outcome),
            reason=reason,
            ended_at=time.time(),
            scores=dict(scores or {}),
        )

    def _folder(self, assembly: str) -> str:
        return trial_folder(self.spec.study, assembly, "assembly")
