"""Holding what stages try against the base settings and against the stages above."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from pydantic import ValidationError

from models.catalog import MODELS
from models.loss_settings import SOFTMAX_LOSSES
from models.pretrained_settings import pretrained_fault
from studies.spec.balance_checks import balance_faults
from studies.spec.clip_checks import clip_fault
from studies.spec.idle_settings import idle_settings
from studies.spec.label_checks import NAMING, NetworkLabels, misnomers
from studies.spec.model_checks import objective_fault, recording_fault
from studies.spec.problems import Finding, Loc, dotted
from studies.spec.schema import CellSettings
from studies.spec.search_schema import Range
from studies.spec.settings import canonical, nested_with_changes, with_changes
from studies.spec.shape_checks import shape_fault
from studies.spec.start_checks import TOUCHING, FindStart, start_fault
from studies.spec.wording import explain, shown

MOST_COMBINATIONS = 512  # of a stage; beyond, one value at a time is tried
MOST_PAIRS = 4096  # of a stage with one above it; each takes about 0.05 ms
NO_THRESHOLD = (
    "a threshold has no effect with loss '{loss}', where the most probable class wins; "
    "remove it, or use loss 'bce'"
)


class Option(NamedTuple):
    """A value that a stage may give a setting, and where the study says so."""

    loc: Loc
    value: Any


class Complaint(NamedTuple):
    """Why settings cannot be trained."""

    path: str  # dotted setting at fault
    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a stage or a joint search tries."""

    stage: str
    vary_loc: Loc
    held_loc: Loc
    options: Mapping[str, list[Option]]  # dotted setting -> values
    held: Mapping[str, Any]  # dotted setting -> value
    together: bool = False  # lists are gone through side by side

    def combinations(self) -> list[dict[str, Option]]:
        """Return the product of all values; of too many, each value once with the first others."""
        if self.together:  # lists of unequal lengths are reported on their own
            side_by_side = zip(*self.options.values(), strict=False)
            return [dict(zip(self.options, each, strict=True)) for each in side_by_side]
        count = 1
        for options in self.options.values():
            count *= len(options)
        if count <= MOST_COMBINATIONS:
            return [
                dict(zip(self.options, c, strict=True)) for c in product(*self.options.values())
            ]
        first = {path: options[0] for path, options in self.options.items()}
        return [{**first, path: o} for path, options in self.options.items() for o in options]


def options_of(loc: Loc, values: list[Any] | Range) -> list[Option]:
    """Return the values of a list, or the ends of a range."""
    if isinstance(values, Range):
        return [Option((*loc, "low"), values.low), Option((*loc, "high"), values.high)]
    return [Option((*loc, index), value) for index, value in enumerate(values)]


