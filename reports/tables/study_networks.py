"""Choosing the network: what the networks of a study take, and reached here and elsewhere.

Configurations with the same network are one row: that of the best of them by the study's own
objective, where a study varies other settings too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.baselines.networks import published_network
from reports.measurements import cells_of, finite, mean, rank, value_of
from reports.network_record import Published
from reports.notation import configuration_label, setting_name, value_text
from trackers.records import CellRecord, ConfigurationRecord, JsonValue, Outcome, StudyRecord

TASK = "image_classification"
LEAST = 2  # networks: of one there is nothing to choose
TOP1 = "val/top1"
MODEL, SIZE = "model.", "data.image_size"  # what makes a network cost what it does
# Name, parameters in training, multiply-accumulates for a picture.
Network = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class StudyNetwork:
    """One network and the best configuration that has it; None where it is not known."""

    label: str
    configuration: str  # what else the best one was
    tried: int  # configurations with this network and a value
    cells: int  # complete ones of the best one, that the means are over
    top1: float | None  # validation, mean, as `train_macs` and `seconds`
    published: Published | None
    parameters: int  # that predict: without heads that only help to learn
    macs: float
    latency_ms: float | None  # of one picture, as the trials measured it
    train_macs: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class StudyNetworks:
    """The networks of a study, the fewest parameters first."""

    rows: tuple[StudyNetwork, ...]
    device: str  # that latencies are of; "": there are none, or they are of several devices

    @property
    def has_several(self) -> bool:
        """Whether a row may be the best of several configurations."""
        return any(row.tried > 1 for row in self.rows)


def study_networks(study: StudyRecord) -> StudyNetworks | None:
    """Tabulate the networks of a study; None where it is of other things or has but one."""
    if study.task != TASK:
        return None
    found: dict[Network, list[ConfigurationRecord]] = {}
    for configuration in _trained(study):
        cell = _complete(study, configuration)[0]
        found.setdefault(_network(cell), []).append(configuration)
    if len(found) < LEAST:
        return None
    device = _device(study, [each for members in found.values() for each in members])
    settings = {
        network: [_complete(study, each)[0].settings for each in members]
        for network, members in found.items()
    }
    rows = [
        _row(study, members, telling=_telling(network, settings), has_latency=bool(device))
        for network, members in found.items()
    ]
    if all(row.latency_ms is None for row in rows):
        device = ""
    return StudyNetworks(tuple(sorted(rows, key=lambda row: row.parameters)), device)


def _trained(study: StudyRecord) -> list[ConfigurationRecord]:
    """Return configurations with a complete cell of a network whose size is known, each once."""
    kept: dict[tuple[str, ...], ConfigurationRecord] = {}
    for stage in study.stages:
        if stage.after_training:
            continue
        for configuration in stage.configurations:
            cells = _complete(study, configuration)
            if cells and all(_fact(cell, "parameters") for cell in cells):  # a reference has none
                kept.setdefault(configuration.cells, configuration)
    return list(kept.values())


def _complete(study: StudyRecord, configuration: ConfigurationRecord) -> list[CellRecord]:
    cells = cells_of(study, configuration)
    return [cell for cell in cells if cell.outcome is Outcome.COMPLETE]


def _network(cell: CellRecord) -> Network:
    name = str(cell.settings.get("model.name", ""))
    return name, _fact(cell, "parameters") or 0.0, _fact(cell, "macs_per_image") or 0.0


def _fact(cell: CellRecord, name: str) -> float | None:
    """Return a number that the last trial read back from its live network."""
    value = cell.trials[-1].effective.get(name) if cell.trials else None
    return float(value) if isinstance(value, int | float) else None


def _row(
    study: StudyRecord,
    members: Sequence[ConfigurationRecord],
    *,
    telling: Mapping[str, JsonValue],
    has_latency: bool,
) -> StudyNetwork:
    means = [mean(value_of(c, study.metric) for c in _complete(study, each)) for each in members]
    # One that lacks a fold or a seed is the best only where all do, as in the decisions.
    whole = [len(_complete(study, each)) == len(each.cells) for each in members]
    judged = [m if w or not any(whole) else None for m, w in zip(means, whole, strict=True)]
    best = members[rank(judged, study.direction)[0]]
    cells = _complete(study, best)
    name, trained, macs = _network(cells[0])
    others = {
        path: value
        for path, value in best.shown.items()
        if path not in telling and not f"{path}.".startswith(MODEL)
    }
    return StudyNetwork(
        label=", ".join(
            [name, *(f"{setting_name(p)} {value_text(v)}" for p, v in telling.items())]
        ),
        configuration=configuration_label(others) if others else "",
        tried=sum(value is not None for value in means),
        cells=len(cells),
        top1=mean(value_of(cell, TOP1) for cell in cells),
        published=published_network(*_model(cells[0])),
        # Trainings of before did not record it.
        parameters=round(_fact(cells[0], "predicting_parameters") or trained),
        macs=macs,
        latency_ms=mean(_fact(cell, "latency_ms") for cell in cells) if has_latency else None,
        train_macs=finite(mean(cell.train_macs for cell in cells)),
        seconds=mean(cell.seconds for cell in cells),
    )


def _model(cell: CellRecord) -> tuple[str, dict[str, JsonValue]]:
    settings = {
        path.removeprefix(MODEL): value
        for path, value in cell.settings.items()
        if path.startswith(MODEL)
    }
    return str(settings.pop("name", "")), settings


def _telling(
    network: Network, settings: Mapping[Network, Sequence[Mapping[str, JsonValue]]]
) -> dict[str, JsonValue]:
    """Return what tells a network from others of its name: settings of the model, image size."""
    alike = [each for each in settings if each[0] == network[0]]
    telling = {}
    for path in sorted({path for each in alike for s in settings[each] for path in s}):
        own = {value_text(s.get(path)): s.get(path) for s in settings[network]}
        every = {value_text(s.get(path)) for each in alike for s in settings[each]}
        costs = path.startswith(MODEL) or path == SIZE
        if costs and len(own) == 1 and len(every) > 1:
            telling[path] = next(iter(own.values()))
    return telling


def _device(study: StudyRecord, members: Sequence[ConfigurationRecord]) -> str:
    """Return the one device that all latencies are of; "" where there is no such device."""
    names = {
        str(cell.trials[-1].effective.get("device", ""))
        for each in members
        for cell in _complete(study, each)
    }
    plain = {name.partition(" ")[2] or name for name in names}  # without the number of a GPU
    only = plain.pop() if len(plain) == 1 else ""
    return "the CPU" if only == "cpu" else only
