"""The parts of a study that can be read, however many mistakes the others hold.

Every section and every stage is checked by itself, and a mistake with an obvious intention is
repaired for the checks that follow: one run tells everything that is wrong.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from data_pipeline.settings import DataSettings
from models.settings import EvaluationSettings, ModelSettings, TrainingSettings
from studies.spec.fields import known_keys
from studies.spec.problems import Annotation, Finding, Loc, Plain, closest, did_you_mean
from studies.spec.schema import CellSettings, Objective, StudySpec
from studies.spec.search_schema import JointSpec, Search, StageSpec, Vary
from studies.spec.tree_space import SpaceConflictError, joint_space
from studies.spec.wording import Repair, explain

T = TypeVar("T")
ROUNDS = 4  # a repair may bring up a mistake that was hidden; deeper nesting there is not
NO_SEARCH = "'search' must hold stages under `tree`, or a `joint` search"
PLACEHOLDER = StageSpec(stage="placeholder", vary={"evaluation.threshold": [0.5]})


@dataclass(slots=True)
class Draft:
    """A study with holes where a mistake left nothing to check."""

    values: dict[str, Any] = field(default_factory=dict)  # section -> checked value
    stages: list[StageSpec | None] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    doubtful: set[Loc] = field(default_factory=set)  # reported; a guess stands in their place
    renamed: list[tuple[Loc, Loc]] = field(default_factory=list)  # misspelt key -> what was meant

    @property
    def task(self) -> str | None:
        """The task's name."""
        return self.values.get("task")

    @property
    def data(self) -> DataSettings | None:
        """The data section."""
        return self.values.get("data")

    @property
    def model(self) -> ModelSettings | None:
        """The model section."""
        return self.values.get("model")

    @property
    def training(self) -> TrainingSettings | None:
        """The training section."""
        return self.values.get("training")

    @property
    def evaluation(self) -> EvaluationSettings | None:
        """The evaluation section, at its defaults where the study has none."""
        return self.values.get("evaluation")

    @property
    def objective(self) -> Objective | None:
        """The objective section."""
        return self.values.get("objective")

    @property
    def joint(self) -> JointSpec | None:
        """The joint search, in a study that has one."""
        search = self.values.get("search")
        return search.joint if search else None

    @property
    def space(self) -> Vary:
        """What a joint search varies: its own space, or that of the tree it is like."""
        search: Search | None = self.values.get("search")
        try:
            return joint_space(search) if search else {}
        except SpaceConflictError:  # reported with the stages
            return {}

    @property
    def base(self) -> CellSettings | None:
        """The base settings, when all four sections could be read."""
        if self.data is None or self.model is None or self.training is None:
            return None
        evaluation = self.evaluation or EvaluationSettings()
        return CellSettings(
            data=self.data, model=self.model, training=self.training, evaluation=evaluation
        )

    def is_certain(self, *loc: str | int) -> bool:
        """Say whether nothing was wrong at a place, so that others may be held against it."""
        return loc not in self.doubtful

    def report(self, findings: list[Finding]) -> None:
        """Add what is wrong, once per place."""
        for finding in findings:
            if finding.loc not in self.doubtful:
                self.findings.append(finding)
        self.doubtful.update(finding.loc for finding in findings)


def read_draft(data: Mapping[str, Any], doubtful: set[Loc]) -> Draft:
    """Check every section by itself.

    Args:
        data: The study as plain data.
        doubtful: Places that are known to be wrong already.
    """
    draft = Draft(doubtful=set(doubtful))
    named = _rename_sections(data, draft)
    for name, info in StudySpec.model_fields.items():
        if name not in named:
            if info.is_required():
                message = f"'{name}' is required but missing: {info.description}"
                draft.report([Finding((name,), message)])
            else:
                draft.values[name] = info.get_default(call_default_factory=True)
        elif name == "search":
            draft.values[name] = _read_search(named[name], draft)
        else:
            draft.values[name] = _read(name, info, named[name], draft)
    return draft