class SettingsTrial:
    """Tries settings stage by stage, remembering what the stages above may have chosen."""

    def __init__(
        self,
        base: CellSettings,
        task: str | None,
        labels: NetworkLabels,
        *,
        objective: str | None,
        study: str,
        find: FindStart,
    ) -> None:
        self.base = base
        self.task = task
        self.labels = labels
        self.objective = objective
        self.study = study
        self.find = find  # looks for what a training starts from
        self.above: list[Step] = []
        size_rule = MODELS[base.model.name].size_rule
        self.base_is_chosen_well = objective_fault(base.model, objective) is None
        self.base_fits = size_rule(base.model, base.data.image_size) is None

    def value_findings(self, loc: Loc, path: str, values: list[Any] | Range) -> Iterator[Finding]:
        """Check what a list or a range is by itself."""
        if isinstance(values, Range):
            yield from self._range_findings(loc, path, values)
            return
        seen: set[str] = set()
        for index, value in enumerate(values):
            text = json.dumps(canonical(self._as_held(path, value)), sort_keys=True)
            if text in seen:
                yield Finding((*loc, index), f"value {shown(value)} is there twice; remove one")
            seen.add(text)

    def _as_held(self, path: str, value: Any) -> Any:  # noqa: ANN401  # of any setting
        """Return a value as settings hold it, where two spellings of it are the same."""
        try:
            held: Any = with_changes(self.base, {path: value}).model_dump(mode="json")
        except ValueError:  # reported with the combinations
            return value
        for part in path.split("."):
            held = held[part]
        return held

    def findings(self, ways: Sequence[Step]) -> Iterator[Finding]:
        """Check the combinations of a stage on the base, and after each stage above.

        Args:
            ways: The stage, once for each way through its branches.
        """
        for step in ways:
            tried = [(c, self._complaint(step, c)) for c in step.combinations()]
            yield from _blamed(step, tried)
            good = [combination for combination, complaint in tried if complaint is None]
            for earlier in self.above:
                yield from self._pair_findings(earlier, step, good)
        self.above.extend(ways)

    def _pair_findings(
        self, earlier: Step, step: Step, good: list[dict[str, Option]]
    ) -> Iterator[Finding]:
        """Report the first combination that works on the base but not after a stage above."""
        inherited = [c for c in earlier.combinations() if self._complaint(earlier, c) is None]
        pairs = list(product(inherited, good))[:MOST_PAIRS]
        for above, combination in pairs:
            complaint = self._complaint(step, {**above, **combination})
            if complaint is not None:
                yield Finding(
                    step.vary_loc,
                    f"when stage '{earlier.stage}' has chosen {_listed(above)}, "
                    f"{_listed(combination)} cannot be tried: {complaint.message}",
                    on_key=True,
                )
                return

    def _complaint(self, step: Step, chosen: Mapping[str, Option]) -> Complaint | None:
        """Say why a choice cannot be trained with what the stage holds."""
        # What a stage holds wins over what it inherits, but not over what it varies itself.
        inherited = {p: o.value for p, o in chosen.items() if p not in step.options}
        varied = {p: o.value for p, o in chosen.items() if p in step.options}
        changes = {**inherited, **step.held, **varied}
        try:
            nested = nested_with_changes(self.base, changes)
        except ValueError as error:
            return Complaint("", str(error))
        try:
            settings = CellSettings.model_validate(nested)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            finding = explain(detail, nested, section="", annotation=CellSettings).finding
            return Complaint(dotted(finding.loc), finding.message)
        return (
            self._misfit(settings, changes)
            or self._mispicture(settings, changes)
            or self._misnomer(settings, changes)
            or self._misstart(settings, changes)
        )

    def _misnomer(self, settings: CellSettings, changes: Mapping[str, Any]) -> Complaint | None:
        """Say which class a setting names that is not there."""
        if not any(path == "data.classes" or path.startswith(NAMING) for path in changes):
            return None
        for path, _, message, _ in misnomers(settings, self.labels.of(settings)):
            return Complaint(path, message)
        return None

    def _misstart(self, settings: CellSettings, changes: Mapping[str, Any]) -> Complaint | None:
        """Say why a training cannot start from what it names."""
        if not any(path.startswith(TOUCHING) for path in changes):
            return None
        fault = start_fault(settings, self.study, self.find)
        if fault is None:
            return None
        # Where a stage sets the part as a whole, that is the place at fault.
        paths = (fault.path, fault.path.rpartition(".")[0])
        return Complaint(
            next((path for path in paths if path in changes), fault.path), fault.message
        )

    def _misfit(self, settings: CellSettings, changes: Mapping[str, Any]) -> Complaint | None:
        """Say why the model or the task makes nothing of valid settings."""
        entry = MODELS[settings.model.name]
        # That of the base is said once, at the base.
        is_new = settings.model.name != self.base.model.name
        if is_new and self.task is not None and self.task not in entry.tasks:
            return Complaint("model", f"model '{settings.model.name}' is not for {self.task}")
        if self.task is not None:
            unfit = _unfit_for(self.task, settings)
            for path in (path for path in changes if path in unfit):
                return Complaint(path, unfit[path])
        recording = recording_fault(settings.model, settings.training)
        if recording is not None and any(
            path.startswith(("model", "training")) for path in changes
        ):
            return Complaint(*recording)
        # What the base's model is not to be chosen by, is said once, at the objective.
        if self.base_is_chosen_well and any(path.startswith("model") for path in changes):
            message = objective_fault(settings.model, self.objective)
            if message:
                return Complaint("model.fusion" if "model.fusion" in changes else "model", message)
        if "evaluation.threshold" in changes and settings.training.loss in SOFTMAX_LOSSES:
            return Complaint(
                "evaluation.threshold", NO_THRESHOLD.format(loss=settings.training.loss)
            )
        return None

    def _mispicture(self, settings: CellSettings, changes: Mapping[str, Any]) -> Complaint | None:
        """Say why the model cannot take pictures as they are made."""
        model, data = settings.model, settings.data
        is_other = any(path.startswith("model") for path in changes)
        if is_other or "data.normalize" in changes:
            message = pretrained_fault(model, is_normalized=data.normalize is not None)
            if message:
                return Complaint("model.pretrained", message)
        if is_other or "data.resize" in changes:
            message = shape_fault(model, data.resize)
            if message:
                return Complaint("data.resize", message)
        changed_clip = [path for path in changes if path.startswith("data.clip")]
        if is_other or changed_clip:
            message = clip_fault(model, data)
            if message:
                return Complaint(changed_clip[0] if changed_clip else "data.clip", message)
        if not (self.base_fits or is_other or "data.image_size" in changes):
            return None  # said once, at the base's image size
        message = MODELS[model.name].size_rule(model, data.image_size)
        return Complaint("data.image_size", message) if message else None

    def _range_findings(self, loc: Loc, path: str, values: Range) -> Iterator[Finding]:
        """A range of whole numbers must say so, and give sizes that the model takes."""
        nested = self.base.model_dump()
        for part in path.split("."):
            nested = nested[part]
        if isinstance(nested, int) and not isinstance(nested, bool) and not values.integer:
            yield Finding(loc, f"'{path}' takes whole numbers; add `integer: true`", on_key=True)
        is_recorded = MODELS[self.base.model.name].training_rule is not None
        if is_recorded and path.startswith("training."):
            words = "plays back what was recorded, and nothing between; list values of it"
            yield Finding(loc, f"model '{self.base.model.name}' {words}", on_key=True)
        if path == "data.image_size" and self.base_fits:
            step = values.step or 1
            size = values.low
            rule = MODELS[self.base.model.name].size_rule
            while size <= values.high:
                message = rule(self.base.model, int(size))
                if message:
                    yield Finding(loc, f"{message}; set `low` and `step` to suit", on_key=True)
                    return
                size += step


