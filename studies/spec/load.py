"""Read a study file, or say everything that is wrong with it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.spec.afterwards_checks import afterwards_findings
from studies.spec.checks import known_classes, study_findings
from studies.spec.cited_checks import cited_findings, cited_texts
from studies.spec.document import Document, read_document
from studies.spec.draft import Draft, read_draft
from studies.spec.flow_checks import flow_findings
from studies.spec.fold_checks import fold_findings
from studies.spec.label_checks import label_findings, network_labels
from studies.spec.overrides import apply_overrides
from studies.spec.problems import Problem, StudyFileError
from studies.spec.schema import StudySpec
from studies.spec.secret_checks import secret_findings
from studies.spec.stage_checks import stage_findings
from studies.spec.start_checks import FindStart, find_nothing, missing_file, start_findings
from trackers.redaction import redact


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """A study file that is in order."""

    spec: StudySpec
    text: str  # of the file, as it stands; a secret in a comment is left out
    path: Path
    overrides: tuple[str, ...]  # "a.b=c", in the order they were applied
    resolved: Mapping[str, Any]  # every setting with its default, nested as in the file; JSON
    cited_files: Mapping[str, str] = field(default_factory=dict)  # of `baselines`: file -> text


def load_study(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    check_data: bool = True,
    find_start: FindStart | None = None,
) -> LoadedStudy:
    """Read and check a study file.

    Args:
        path: The YAML file.
        overrides: `a.b=c` each, replacing values of the file.
        environ: Variables for `${NAME}`; the process's own by default.
        check_data: Whether to look at the data on disk.
        find_start: Looks for the runs and files that a training starts from; by default for
            files alone, where the disk is looked at.

    Raises:
        StudyFileError: Something is wrong; it holds all problems, by line.
    """
    variables = os.environ if environ is None else environ
    document = read_document(path, variables)
    apply_overrides(document, overrides)
    draft = read_draft(document.data, {loc for loc, _ in document.found})
    draft.report(list(secret_findings(document.data, variables)))
    draft.report(list(study_findings(draft, on_disk=check_data)))
    draft.report(list(cited_findings(draft, path.parent)))
    classes = known_classes(draft, on_disk=check_data)
    labels = network_labels(draft, on_disk=check_data)
    draft.report(list(label_findings(draft, labels)))
    find = find_start or (missing_file if check_data else find_nothing)
    draft.report(list(start_findings(draft, find)))
    draft.report(list(stage_findings(draft, classes, labels, find)))
    draft.report(list(afterwards_findings(draft)))
    draft.report(list(fold_findings(draft)))
    if check_data:
        draft.report(list(flow_findings(draft)))
    problems = _problems(document, draft, overrides)
    if problems:
        raise StudyFileError(problems)
    spec = StudySpec.model_validate(document.data)
    resolved = spec.model_dump(mode="json", by_alias=True)
    text = redact(document.text, variables)
    cited = cited_texts(spec.baselines, path.parent)
    return LoadedStudy(spec, text, path, tuple(overrides), resolved, cited)


def _problems(document: Document, draft: Draft, overrides: Sequence[str]) -> list[Problem]:
    """Return everything that is wrong, in the order of the file and then of the overrides."""
    for old, new in draft.renamed:
        document.rename(old, new)
    problems = [problem for _, problem in document.found]
    problems += [document.problem(finding) for finding in draft.findings]
    order = {f"--set {override}": index for index, override in enumerate(overrides, start=1)}
    return sorted(problems, key=lambda p: (order.get(p.file, 0), p.line or 0, p.col or 0))
