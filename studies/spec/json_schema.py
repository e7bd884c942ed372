"""The study file's JSON Schema, for editors that complete and check while one types.

`studies/study.schema.json` is this schema, written by `visionstudy schema -o`; the studies in
`studies/library` name it in their first line.
"""

import json
from typing import Any

from studies.spec.schema import StudySpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, Any]:
    """Return the schema of a study file, JSON Schema draft 2020-12."""
    schema = StudySpec.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **schema, "title": "visionstudy study"}


def study_schema_text() -> str:
    """Return the schema as it is committed: indented, one line end at the end."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"
