"""How much each varied setting of a search matters, by Optuna's two evaluators.

PED-ANOVA (Watanabe et al. 2023) asks what tells the best tenth of configurations from the rest,
and knows settings that vary only with some choice. fANOVA (Hutter et al. 2014) asks what explains
the variance over the whole space, of settings that every configuration has. They answer different
questions and may well disagree; so both are kept, each under its name.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import ExperimentalWarning

from studies.search.space import Space
from studies.spec.schema import StudySpec
from studies.tree.stages import Stage, stages_of
from trackers.records import (
    CandidateRecord,
    ConfigurationRecord,
    ImportanceRecord,
    StageRecord,
    StudyRecord,
)

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator

FEWEST = 10  # configurations with a value
# fANOVA's time grows with the square of its trees' leaves: Optuna's 64 whole trees of 1,000
# configurations take a minute, and half as many of at most 64 leaves give the same shares to 0.02.
MOST_WITH_WHOLE_TREES = 100
TREES, DEPTH = 32, 6


def with_importance(study: StudyRecord) -> StudyRecord:
    """Return the record with the importance of settings in every search that is large enough."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    stages = {stage.name: stage for stage in stages_of(StudySpec.model_validate(study.settings))}
    found = [
        each
        for record in study.stages
        if record.name in stages and len(record.vary) > 1
        for each in _of_stage(study, record, stages[record.name])
    ]
    return replace(study, importance=tuple(found))


def _of_stage(study: StudyRecord, record: StageRecord, stage: Stage) -> Iterator[ImportanceRecord]:
    """Measure each search of a stage: of one class, and from one branch above."""
    cells = {each.id: each.cells for each in record.configurations}
    values = {
        cells[c.configuration]: c for d in record.decisions for c in d.candidates if c.values
    }
    searches: dict[tuple[str, str | None], dict[tuple[str, ...], ConfigurationRecord]] = {}
    for each in record.configurations:  # of those proposed twice the first; see `tree.judging`
        searches.setdefault((each.group, each.parent), {}).setdefault(each.cells, each)
    several = len(searches) > 1
    for (group, parent), distinct in searches.items():
        configurations = list(distinct.values())
        parts = [group, f"from {parent}" if several and parent and not group else ""]
        name = " / ".join([record.name, *filter(None, parts)])
        measured = [each for each in configurations if each.cells in values]
        if len(measured) >= FEWEST:
            optimized = _as_optuna(study, Space(stage), measured, values)
            left_out = len(configurations) - len(measured)
            for title, evaluator in _evaluators(len(measured)).items():
                shares = _shares(optimized, evaluator)
                yield ImportanceRecord(name, title, shares, len(measured), left_out)


def _as_optuna(
    study: StudyRecord,
    space: Space,
    configurations: Sequence[ConfigurationRecord],
    values: Mapping[tuple[str, ...], CandidateRecord],
) -> optuna.Study:
    """Return an Optuna study in memory that holds what was measured."""
    is_maximized = study.direction == "maximize"
    optimized = optuna.create_study(direction="maximize" if is_maximized else "minimize")
    optimized.add_trials(
        [
            optuna.trial.create_trial(
                value=values[each.cells].mean,
                params=space.params(each.varied),
                distributions=space.distributions(each.varied),
            )
            for each in configurations
        ]
    )
    return optimized


def _evaluators(configurations: int) -> dict[str, "BaseImportanceEvaluator"]:
    # Lazy: scikit-learn is behind it, and every launch would wait for that.
    from optuna.importance import (
        BaseImportanceEvaluator,
        FanovaImportanceEvaluator,
        PedAnovaImportanceEvaluator,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluators: dict[str, BaseImportanceEvaluator] = {
            "PED-ANOVA": PedAnovaImportanceEvaluator()
        }
        is_large = configurations > MOST_WITH_WHOLE_TREES
        forest = {"n_trees": TREES, "max_depth": DEPTH} if is_large else {}
        evaluators["fANOVA"] = FanovaImportanceEvaluator(seed=0, **forest)
    return evaluators


def _shares(optimized: optuna.Study, evaluator: "BaseImportanceEvaluator") -> dict[str, float]:
    """Return each parameter's share; {} where all configurations scored the same."""
    from optuna.importance import get_param_importances  # lazy, as the evaluators

    if len({trial.value for trial in optimized.get_trials(deepcopy=False)}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        shares = get_param_importances(optimized, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}
