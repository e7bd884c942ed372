"""Networks of single classes put together, beside one network for all classes.

All ways are scored on the same images. Values are means over seeds; two ways are compared seed
by seed, because a pair shares its members and its images.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from reports.measurements import finite, mean, trained_cell
from reports.notation import (
    SPLIT_WORDS,
    join_words,
    macs,
    metric_name,
    plural,
    score,
    sentence_case,
    signed,
)
from reports.tables.flags import SEEDS_FOR_SIGNIFICANCE
from reports.tables.predictions import STRIP, Strip, data_uri
from trackers.records import AssemblyRecord, CellRecord, StudyRecord

USUAL_METRIC = "iou"
WAYS = {"own": "Own network", "assembly": "Assembly", "single": "Single network"}
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class AssemblyRow:
    """One class, or the mean over classes: the score of each way, see `AssemblyTable.ways`."""

    name: str
    values: tuple[float | None, ...]
    is_overall: bool


@dataclass(frozen=True, slots=True)
class AssemblyCost:
    """What training took, mean over seeds, per way."""

    seconds: tuple[float | None, ...]
    train_macs: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """What the assembly and the single network of one seed scored."""

    record: AssemblyRecord
    assembly: float
    single: float


@dataclass(frozen=True, slots=True)
class MissingAssembly:
    """An assembly that was planned and has no scores."""

    seed: int
    outcome: str  # "not run", "failed", …
    reason: str


@dataclass(frozen=True, slots=True)
class AssemblyTable:
    """Every way to find all classes, on one split."""

    split: str  # "test" where there is one, else "val"
    metric: str  # of the row over all classes, e.g. "iou"
    ways: tuple[str, ...]  # names for people
    rows: tuple[AssemblyRow, ...]  # () before an assembly was scored
    thresholds: tuple[str, ...]  # chosen, per way, of every seed
    cost: AssemblyCost
    sentences: tuple[str, ...]  # which was better, and how sure that is
    missing: tuple[MissingAssembly, ...]
    strip: Strip | None


def assembly_table(study: StudyRecord) -> AssemblyTable | None:
    """Tabulate the assemblies; None where the study asks for none."""
    if not study.assemblies:
        return None
    scored = [each for each in study.assemblies if each.ways]
    split = "test" if any("test" in each.images for each in scored) else "val"
    keys = [way for way in WAYS if any(way in each.ways for each in scored)]
    metric = _metric(study, scored, split)
    return AssemblyTable(
        split=split,
        metric=metric,
        ways=tuple(WAYS[key] for key in keys),
        rows=tuple(_rows(scored, keys, split, metric)),
        thresholds=tuple(_thresholds(scored, key) for key in keys),
        cost=_cost(study, scored, keys),
        sentences=tuple(_sentences(study, scored, split, metric)),
        missing=tuple(_missing(study)),
        strip=_strip(scored),
    )


def _metric(study: StudyRecord, scored: Sequence[AssemblyRecord], split: str) -> str:
    """The objective's, where it is one of decisions at a threshold."""
    own = study.metric.rpartition("/")[2]
    known = all(f"{split}/{own}" in each.ways["assembly"].metrics for each in scored)
    return own if known else USUAL_METRIC


def _rows(
    scored: Sequence[AssemblyRecord], keys: Sequence[str], split: str, metric: str
) -> list[AssemblyRow]:
    if not scored:
        return []
    names = {name: f"{split}/{own}" for name, own in scored[0].class_metrics.items()}
    rows = [
        AssemblyRow(name, tuple(_mean(scored, key, path) for key in keys), is_overall=False)
        for name, path in names.items()
    ]
    values = tuple(_mean(scored, key, f"{split}/{metric}") for key in keys)
    title = "mean" if metric == USUAL_METRIC else f"all: {metric_name(metric)}"
    return [*rows, AssemblyRow(title, values, is_overall=True)]


def _mean(scored: Sequence[AssemblyRecord], way: str, path: str) -> float | None:
    return mean(_value(each, way, path) for each in scored)


def _value(record: AssemblyRecord, way: str, path: str) -> float | None:
    found = record.ways.get(way)
    return None if found is None else finite(found.metrics.get(path))


def _thresholds(scored: Sequence[AssemblyRecord], way: str) -> str:
    found = [each.ways[way].threshold for each in scored if way in each.ways]
    known = sorted({threshold for threshold in found if threshold is not None})
    return ", ".join(f"{threshold:g}" for threshold in known) or "each its own"


