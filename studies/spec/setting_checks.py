"""The settings that stages and joint searches vary must exist, fit the base and each other."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from studies.spec.branches import Spot, Way, spots, ways
from studies.spec.problems import Finding, Loc, did_you_mean
from studies.spec.schema import CellSettings
from studies.spec.search_schema import Vary
from studies.spec.settings import affects_result, flatten
from studies.spec.settings_trial import Option, SettingsTrial, Step, options_of

FIXED = ("data", "data.dataset", "data.one_model_per_class", "data.folds")


@dataclass(frozen=True, slots=True)
class Part:
    """A mapping of dotted settings in the study, to be held against the base."""

    loc: Loc
    stage: str  # "" in a joint search
    vary: Vary
    vary_key: str  # "vary", "space" or "like"
    held: Mapping[str, Any]
    together: bool = False  # lists are gone through side by side

    @property
    def vary_loc(self) -> Loc:
        """Where the study says what varies."""
        return (*self.loc, self.vary_key)

    @property
    def held_loc(self) -> Loc:
        """Where it says what is held."""
        return (*self.loc, "with")


def setting_findings(
    parts: Iterable[Part], base: CellSettings, trial: SettingsTrial
) -> Iterator[Finding]:
    """Every setting must exist and every value be valid, alone and after the stages above.

    Args:
        parts: Of the study, in the order they run.
        base: The base settings.
        trial: Tries values on them.
    """
    paths = _setting_paths(base)
    for part in parts:
        varied = list(spots(part.vary, part.vary_loc))
        unknown = {path: _path_problem(path, paths, base) for path in part.held}
        yield from _held_findings(part, varied, unknown)
        wrong = {spot.loc: _spot_problem(spot, paths, base) for spot in varied}
        for spot in varied:
            if message := wrong[spot.loc]:
                yield Finding(spot.loc, message, on_key=True)
            elif not (part.together or spot.is_choice):  # where a value may be there twice
                yield from trial.value_findings(spot.loc, spot.path, spot.values)
        held = {
            path: value
            for path, value in part.held.items()
            if not unknown[path] and path not in part.vary
        }
        faulty = {loc for loc, message in wrong.items() if message}
        yield from trial.findings(
            [
                Step(
                    part.stage,
                    part.vary_loc,
                    part.held_loc,
                    _options(way, faulty),
                    held,
                    together=part.together,
                )
                for way in ways(part.vary, part.vary_loc)
            ]
        )


def _held_findings(
    part: Part, varied: Sequence[Spot], unknown: Mapping[str, str | None]
) -> Iterator[Finding]:
    for path in part.held:
        message = unknown[path]
        if message is None and any(spot.path == path for spot in varied):
            message = f"'{path}' is held by `with` and varied as well; remove one"
        if message:
            yield Finding((*part.held_loc, path), message, on_key=True)


def _options(way: Way, faulty: Container[Loc]) -> dict[str, list[Option]]:
    """Return what is tried of the settings that are in order."""
    options: dict[str, list[Option]] = {}
    for path, (loc, values) in way.items():
        is_choice = loc[-1] != path  # below the setting
        if (loc[:-1] if is_choice else loc) in faulty:
            continue
        found = options_of(loc, values)
        options[path] = [option._replace(loc=loc) for option in found] if is_choice else found
    return options


def _spot_problem(spot: Spot, paths: Mapping[str, bool], base: CellSettings) -> str | None:
    """Say why a search cannot vary a setting, or None when it can."""
    message = _path_problem(spot.path, paths, base)
    if message is None and spot.path in spot.above:
        return f"'{spot.path}' varies further out already; remove one"
    if message is None and spot.is_choice:
        current = flatten(base).get(spot.path)
        if not isinstance(current, str):
            return (
                f"'{spot.path}' is not chosen by name, so that nothing can hang on the choice; "
                "branches are of a setting such as training.optimizer"
            )
    return message


def _setting_paths(base: CellSettings) -> dict[str, bool]:
    """Return every dotted path, of single settings and of whole parts, and if it has an effect."""
    paths: dict[str, bool] = {}

    def walk(model: BaseModel, prefix: str, *, inherited: bool) -> None:
        for name, info in type(model).model_fields.items():
            has_effect = inherited and affects_result(info)
            paths[prefix + name] = has_effect
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                walk(value, f"{prefix}{name}.", inherited=has_effect)

    walk(base, "", inherited=True)
    return paths


def _path_problem(path: str, paths: Mapping[str, bool], base: CellSettings) -> str | None:
    """Say why a stage cannot set a path, or None when it can."""
    if path not in paths:
        hint = did_you_mean(path, [known for known in paths if "." in known])
        if not hint:
            known = [p for p in flatten(base) if p.split(".")[0] == path.split(".")[0]]
            hint = f"; known: {', '.join(known or ('data.…', 'model.…', 'training.…'))}"
        return f"unknown setting '{path}'{hint}"
    if path in FIXED:
        return f"'{path}' is the same for a whole study; write one study for each value"
    if path.endswith(".name"):
        whole = path.removesuffix(".name")
        return f"set '{whole}' as a whole instead, e.g. {whole}: [{{name: …}}, {{name: …}}]"
    if not paths[path]:
        return f"'{path}' has no effect on results, so there is nothing to compare; remove it"
    return None