def _rename_sections(data: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
    """Report unknown top-level keys and return the data under the names that were meant."""
    known = known_keys(StudySpec)
    named = {key: value for key, value in data.items() if key in known}
    for key in data.keys() - named.keys():
        match = closest(key, known)
        if match and match not in named:
            named[match] = data[key]
            draft.renamed.append(((key,), (match,)))
        hint = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
        draft.report([Finding((key,), f"unknown key '{key}'{hint}", on_key=True)])
    return named


def _read(section: str, info: FieldInfo, raw: Plain, draft: Draft) -> Plain:
    """Check one section of the study."""
    stated: Annotation = Annotated[info.annotation, info]  # with the field's own limits
    adapter: TypeAdapter[Any] = TypeAdapter(stated)
    return _checked(adapter, raw, loc=(section,), annotation=info.annotation, draft=draft)


def _read_search(raw: Plain, draft: Draft) -> Search | None:
    """Check the stages one by one, then the rest of `search` with those that are in order."""
    if raw is None:
        draft.report([Finding(("search",), NO_SEARCH)])
        return None
    adapter = TypeAdapter(Search)
    if not isinstance(raw, Mapping) or not isinstance(raw.get("tree", []), list):
        _checked(adapter, raw, loc=("search",), annotation=Search, draft=draft)
        return None
    stages = [_read_stage(stage, i, draft) for i, stage in enumerate(raw.get("tree", []))]
    draft.stages = stages
    rest = {**raw, "tree": [stage for stage in stages if stage is not None]}
    if None in stages and not rest["tree"]:  # not "neither tree nor joint": there is a tree
        rest["tree"] = [PLACEHOLDER]
    search = _checked(adapter, rest, loc=("search",), annotation=Search, draft=draft)
    if search and not stages:  # `tree` itself was misspelt
        draft.stages = list(search.tree)
    return search


def _read_stage(raw: Plain, index: int, draft: Draft) -> StageSpec | None:
    loc: Loc = ("search", "tree", index)
    if isinstance(raw, Mapping) and raw.get("stage") and not raw.get("vary"):
        message = (
            f"stage '{raw['stage']}' varies nothing; list values under `vary`, e.g. "
            "{training.learning_rate: [1e-3, 1e-4]}, or remove the stage"
        )
        where = (*loc, "vary") if "vary" in raw else loc
        draft.report([Finding(where, message, on_key=True)])
        raw = {**raw, "vary": PLACEHOLDER.vary}  # the stage's other keys are checked all the same
        _checked(TypeAdapter(StageSpec), raw, loc=loc, annotation=StageSpec, draft=draft)
        return None
    return _checked(TypeAdapter(StageSpec), raw, loc=loc, annotation=StageSpec, draft=draft)


def _checked(
    adapter: TypeAdapter[T], raw: Plain, *, loc: Loc, annotation: Annotation, draft: Draft
) -> T | None:
    """Check a part of the study, reporting and repairing until it passes or cannot."""
    holder = {"": deepcopy(raw)}  # so that the whole part can be replaced too
    changed: set[Loc] = set()  # repaired, or lacking something that was: not the user's doing
    for _ in range(ROUNDS):
        raw = holder[""]
        try:
            return adapter.validate_python(raw)
        except ValidationError as error:
            explanations = [
                explain(detail, raw, section=str(loc[0]), annotation=annotation)
                for detail in error.errors(include_url=False)
            ]
        repairs = [e.repair for e in explanations if e.repair is not None]
        changed |= {repair.target for repair in repairs if repair.action == "rename"}
        found = [e.finding for e in explanations if e.finding.loc not in changed]
        draft.report([Finding((*loc, *f.loc), f.message, f.on_key) for f in found])
        if not repairs:
            return None
        for repair in repairs:
            _apply(repair, holder)
            if repair.action == "rename":
                draft.renamed.append(((*loc, *repair.loc), (*loc, *repair.target)))
            if repair.action == "remove":
                draft.doubtful.add((*loc, *repair.loc))
                changed.add(repair.loc[:-1])
    return None


def _apply(repair: Repair, holder: dict[str, Plain]) -> None:
    """Repair unchecked data in place; two mistakes may have had the same repair."""
    *parents, key = ("", *repair.loc)
    raw: Plain = holder
    for part in parents:
        raw = raw[part]
    if repair.action == "put":
        raw[key] = repair.value
    elif key in raw:
        value = raw.pop(key)
        if repair.action == "rename":
            raw.setdefault(repair.value, value)