def _cost(
    study: StudyRecord, scored: Sequence[AssemblyRecord], keys: Sequence[str]
) -> AssemblyCost:
    def per_way(cost: Callable[[CellRecord], float]) -> tuple[float | None, ...]:
        return tuple(mean(_spent(study, each, key, cost) for each in scored) for key in keys)

    return AssemblyCost(
        seconds=per_way(lambda cell: cell.seconds), train_macs=per_way(lambda c: c.train_macs)
    )


def _spent(
    study: StudyRecord, record: AssemblyRecord, way: str, cost: Callable[[CellRecord], float]
) -> float | None:
    """Add up what training the networks of a way took; an assembly trains none of its own."""
    named = [record.single] if way == "single" else list(record.members.values())
    cells = [study.cells[each] for each in named if each is not None and each in study.cells]
    return sum(cost(trained_cell(study, cell)) for cell in cells) if cells else None


def _sentences(
    study: StudyRecord, scored: Sequence[AssemblyRecord], split: str, metric: str
) -> list[str]:
    """Say which way was better, by how much, at what compute, and what that proves."""
    if not scored:
        return ["No assembly has been scored yet."]
    path = f"{split}/{metric}"
    sentences = [_images_sentence(scored, split)]
    pairs = [
        _Pair(each, ours, theirs)
        for each in scored
        if (ours := _value(each, "assembly", path)) is not None
        and (theirs := _value(each, "single", path)) is not None
    ]
    if pairs:
        sentences.append(_comparison_sentence(study, pairs, path))
    elif any(each.wants_single for each in study.assemblies):
        sentences.append("The single network has no result to compare with.")
    count = len(pairs) or len(scored)
    if count < SEEDS_FOR_SIGNIFICANCE:
        prove = "proves" if count == 1 else "prove"
        sentences.append(
            f"{sentence_case(plural(count, 'seed'))} {prove} nothing about other seeds: "
            f"{SEEDS_FOR_SIGNIFICANCE} are needed."
        )
    return sentences


def _images_sentence(scored: Sequence[AssemblyRecord], split: str) -> str:
    images = max(each.images.get(split, 0) for each in scored)
    left_out = max(each.left_out.get(split, 0) for each in scored)
    text = f"All are scored on the same {plural(images, f'{SPLIT_WORDS[split]} image')}"
    if left_out:
        text += f"; {left_out:,} were left out, which a network was trained or chosen with"
    return f"{text}."


def _comparison_sentence(study: StudyRecord, pairs: Sequence[_Pair], path: str) -> str:
    differences = [pair.assembly - pair.single for pair in pairs]
    gap = fmean(differences)
    better = "The assembly" if gap > 0 else "The single network"
    verdict = f"{better} was better by {score(abs(gap))}" if gap else "The two were equal"
    spread = f", by seed {signed(min(differences))} to {signed(max(differences))}"
    spent = [
        mean(_spent(study, pair.record, way, lambda cell: cell.train_macs) for pair in pairs)
        for way in ("assembly", "single")
    ]
    compute = join_words(macs(value or 0.0) for value in spent)
    ours, theirs = fmean(pair.assembly for pair in pairs), fmean(pair.single for pair in pairs)
    return (
        f"{verdict} in {metric_name(path)} ({score(ours)} put together, {score(theirs)} of the "
        f"single network{spread if len(pairs) > 1 else ''}), with {compute} of training."
    )


def _missing(study: StudyRecord) -> list[MissingAssembly]:
    return [
        MissingAssembly(each.seed, str(each.outcome or NOT_RUN), each.reason)
        for each in study.assemblies
        if not each.ways
    ]


def _strip(scored: Sequence[AssemblyRecord]) -> Strip | None:
    for record in scored:
        source = data_uri(Path(record.files[STRIP])) if STRIP in record.files else None
        if source:
            threshold = record.ways["assembly"].threshold
            return Strip(f"Assembly, seed {record.seed}, threshold {threshold:g}.", source)
    return None


def scored_by_threshold(
    study: StudyRecord, metric: str
) -> Mapping[tuple[str, str], Mapping[float, float | None]]:
    """Return (way, split) -> threshold -> mean over seeds."""
    found: dict[tuple[str, str], dict[float, list[float | None]]] = {}
    scored = [(way, each) for way in WAYS for each in study.assemblies if way in each.ways]
    for way, record in scored:
        for threshold, metrics in record.ways[way].by_threshold:
            for split in record.images:
                at = found.setdefault((way, split), {}).setdefault(threshold, [])
                at.append(finite(metrics.get(f"{split}/{metric}")))
    return {
        key: {threshold: mean(values) for threshold, values in by.items()}
        for key, by in found.items()
    }
