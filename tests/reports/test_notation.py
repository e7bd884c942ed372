import math

import pytest

from reports import notation
from trackers.records import JsonValue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-4, "1e-4"),
        (0.001, "1e-3"),
        (5e-5, "5e-5"),
        (0.05, "0.05"),
        (0.5, "0.5"),
        (2.0, "2"),
        (128, "128"),
        (True, "yes"),
        (None, "none"),
        (["car", "bus"], "car, bus"),
        ([], "none"),
        ({"name": "step", "every_epochs": 10}, "step (every epochs 10)"),
        ({"name": "constant"}, "constant"),
    ],
)
def test_values_are_written_as_in_a_study_file(value: JsonValue, text: str) -> None:
    assert notation.value_text(value) == text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("training.learning_rate", "learning rate"),
        ("model.name", "model"),
        ("training.schedule.name", "schedule"),
        ("data.split.policy", "split policy"),
        ("name", "name"),
    ],
)
def test_settings_are_named_by_what_tells_them_apart(path: str, words: str) -> None:
    assert notation.setting_name(path) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "no transfer"),
        ({"init_from": "study:first"}, "from first, fine tuning"),
        (
            {"init_from": "study:first/3f2a", "mode": "feature_extractor"},
            "from first/3f2a, feature extractor",
        ),
        (
            {"init_from": "/a/b/trial-1/best-3.pt", "freeze_to": "up", "classes": ["car"]},
            "from trial-1/best-3.pt, fine tuning, from up on",
        ),
        ({"mode": "feature_extractor"}, "pretrained, feature extractor"),
        (
            {"init_from": "study:a", "learning_rate_factors": {"up": 0.1}},
            "from a, fine tuning, up at 0.1 x the rate",
        ),
    ],
)
def test_transfers_are_written_as_what_a_training_starts_from(value: JsonValue, text: str) -> None:
    path = "training.transfer"
    assert notation.configuration_label({path: value}) == text
    assert notation.short_label({path: value, "training.epochs": 3}) == f"{text} · 3"


def test_that_weights_are_pretrained_is_said_once() -> None:
    varied: dict[str, JsonValue] = {
        "model.pretrained": "imagenet",
        "training.transfer": {"mode": "feature_extractor"},
    }
    assert notation.configuration_label(varied) == "pretrained imagenet, feature extractor"


@pytest.mark.parametrize(
    ("beside", "text"),
    [
        ({"model.pretrained": "none"}, "pretrained none, from scratch"),
        ({"model.pretrained": "imagenet"}, "pretrained imagenet, fine tuning"),
        (
            {"model": {"name": "resnet", "pretrained": "none"}},
            "model resnet (pretrained none), from scratch",
        ),
        (
            {"model": {"name": "resnet", "pretrained": "imagenet"}},
            "model resnet (pretrained imagenet), fine tuning",
        ),
        ({"training.epochs": 3}, "epochs 3, no transfer"),
    ],
)
def test_from_scratch_is_only_what_is_known_not_to_be_pretrained(
    beside: dict[str, JsonValue], text: str
) -> None:
    varied = {**beside, "training.transfer": None}
    assert notation.configuration_label(varied) == text
    assert notation.short_label(varied).endswith(f" · {text.rpartition(', ')[2]}")


def test_models_are_called_by_their_names_alone_where_these_differ() -> None:
    unet: JsonValue = {"name": "unet", "base_channels": 8, "batch_norm": True}
    wide: JsonValue = {"name": "unet", "base_channels": 16, "batch_norm": True}
    otsu: JsonValue = {"name": "otsu"}
    assert notation.short_labels([{"model": otsu}, {"model": unet}]) == ["otsu", "unet"]
    assert notation.short_labels([{"model": unet}, {"model": wide}]) == [
        "unet (base channels 8)",
        "unet (base channels 16)",
    ]


def test_metrics_keep_their_capitals_at_the_start_of_a_sentence() -> None:
    assert notation.metric_name("val/iou_stop_sign") == "validation IoU, stop sign"
    assert notation.sentence_case(notation.metric_name("test/iou")) == "Test IoU"
    assert notation.sentence_case(notation.metric_name("iou")) == "IoU"


def test_numbers_have_three_decimals_a_true_minus_and_a_dash_when_missing() -> None:
    assert notation.score(0.12345) == "0.123"
    assert notation.score(12345.6) == "1.235e+04"
    assert notation.signed(-0.5) == "\N{MINUS SIGN}0.500"
    assert notation.signed(0.5) == "+0.500"
    assert notation.score(None) == notation.score(math.nan) == notation.MISSING
    assert notation.interval(0.1, None) == notation.MISSING


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.24, "3.2 s"),
        (119, "119 s"),
        (180, "3 min"),
        (3599, "1 h 00 min"),
        (3 * 3600 + 5 * 60, "3 h 05 min"),
        (50 * 3600, "2 d 2 h"),
    ],
)
def test_durations_show_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert notation.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999 MAC"), (1.5e3, "1.5 kMAC"), (4.25e17, "425 PMAC")]
)
def test_macs_get_a_metric_prefix(count: float, text: str) -> None:
    assert notation.macs(count) == text


def test_an_exponent_is_kept_on_one_line() -> None:
    assert notation.unbroken("rate 1e-3.") == "rate 1e-\N{WORD JOINER}3."
    assert notation.unbroken("one-3") == "one-3"
    assert notation.unbroken("3 h 05 min of 2 cells") == "3\u202fh 05\u202fmin of 2 cells"
