"""Splits that put parts of one recording into training and into what is scored.

Clips of one video are alike in place, person and light, so a network that has seen some of them
knows the others: its score is no estimate for new videos. Computed from the settings of cells; a
dataset of videos is one with `data.clip`. Folds are made of whole recordings, whatever the policy:
with them the test split alone leaks.
"""

from collections.abc import Iterator, Mapping, Sequence

from reports.lineage import Placed, places
from reports.measurements import cells_of, mean, value_of
from reports.notation import join_words, metric_name, plural, score, signed
from trackers.records import CellRecord, ConfigurationRecord, JsonValue, StudyRecord

POLICY = "data.split.policy"
CUTS_GROUPS = ("random", "stratified")
FOLDS = "data.split.folds"
SPLIT = "data.split"
OF_TEST = "test/"  # that metrics of the test split begin with
FRAMES_OF_DRIVES = ("camvid",)  # datasets of pictures that come from a few recordings


def is_leaky(settings: Mapping[str, JsonValue], metric: str) -> bool:
    """Say whether groups are cut between a cell's training and what it is scored on.

    Args:
        settings: Dotted path -> value.
        metric: `val/…` or `test/…`, which tells the split that is scored.
    """
    return _cuts_groups(settings) and (_cuts_validation(settings) or metric.startswith(OF_TEST))


def is_leaky_configuration(study: StudyRecord, configuration: ConfigurationRecord) -> bool:
    """Say whether what any cell of a configuration is compared by comes from a leaky split."""
    return any(is_leaky(cell.settings, study.metric) for cell in cells_of(study, configuration))


def leak_warning(study: StudyRecord) -> str | None:
    """Name the leaky splits of a study and what is scored on them; None where there are none."""
    leaky = [cell for cell in study.cells.values() if _cuts_groups(cell.settings)]
    whole = [cell for cell in leaky if _cuts_validation(cell.settings)]
    sentences = [
        *_warning(study, whole, "training and into what is scored", "the scores"),
        *_warning(
            study,
            [cell for cell in leaky if cell not in whole],
            "the test split and into what the networks were made with (validation, by folds, "
            "keeps recordings whole)",
            "the test scores",
        ),
    ]
    return " ".join(sentences) or None


def _warning(
    study: StudyRecord, leaky: Sequence[CellRecord], between: str, scores: str
) -> Iterator[str]:
    if leaky:
        policies = join_words(sorted({str(cell.settings[POLICY]) for cell in leaky}))
        count = "every cell" if len(leaky) == len(study.cells) else plural(len(leaky), "cell")
        yield (
            f"Leaky split: {policies} puts parts of one recording into {between}, so {scores} of "
            f"{count} are far too high and say nothing of new recordings."
        )


def _cuts_groups(settings: Mapping[str, JsonValue]) -> bool:
    has_groups = "data.clip.frames" in settings or settings.get("data.dataset") in FRAMES_OF_DRIVES
    return has_groups and settings.get(POLICY) in CUTS_GROUPS


def _cuts_validation(settings: Mapping[str, JsonValue]) -> bool:
    return settings.get(FOLDS) is None


def leak_gaps(study: StudyRecord) -> tuple[str, ...]:
    """Set each leaky configuration against the sound ones of its stage, in a sentence each.

    Only those that differ in nothing but the split stand against each other.
    """
    found = list(places(study).values())
    leaky = [each for each in found if is_leaky_configuration(study, each.configuration)]
    pairs = (
        (each, other)
        for each in leaky
        for other in found
        if other.place[0] == each.place[0]
        and not is_leaky_configuration(study, other.configuration)
        and _apart_from_split(other) == _apart_from_split(each)
    )
    sentences = (_gap_sentence(study, each, other) for each, other in pairs)
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))


def _apart_from_split(placed: Placed) -> tuple[str, str | None, dict[str, JsonValue]]:
    configuration = placed.configuration
    rest = {
        path: value
        for path, value in configuration.varied.items()
        if path != SPLIT and not path.startswith(f"{SPLIT}.")
    }
    return configuration.group, configuration.parent, rest


def _gap_sentence(study: StudyRecord, leaky: Placed, sound: Placed) -> str | None:
    values = [
        mean(value_of(cell, study.metric) for cell in cells_of(study, each.configuration))
        for each in (leaky, sound)
    ]
    if values[0] is None or values[1] is None:
        return None
    names = [_policy(study, each.configuration) for each in (leaky, sound)]
    return (
        f"{metric_name(study.metric)}: {names[0]} {score(values[0])} against {names[1]} "
        f"{score(values[1])}, a gap of {signed(values[0] - values[1])}."
    )


def _policy(study: StudyRecord, configuration: ConfigurationRecord) -> str:
    """Name a configuration by its split; of the dataset's own, by its number too."""
    settings = cells_of(study, configuration)[0].settings
    policy, number = str(settings.get(POLICY, "given")), settings.get("data.split_list")
    return f"{policy} {number}" if policy == "given" and number is not None else policy
