"""Studies whose trials kept files of some content."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.records import StudyRecord


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., StudyRecord]:
    """Give a cell of a study a file of some role."""

    def with_file(study: StudyRecord, cell: str, role: str, content: object) -> StudyRecord:
        file = tmp_path / f"{cell}-{role}".replace("/", "_")
        text = content if isinstance(content, str) else json.dumps(content)
        file.write_text(text, encoding="utf-8")
        known = study.cells[cell]
        files = {**known.files, role: str(file)}
        return replace(study, cells={**study.cells, cell: replace(known, files=files)})

    return with_file