def _blamed(
    step: Step, tried: list[tuple[dict[str, Option], Complaint | None]]
) -> Iterator[Finding]:
    """Turn failed combinations into one finding for each value that never works, or a pair."""
    works = {option.loc for c, complaint in tried if complaint is None for option in c.values()}
    reported: set[Loc] = set()
    for combination, complaint in tried:
        if complaint is None:
            continue
        hopeless = {p: o.loc for p, o in combination.items() if o.loc not in works}
        message = complaint.message
        if complaint.path in step.held:
            loc: Loc = (*step.held_loc, complaint.path)
        elif hopeless:
            loc = hopeless.get(complaint.path) or next(iter(hopeless.values()))
        else:
            loc = step.vary_loc
            message = f"{_listed(combination)} cannot be tried together: {message}"
        if loc not in reported:
            reported.add(loc)
            yield Finding(loc, message)


def _listed(chosen: Mapping[str, Option]) -> str:
    return ", ".join(f"{path} {shown(option.value)}" for path, option in chosen.items())


def _unfit_for(task: str, settings: CellSettings) -> dict[str, str]:
    """Return what the task makes nothing of, by the setting's path."""
    unfit = dict(idle_settings(task, settings.training, settings.evaluation))
    return unfit | dict(balance_faults(task, settings.data.balance, settings.training))
