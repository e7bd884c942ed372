"""Where and with what the study ran, and how to run it again."""

import json
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO

from ruamel.yaml import YAML

from reports.tables.repeating import Need, needs, versions_of
from trackers.records import StudyRecord

COMMIT_KEYS = ("git_commit", "git commit", "commit")
# What `git describe --always --dirty` prints: a hash, or a tag, a count and a hash.
DESCRIBED = re.compile(r"(?:^|-g)(?P<hash>[0-9a-f]{7,40})(?P<dirty>-dirty)?$")


@dataclass(frozen=True, slots=True)
class Environment:
    """What is needed to repeat a study."""

    created: str  # UTC
    facts: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]
    settings: str  # the resolved study file, YAML
    commands: tuple[str, ...]
    is_dirty: bool  # files differed from the commit
    needs: tuple[Need, ...]


def environment(study: StudyRecord) -> Environment:
    """Collect versions, machine and settings."""
    trials = [trial for cell in study.cells.values() for trial in cell.trials]
    return Environment(
        created=moment_text(datetime.fromtimestamp(study.created_at, UTC)),
        facts=tuple((key.replace("_", " "), value) for key, value in study.environment.items()),
        devices=tuple(sorted({f"{trial.device} on {trial.host}" for trial in trials})),
        settings=_as_yaml(study),
        commands=_commands(study),
        is_dirty=bool((described := _described(study)) and described["dirty"]),
        needs=needs(study),
    )


def moment_text(moment: datetime) -> str:
    """Write a moment in UTC: "2 February 2026, 14:05 UTC"."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def commit_of(study: StudyRecord) -> str | None:
    """The git commit that the study ran from, if it is known."""
    described = _described(study)
    return described["hash"] if described else None


def _described(study: StudyRecord) -> re.Match[str] | None:
    named = (study.environment[key] for key in COMMIT_KEYS if study.environment.get(key))
    return DESCRIBED.search(next(named, "").strip())


def _as_yaml(study: StudyRecord) -> str:
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None
    writer.width = 96
    stream = StringIO()
    # A round trip through JSON turns mappings of any type into plain ones.
    writer.dump(json.loads(json.dumps(study.settings, default=dict)), stream)
    return stream.getvalue()


def _commands(study: StudyRecord) -> tuple[str, ...]:
    file = shlex.quote(f"{study.name}.yaml")
    commit = commit_of(study)
    checkout = (f"git checkout {commit}",) if commit else ()
    versions = " ".join(f"{name}=={version}" for name, version in versions_of(study).items())
    packages = (f".venv/bin/pip install {versions}",) if versions else ()
    return (
        *checkout,
        "make setup",
        *packages,
        f"visionstudy launch {file}",
        f"visionstudy report {file}",
        f"visionstudy verify runs/studies/{shlex.quote(study.name)}/report.html",
    )
