"""What must hold after a soak; each check yields a claim, whether it held, and what was seen."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.soak.faults import truncated_folders
from benchmarks.soak.ground import STUDY, Ground
from studies.running.workspace import open_ledger, open_workspace
from studies.tree.cell_history import EVENTS_FILE
from studies.tree.study_record import read_study
from trackers.event_log import read_events
from trackers.mlflow_client import mlflow_client
from trackers.records import CellRecord, Outcome, StudyRecord
from trackers.run_facts import TAG

MOST_TIMES_SLOWER = 2.5
CURVES = ("val/iou", "val/loss", "train/loss")
Curve = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that must hold, and what was seen."""

    text: str
    held: bool
    seen: str


def read_record(ground: Ground) -> StudyRecord:
    """Read the soaked study as a report would."""
    place = open_workspace(ground.runs)
    ledger = open_ledger(place)
    try:
        return read_study(ledger, ground.runs, STUDY)
    finally:
        ledger.close()


def proposal_numbers(ground: Ground) -> list[int]:
    """Return the numbers of all proposals of the study, as the ledger holds them; in order."""
    ledger = open_ledger(open_workspace(ground.runs))
    try:
        return sorted(int(row["number"]) for row in ledger.proposal_rows(STUDY))
    finally:
        ledger.close()


def claims(
    calm: Ground, soaked: Ground, *, trials: int, seconds: tuple[float, float]
) -> Iterator[Claim]:
    """Compare a disturbed study with an undisturbed one; `seconds` in the same order."""
    before, after = read_record(calm), read_record(soaked)
    yield from _cells(before, after, trials=trials)
    numbers = proposal_numbers(soaked)
    yield numbered_once(numbers, trials)
    yield from _epochs(soaked, after)
    times = seconds[1] / seconds[0]
    yield Claim(
        f"at most {MOST_TIMES_SLOWER} times as long as undisturbed",
        times <= MOST_TIMES_SLOWER,
        f"{seconds[1]:.1f} s against {seconds[0]:.1f} s: {times:.2f} times",
    )
    calm_runs, soaked_runs = tracked(calm), tracked(soaked)
    differing = [cell for cell, run in calm_runs.items() if soaked_runs.get(cell) != run]
    yield Claim(
        "MLflow holds the same after sync",
        calm_runs == soaked_runs and len(soaked_runs) == trials,
        f"{len(soaked_runs)} runs, {len(differing)} of them differ"
        + "".join(f"; {calm_runs[each]} is {soaked_runs.get(each)}" for each in differing[:1]),
    )


def numbered_once(numbers: Sequence[int], trials: int) -> Claim:
    """Claim that so many proposals have the numbers from 0 on, each once."""
    counts = Counter(numbers)
    twice = sorted(number for number, count in counts.items() if count > 1)
    gaps = sorted(set(range(trials)) - counts.keys())
    beyond = sorted(counts.keys() - set(range(trials)))
    return Claim(
        f"proposals are numbered 0..{trials - 1}, each once",
        not (twice or gaps or beyond),
        f"{len(numbers)} numbers; twice {twice[:3]}, missing {gaps[:3]}, beyond {beyond[:3]}",
    )


def _cells(before: StudyRecord, after: StudyRecord, *, trials: int) -> Iterator[Claim]:
    outcomes = Counter(str(cell.outcome) for cell in after.cells.values())
    yield Claim(
        "every cell is accounted once",
        outcomes == {Outcome.COMPLETE: trials} and after.is_finished,
        f"{dict(outcomes)}, finished: {after.is_finished}",
    )
    completions = Counter(
        sum(trial.outcome is Outcome.COMPLETE for trial in cell.trials)
        for cell in after.cells.values()
    )
    yield Claim("one complete trial per cell", completions == {1: trials}, f"{dict(completions)}")
    same = {cell: dict(record.metrics) for cell, record in before.cells.items()} == {
        cell: dict(record.metrics) for cell, record in after.cells.items()
    }
    yield Claim("the same cells with the same results", same, f"{len(after.cells)} cells")


def _epochs(ground: Ground, record: StudyRecord) -> Iterator[Claim]:
    epochs = int(str(record.base["training.epochs"]))
    whole = sum(
        [each.epoch for each in cell.epochs] == list(range(1, epochs + 1))
        for cell in record.cells.values()
    )
    yield Claim(
        "no finished epoch is lost", whole == len(record.cells), f"{whole} cells with {epochs}"
    )
    cut = truncated_folders(ground)
    wrong = [problem for cell in record.cells.values() for problem in _repeated(ground, cell, cut)]
    attempts = sum(len(cell.trials) for cell in record.cells.values())
    yield Claim(
        "no epoch is repeated beyond the last checkpoint",
        not wrong,
        f"{attempts} attempts; {wrong[:3] or 'none repeated'}",
    )


def _repeated(ground: Ground, cell: CellRecord, cut: set[str]) -> Iterator[str]:
    """Yield the attempts that began before what an earlier one had checkpointed."""
    reached = 0
    for trial in cell.trials:
        folder = ground.runs / trial.folder
        events, _ = read_events(folder / EVENTS_FILE)
        for event in events:
            resumed_from = int(event.fields.get("resumed_from_epoch", reached))
            if event.name == "effective" and resumed_from < reached:
                yield f"{folder.name} resumed from epoch {resumed_from}, had {reached}"
            if event.name == "epoch":
                reached = max(reached, int(event.fields["epoch"]))
        if folder.name in cut:
            reached = max(0, reached - 1)  # the checkpoint before the one that was cut


def tracked(ground: Ground) -> Mapping[str, tuple[str, dict[str, str], dict[str, Curve]]]:
    """Return what MLflow holds of every cell: status, parameters and curves."""
    client = mlflow_client(ground.backend_uri)
    experiment = client.get_experiment_by_name(STUDY)
    if experiment is None:
        return {}
    found = {}
    token: str | None = ""
    while token is not None:
        runs = client.search_runs(
            [experiment.experiment_id], f"tags.`{TAG}kind` = 'cell'", page_token=token or None
        )
        for run in runs:
            curves = {
                name: tuple(  # MLflow gives them by their time, and the clock may have jumped
                    sorted(
                        (each.step, each.value)
                        for each in client.get_metric_history(run.info.run_id, name)
                    )
                )
                for name in CURVES
            }
            found[run.data.tags[f"{TAG}cell"]] = (run.info.status, dict(run.data.params), curves)
        token = runs.token or None
    return found
