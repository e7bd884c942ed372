"""The test split's scores of stage winners, and how often it was looked at."""

from dataclasses import dataclass

from reports.lineage import places
from reports.measurements import finite
from reports.notation import configuration_label, metric_name, plural
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class HeldOutRow:
    """One stage winner's test scores."""

    stage: str
    configuration: str
    group: str
    seed: int | None
    values: tuple[float | None, ...]  # as `HeldOutTable.metrics`


@dataclass(frozen=True, slots=True)
class HeldOutTable:
    """Every look at the test split."""

    metrics: tuple[str, ...]  # the objective's own first
    headers: tuple[str, ...]
    rows: tuple[HeldOutRow, ...]
    looks: int
    assemblies: int  # of these looks, at networks put together

    @property
    def summary(self) -> str:
        """How often the test split was scored."""
        if self.looks == 0:
            return "The test split has not been scored."
        who = "stage winners and assemblies" if self.assemblies else "stage winners"
        return f"The test split was scored {plural(self.looks, 'time')}, for {who} only."


def held_out_table(study: StudyRecord) -> HeldOutTable:
    """Tabulate the test scores; per-class columns come last."""
    labels = {
        (placed.stage.name, placed.configuration.id): configuration_label(
            placed.configuration.varied
        )
        for placed in places(study).values()
    }
    names = dict.fromkeys(name for record in study.test_scores for name in record.metrics)
    own = f"test/{study.metric.split('/', 1)[-1]}"
    metrics = tuple(sorted(names, key=lambda name: (name != own, "/iou_" in name)))
    rows = []
    for record in study.test_scores:
        cell = study.cells.get(record.cell)
        rows.append(
            HeldOutRow(
                stage=record.stage,
                configuration=labels.get((record.stage, record.configuration), ""),
                group=cell.group if cell else "",
                seed=cell.seed if cell else None,
                values=tuple(finite(record.metrics.get(name)) for name in metrics),
            )
        )
    headers = tuple(metric_name(name).removeprefix("test ") for name in metrics)
    assemblies = sum("test" in each.images for each in study.assemblies)
    return HeldOutTable(metrics, headers, tuple(rows), study.test_looks, assemblies)
