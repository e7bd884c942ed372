"""Send everything a workspace knows of a study to the tracker again."""

from data_pipeline.catalog import data_fingerprint
from studies.running.assembly_uploads import assembly_upload
from studies.running.cited_results import cited_results
from studies.running.starting import Starts
from studies.running.uploads import UploadDesk
from studies.running.weights import kept_cells
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.search.living_tree import data_fingerprints
from studies.spec.schema import StudySpec
from studies.tree.growth import grow
from studies.tree.image_differences import image_differences
from studies.tree.study_record import read_study
from trackers.tracker import Tracker


def synchronise(
    spec: StudySpec, workspace: WorkspaceFolder, *, tracker: Tracker, timeout_s: float
) -> bool:
    """Upload every cell and the report; say whether the tracker took everything in time."""
    ledger = open_ledger(workspace)
    try:
        record = read_study(ledger, workspace.folder, spec.study)
        tree = grow(
            spec,
            ledger.results(spec.study),
            data_fingerprint=data_fingerprints(data_fingerprint),
            start_fingerprint=Starts(workspace).fingerprint,
            proposals=ledger.proposals(spec.study),
            image_difference=image_differences(spec, ledger, workspace.folder),
        )
        desk = UploadDesk(spec, ledger, workspace.folder)
        desk.follow(tree)
        kept = kept_cells(spec, record) if record.is_finished else set()
        for cell in record.cells:
            tracker.cell(spec.study, desk.snapshot(cell, with_weights=cell in kept))
        for each in record.assemblies:
            upload = assembly_upload(each, workspace.folder, task=spec.task)
            tracker.cell(spec.study, upload)
        report = workspace.report(spec.study)
        tracker.study(
            record, report=report if report.exists() else None, cited=cited_results(record)
        )
        return tracker.drain(timeout_s)
    finally:
        ledger.close()
