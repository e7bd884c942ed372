"""How large a study may be before its report is slow: 1,000 trials of 100 epochs.

    PYTHONPATH=. python benchmarks/report.py [--quick] [--cells N] [--epochs N] [--keep FOLDER]

Two studies are written down as launches would have left them: a joint search of one stage, and a
tree of five with five seeds. Of each the report is built as `visionstudy report` builds it, from
the trials' logs and then from the columnar file that the first reading leaves. The same histories
are read in the same run through `MlflowClient.get_metric_history` from a SQLite store, as MLflow
leaves it, and the page is opened in headless Chromium. Exits with 1 when a promise is broken.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.large_study import LargeStudy, make_study
from benchmarks.mlflow_copy import analyse, fill, histories, read_back
from benchmarks.page_load import PageLoad, browser_path, load_page
from reports.page import write
from studies.running.report_records import for_report
from studies.running.workspace import open_ledger
from studies.tree.study_record import read_study
from trackers.mlflow_database import prepare_database
from trackers.records import StudyRecord

SHAPES = ("joint", "tree")
MOST_BUILD_S, LEAST_RATIO, MOST_MB, MOST_THERE_S = 5.0, 10.0, 9.0, 2.0  # what we promise
MB = 10**6
READ_RUNS = 100  # through MLflow, of each study


@dataclass(frozen=True, slots=True)
class Built:
    """A report, and how long its parts took, in seconds."""

    record: StudyRecord
    file: Path
    read_s: float
    complete_s: float  # importance of settings, prices
    page_s: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.read_s + self.complete_s + self.page_s


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured, then which promises held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test: tiny, no browser")
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="leave workspaces and pages there")
    given = parser.parse_args(arguments)
    cells, epochs = (50, 5) if given.quick else (given.cells, given.epochs)
    chromium = None if given.quick else browser_path()
    held = True
    with tempfile.TemporaryDirectory(prefix="report-") as scratch:
        empty = Path(scratch) / "empty.db"
        prepare_database(empty)
        for shape in SHAPES:
            folder = (given.keep or Path(scratch)) / shape
            study = make_study(folder, shape, cells=cells, epochs=epochs)
            shutil.copy(empty, folder / "mlflow.db")
            held &= _measure(study, folder, chromium=chromium)
    return 0 if held else 1


def _measure(study: LargeStudy, folder: Path, *, chromium: str | None) -> bool:
    """Print what a study's report takes; say whether the promises hold."""
    print(f"{study.name}: {study.cells:,} trials of {study.epochs} epochs", flush=True)
    from_logs = build(study, folder / "report.html")
    built = build(study, folder / "report.html")
    if built.record != from_logs.record:
        raise RuntimeError("the columnar file says something else than the logs")
    size = built.file.stat().st_size / MB
    parts = f"reading {built.read_s:.2f}, importance {built.complete_s:.2f}"
    print(f"  built in {built.seconds:.2f} s: {parts}, page {built.page_s:.2f}")
    print(f"  from the logs themselves, reading takes {from_logs.read_s:.2f} s")
    ratio = _through_mlflow(built, folder)
    promises = [
        (
            f"built in {built.seconds:.2f} s (at most {MOST_BUILD_S:g})",
            built.seconds <= MOST_BUILD_S,
        ),
        (f"{ratio:.0f} times as fast (at least {LEAST_RATIO:g})", ratio >= LEAST_RATIO),
        (f"{size:.1f} MB (at most {MOST_MB:g})", size <= MOST_MB),
    ]
    if chromium is not None:
        load = load_page(built.file.resolve(), chromium)
        _print_load(load)
        promises.append(
            (
                f"there in {load.there_s:.2f} s (at most {MOST_THERE_S:g})",
                load.there_s < MOST_THERE_S,
            )
        )
    for text, is_held in promises:
        print(f"  {'holds ' if is_held else 'BROKEN'} {text}", flush=True)
    return all(is_held for _, is_held in promises)


def build(study: LargeStudy, file: Path) -> Built:
    """Build a report as `visionstudy report` does."""
    started = time.perf_counter()
    ledger = open_ledger(study.place)
    record = read_study(ledger, study.place.folder, study.name, keep_epochs=True)
    ledger.close()
    read_at = time.perf_counter()
    complete = for_report(record)
    judged_at = time.perf_counter()
    write(complete, file)
    ended_at = time.perf_counter()
    return Built(record, file, read_at - started, judged_at - read_at, ended_at - judged_at)


def _through_mlflow(built: Built, folder: Path) -> float:
    """Read the same histories through MLflow; return how many times as long as ours it takes.

    Of many runs some are read, and the time is scaled: each is asked for by itself.
    """
    cells, file = built.record.cells, folder / "mlflow.db"
    runs = fill(file, cells)
    some = dict(list(runs.items())[:: max(1, len(runs) // READ_RUNS)])
    seconds = []
    for how in ("as MLflow leaves its store", "after ANALYZE"):
        taken, found = read_back(file, some, cells)
        if found != histories({cell: cells[cell] for cell in some}):
            raise RuntimeError("MLflow says something else than the records")
        seconds.append(taken * len(runs) / len(some))
        print(
            f"  get_metric_history takes {seconds[-1]:.1f} s {how} (by {len(some)} runs), "
            f"{seconds[-1] / built.read_s:.0f} times our reading"
        )
        analyse(file)
    return seconds[0] / built.seconds


def _print_load(load: PageLoad) -> None:
    print(
        f"  in Chromium there after {load.there_s:.2f} s, all {load.figures} figures after "
        f"{load.all_s:.2f} s, its thread busy for {load.busy_s:.2f} s, longest task "
        f"{load.longest_task_s:.2f} s, layout shift {load.shifted:.3f}"
    )
    for complaint in load.complaints:
        print(f"  console: {complaint}")


if __name__ == "__main__":
    sys.exit(main())
