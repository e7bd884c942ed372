"""A tracker that keeps everything in memory and can be put out of reach; a fake for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trackers.records import StudyRecord
from trackers.run_facts import (
    EPOCH,
    SUMMARY_RUN,
    Files,
    Point,
    RunFacts,
    cell_facts,
    cell_files,
    cited_facts,
    has_started,
    study_facts,
    study_files,
)
from trackers.tracker import CellUpload, CitedResult


@dataclass(slots=True)
class MemoryRun:
    """What a tracker has stored of a cell or a study."""

    name: str
    status: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)  # metric -> points, in order
    files: set[str] = field(default_factory=set)  # names among the artifacts
    has_weights: bool = False


class MemoryTracker:
    """Stores at once, by the same rules as MLflow; what comes while it is away waits."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, MemoryRun]] = {}  # study -> cell id or "summary" -> run
        self.is_away = False
        self._waiting: dict[tuple[str, str], StudyRecord | CellUpload] = {}
        self._reports: dict[str, Path] = {}
        self._cited: dict[str, tuple[CitedResult, ...]] = {}

    def study(
        self,
        study: StudyRecord,
        *,
        report: Path | None = None,
        cited: Sequence[CitedResult] = (),
    ) -> None:
        """Take the study's summary, its HTML report and what it cites."""
        if report is not None:
            self._reports[study.name] = report
        self._cited[study.name] = tuple(cited)
        self._waiting[study.name, SUMMARY_RUN] = study
        self._store()

    def cell(self, study: str, upload: CellUpload) -> None:
        """Take a cell's snapshot, which replaces an earlier one."""
        if has_started(upload.cell):
            self._waiting[study, upload.cell.id] = upload
            self._store()

    def drain(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing to wait for
        """Store what has waited; say whether everything is stored."""
        self._store()
        return not self._waiting

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _store(self) -> None:
        while self._waiting and not self.is_away:
            study, key = next(iter(self._waiting))
            upload = self._waiting.pop((study, key))
            if isinstance(upload, StudyRecord):
                run = self._log(study, key, facts=study_facts(upload))
                _add_files(run, study_files(upload, report=self._reports.get(study)))
                for each in self._cited.get(study, ()):
                    self._log(study, each.id, facts=cited_facts(upload, each))
                continue
            run = self._log(study, key, facts=cell_facts(study, upload))
            if upload.cell.outcome is not None:
                _add_files(run, cell_files(upload))
                run.has_weights = run.has_weights or upload.weights is not None

    def _log(self, study: str, key: str, *, facts: RunFacts) -> MemoryRun:
        runs = self.runs.setdefault(study, {})
        run = runs.setdefault(key, MemoryRun(facts.name, facts.status))
        run.name, run.status = facts.name, facts.status
        run.params = {**facts.params, **run.params}
        run.tags.update(facts.tags)
        stored = run.points[EPOCH][-1].step if EPOCH in run.points else 0
        new = [point for epoch in facts.epochs if epoch[-1].step > stored for point in epoch]
        for point in (*new, *facts.final):
            points = run.points.setdefault(point.name, [])
            if point not in points:
                points.append(point)
        return run


def _add_files(run: MemoryRun, files: Files) -> None:
    run.files.update(
        name for name, each in files.items() if isinstance(each, str) or each.exists()
    )
