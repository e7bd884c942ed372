"""How numbers, settings and durations are written, the same in every table and figure."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from trackers.records import JsonValue

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
# Last parts of a dotted path that say nothing without the part before them.
EMPTY_NAMES = frozenset({"name", "policy"})
TRANSFER = "training.transfer"  # what a training starts from, and what of it learns
PRETRAINED = "model.pretrained"
METRIC_WORDS = {
    "iou": "IoU",
    "iou_image_mean": "image-mean IoU",
    "iou_with_background": "IoU with background",
    "picture_iou": "IoU of a picture",
    "dice": "Dice",
    "boundary_f1": "boundary F1",
    "rand_error": "Rand error",
    "auc": "AUC",
    "mae": "MAE",
    "mse": "MSE",
    "voc07_map": "mAP (VOC 2007)",
    "voc10_map": "mAP (VOC 2010)",
    "thesis_map": "mAP (thesis)",
    "open_images_map": "mAP (Open Images)",
    "top1": "top-1",
    "top5": "top-5",
    "clip_top1": "top-1 of clips",
    "clip_top5": "top-5 of clips",
    "class_recall": "class-mean recall",
    "f1": "F1",
    "ece": "ECE",
    "thesis_ap": "AP (thesis)",
    "box_mse": "box MSE",
    "lr": "learning rate",
    "images_per_s": "images/s",
    "peak_memory_mb": "peak memory (MB)",
    "ms_per_image": "ms per image",
    "memory_gb": "memory (GB)",
    "parameters_m": "parameters (millions)",
    "frequency_weighted_iou": "frequency-weighted IoU",
}
LOWER_IS_BETTER = frozenset(
    {
        "loss",
        "log_loss",
        "mae",
        "mse",
        "box_mse",
        "rand_error",
        "pixel_error",
        "warping_error",
        "ece",
        "hours",
        "epochs",
        "seconds_per_epoch",
    }
)
# Metrics that come per class as well, under their name and the class's.
CLASS_METRICS = (
    "mask_ap",
    "box_ap",
    "mask_ar",
    "box_ar",
    "thesis_ap",
    "ap50",
    "ap",
    "ar",
    "boundary_f1",
    "average_precision",
    "auc",
    "iou",
    "recall",
    "precision",
    "f1",
)
AVERAGE_PRECISION = re.compile(r"\ba([pr])(\d*)\b")
EXPONENT = re.compile(r"(\de-)(\d)")
UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|min|h|d|GB|MB|kWh|[kMGTPE]?MACs?)\b)")
SPLIT_WORDS = {"val": "validation", "test": "test", "train": "training"}


def value_text(value: JsonValue) -> str:
    """Write a setting's value: 0.0001 as 1e-4, a list with commas, a mapping with its name."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, Mapping):
        return _mapping_text(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(value_text(item) for item in value) or "none"
    return str(value)


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    if value != 0 and not 0.01 < abs(value) < 1e6:
        mantissa, exponent = f"{value:.6e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:g}"


def _mapping_text(value: Mapping[str, JsonValue]) -> str:
    rest = [
        f"{key.replace('_', ' ')} {value_text(item)}"
        for key, item in value.items()
        if key != "name"
    ]
    name = value_text(value["name"]) if "name" in value else ""
    return f"{name} ({', '.join(rest)})" if name and rest else name or ", ".join(rest) or "none"


def setting_text(
    path: str, value: JsonValue, *, beside: Mapping[str, JsonValue] | None = None
) -> str:
    """Write the value of a setting, in words where it has its own.

    Args:
        path: Of the setting, dotted.
        value: Of the setting.
        beside: Other settings that are known, by path.
    """
    if path != TRANSFER:
        return value_text(value)
    if not isinstance(value, Mapping):
        return _without_transfer(beside or {})
    source = value.get("init_from")
    rest = [str(value.get("mode", "fine_tuning")).replace("_", " ")]
    if value.get("freeze_to"):
        rest.append(f"from {value['freeze_to']} on")
    factors = value.get("learning_rate_factors") or {}
    rest += [f"{layer} at {value_text(f)} x the rate" for layer, f in factors.items()]
    if source is None:
        said = PRETRAINED in (beside or {})
        return ", ".join(rest if said else ["pretrained", *rest])
    run = str(source).removeprefix("study:")
    start = run if run != source else "/".join(PurePath(run).parts[-2:])  # of a file, its end
    return ", ".join([f"from {start}", *rest])


def _without_transfer(beside: Mapping[str, JsonValue]) -> str:
    """Write what a training is that no `transfer` changes; only the model says what it is from."""
    model = beside.get("model")
    given = model.get("pretrained") if isinstance(model, Mapping) else beside.get(PRETRAINED)
    if given is None:
        return "no transfer"
    return "from scratch" if given == "none" else "fine tuning"


def _with_name(path: str, value: JsonValue, varied: Mapping[str, JsonValue]) -> str:
    """Put the setting's name before its value, but where the value says what it is."""
    text = setting_text(path, value, beside=varied)
    return text if path == TRANSFER else f"{setting_name(path)} {text}"


def setting_name(path: str) -> str:
    """Turn a dotted path into words: "training.learning_rate" into "learning rate"."""
    parts = path.split(".")
    if len(parts) > 1 and parts[-1] in EMPTY_NAMES:
        parts = parts[:-1] if parts[-1] == "name" else [f"{parts[-2]}_{parts[-1]}"]
    return parts[-1].replace("_", " ")


def configuration_label(varied: Mapping[str, JsonValue]) -> str:
    """Name a configuration by what its stage varied: "learning rate 1e-3, batch size 8"."""
    if not varied:
        return "base settings"
    return ", ".join(_with_name(path, value, varied) for path, value in varied.items())


def brief_settings(
    varied: Mapping[str, JsonValue], choices: Sequence[Mapping[str, JsonValue]]
) -> dict[str, JsonValue]:
    """Leave out of what has a name, as a model, the settings that all of that name share.

    Args:
        varied: Of one configuration.
        choices: Of all of its stage.
    """
    return {
        path: _brief(value, [each.get(path) for each in choices]) for path, value in varied.items()
    }


def _brief(value: JsonValue, choices: Sequence[JsonValue]) -> JsonValue:
    if not isinstance(value, Mapping) or "name" not in value:
        return value
    alike = [
        each for each in choices if isinstance(each, Mapping) and each.get("name") == value["name"]
    ]
    return {
        key: own
        for key, own in value.items()
        if key == "name" or any(each.get(key) != own for each in alike)
    }


def short_label(varied: Mapping[str, JsonValue]) -> str:
    """Name a configuration by its values alone, where the stage names the settings."""
    texts = [setting_text(path, value, beside=varied) for path, value in varied.items()]
    return " · ".join(texts) or "base"


def short_labels(choices: Sequence[Mapping[str, JsonValue]]) -> list[str]:
    """Name the configurations of a stage by their values, of a model by what tells it apart."""
    return [short_label(brief_settings(varied, choices)) for varied in choices]


def metric_name(metric: str) -> str:
    """Turn "val/iou" into "validation IoU" and "val/iou_car" into "validation IoU, car"."""
    split, _, name = metric.rpartition("/")
    return f"{SPLIT_WORDS.get(split, split)} {_metric_words(name)}".strip()


def _metric_words(name: str) -> str:
    if name in METRIC_WORDS:
        return METRIC_WORDS[name]
    if own := next((each for each in CLASS_METRICS if name.startswith(f"{each}_")), None):
        return f"{_metric_words(own)}, {name.removeprefix(f'{own}_').replace('_', ' ')}"
    words = name.replace("_", " ")
    return AVERAGE_PRECISION.sub(lambda m: f"A{m[1].upper()}{m[2]}", words)


def is_lower_better(metric: str) -> bool:
    """Say whether less of a metric is better: an error, a loss, a cost."""
    return metric.rpartition("/")[2] in LOWER_IS_BETTER


def sentence_case(text: str) -> str:
    """Raise the first letter and leave the rest: "IoU" stays "IoU"."""
    return text[:1].upper() + text[1:]


def unbroken(text: str) -> str:
    """Keep 1e-3 on one line by a word joiner, and a number with its unit by a thin space."""
    return UNIT.sub("\N{NARROW NO-BREAK SPACE}", EXPONENT.sub("\\1\N{WORD JOINER}\\2", text))


def score(value: float | None) -> str:
    """Write a metric with three decimals, or four digits when it is large."""
    if value is None or math.isnan(value):
        return MISSING
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
    return text.replace("-", MINUS)


def signed(value: float | None) -> str:
    """Write a difference with its sign."""
    if value is None or math.isnan(value):
        return MISSING
    return score(value) if value < 0 else f"+{score(value)}"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval: "0.311 to 0.402"."""
    if low is None or high is None:
        return MISSING
    return f"{score(low)} to {score(high)}"


def duration(seconds: float) -> str:
    """Write seconds in the two largest units that matter: "3 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def macs(count: float) -> str:
    """Write multiply-accumulates with a metric prefix: "1.23 TMAC"."""
    if count <= 0:
        return "0"
    power = min(int(math.log10(count) // 3), 6)
    return f"{count / 1000**power:.3g} {['', 'k', 'M', 'G', 'T', 'P', 'E'][power]}MAC"


def percent(share: float) -> str:
    """Write a share in (0, 1) as a percentage: 0.95 as "95 %"."""
    return f"{100 * share:g}\N{NO-BREAK SPACE}%"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: "1 cell", "2 cells"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def join_words(words: Iterable[str]) -> str:
    """Join words as prose: "a, b and c"."""
    *head, last = list(words) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def slug(text: str) -> str:
    """Reduce a text to lower-case letters, digits and hyphens, for ids in the page."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text)
    return "-".join(kept.lower().split()) or "x"
