"""What somebody needs who wants the same numbers again, and how to tell that it is the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reports.measurements import seeds_of
from reports.notation import duration, join_words, plural
from trackers.costs import costs_of
from trackers.records import StudyRecord

# As `studies.running.environment` names them; all others of the environment are told elsewhere.
PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "optuna", "mlflow")
VERSION = re.compile(r"\d+(\.\d+)+")
WEIGHTS_OF = "weights of "  # before the name of what a training starts from
MIB = 1024.0
NONE = "none"  # of a study without data


@dataclass(frozen=True, slots=True)
class Need:
    """One thing to have."""

    what: str
    had: str  # what the study had
    check: str  # how to tell that it is the same; "": it cannot be told


def needs(study: StudyRecord) -> tuple[Need, ...]:
    """List what is known to matter, in the order in which one would see to it."""
    return tuple(
        need
        for part in (_code(study), _data(study), _seeds(study), _machine(study))
        for need in part
    )


def versions_of(study: StudyRecord) -> dict[str, str]:
    """Return the versions of the packages that results may depend on."""
    found = {name: VERSION.match(study.environment.get(name, "")) for name in PACKAGES}
    return {name: match[0] for name, match in found.items() if match}


def _code(study: StudyRecord) -> Iterator[Need]:
    facts = study.environment
    if commit := facts.get("git_commit"):
        yield Need("code", commit, "git describe --always --dirty --abbrev=12")
    if digest := facts.get("source_hash"):
        had = f"{digest}, of models and data_pipeline as they lay there"
        yield Need("hash of the code", had, "source hash in a report of yours")
    python = [f"Python {facts['python']}"] if "python" in facts else []
    packages = [f"{name} {version}" for name, version in versions_of(study).items()]
    if python or packages:
        yield Need("packages", ", ".join([*python, *packages]), "pip list")
    if rules := facts.get("numerics"):
        yield Need("rules of computing", rules, "numerics in a report of yours")


def _data(study: StudyRecord) -> Iterator[Need]:
    facts = study.environment
    name = str(study.base.get("data.dataset", ""))
    if name not in ("", NONE):
        had = ", ".join(filter(None, [name, _left_out(facts.get("data_left_out", ""))]))
        yield Need("data", had, "")
    for fact, what in (("data_fingerprint", "files of the data"), ("data_used", "samples used")):
        if (value := facts.get(fact, NONE)) != NONE:
            told = f"{fact.replace('_', ' ')} in a report of yours"
            yield Need(f"hash of the {what}", value, told)
    for fact, value in facts.items():
        if fact.startswith(WEIGHTS_OF):
            yield Need(fact, value, "sha256sum")


def _left_out(fact: str) -> str:
    return f"left out: {fact}" if fact else ""


def _seeds(study: StudyRecord) -> Iterator[Need]:
    seeds = seeds_of(study.cells.values())
    if seeds:
        had = join_words(str(seed) for seed in seeds)
        yield Need("seeds", had, "search.replicates and search.seed in the settings below")


def _machine(study: StudyRecord) -> Iterator[Need]:
    trials = [trial for cell in study.cells.values() for trial in cell.trials]
    devices = sorted({trial.device for trial in trials})
    if devices:
        yield Need(
            "devices", join_words(devices), "visionstudy doctor; another kind rounds otherwise"
        )
    for fact in ("machine", "platform"):
        if value := study.environment.get(fact):
            yield Need(fact, value, "")
    costs = costs_of(trials)
    if costs.device_s:
        had = f"{duration(costs.device_s)} of a device, {plural(costs.trials, 'attempt')}"
        yield Need("time", had, "")
    if costs.peak_memory_mb:
        yield Need("memory", f"{costs.peak_memory_mb / MIB:.2f} GiB of a device at most", "")
