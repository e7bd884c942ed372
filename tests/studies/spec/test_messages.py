"""The text and the place of every message that the author of a study acts on."""

from collections.abc import Callable

import pytest

from models.catalog import MODELS
from reports.baselines import known_names

SWEEP = "training.learning_rate: [1e-3, 1e-4]"
STAGE = "      vary: {training.learning_rate: [1e-3, 1e-4]}\n"
SEARCH = "  tree:\n    - stage: learning rate\n" + STAGE
NO_STAGE = (
    "stage 'learning rate' varies nothing; list values under `vary`, "
    "e.g. {training.learning_rate: [1e-3, 1e-4]}, or remove the stage"
)
NO_MOMENTUM = "momentum has no effect with optimizer 'adam'; remove it or use 'sgd' or 'rmsprop'"
AUGMENTATIONS = (
    "horizontal_flip, vertical_flip, rotate_90, rotate, random_crop, random_resized_crop, shift, "
    "scale, color_jitter, pca_color, blur, cutout, random_erasing, elastic, local_warp"
)
SECTIONS = (
    "study, task, description, data, model, training, evaluation, objective, budget, search, "
    "assembly, weights, baselines"
)

OF_THE_SCHEMA = [
    ("study: demo", "study: 12", "1:8: study: must be text, got 12; put it in quotes"),
    (
        "study: demo",
        "study: Demo!",
        "1:8: study: must be lower-case letters, digits and . _ -, starting with a letter or "
        "digit, got 'Demo!'",
    ),
    ("study: demo", "stdy: demo", "1:1: stdy: unknown key 'stdy'; did you mean 'study'?"),
    (
        "study: demo",
        "study: demo\nzzz: 1",
        f"2:1: zzz: unknown key 'zzz'; known here: {SECTIONS}",
    ),
    (
        "objective: {metric: val/iou}\n",
        "",
        "1:1: objective: 'objective' is required but missing: What makes a configuration better.",
    ),
    (
        "semantic_segmentation",
        "semantic_segmentatoin",
        "2:7: task: must be one of semantic_segmentation, instance_segmentation, "
        "object_detection, action_recognition, image_classification; got "
        "'semantic_segmentatoin'; did you mean 'semantic_segmentation'?",
    ),
    (
        "dataset: none, ",
        "",
        "3:1: data.dataset: 'dataset' is required but missing; it says which dataset is meant",
    ),
    (
        "dataset: none",
        "dataset: coco",
        "3:1: data.root: 'root' is required but missing: "
        "Folder of the dataset; may name ${VARIABLES}.",
    ),
    (
        "dataset: none",
        "dataset: nne",
        "3:17: data.dataset: unknown dataset 'nne'; did you mean 'none'? "
        "(16 datasets: visionstudy data list)",
    ),
    (
        "[person, car]",
        "person",
        "3:32: data.classes: must be a list, such as [a, b], got 'person'",
    ),
    (
        "[person, car]",
        "[person, 3]",
        "3:41: data.classes.1: must be text, got 3; put it in quotes",
    ),
    (
        "image_size: 64",
        "imagesize: 64",
        "3:47: data.imagesize: unknown key 'imagesize'; did you mean 'image_size'?",
    ),
    (
        "image_size: 64",
        "image_size: 64.5",
        "3:59: data.image_size: must be a whole number, got 64.5",
    ),
    ("image_size: 64", "image_size: 0", "3:59: data.image_size: must be at least 1, got 0"),
    (
        "image_size: 64",
        "one_model_per_class: maybe",
        "3:68: data.one_model_per_class: must be true or false, got 'maybe'",
    ),
    (
        "image_size: 64",
        "limit: {trian: 4}",
        "3:55: data.limit.trian: unknown key 'trian'; did you mean 'train'?",
    ),
    (
        "image_size: 64",
        "augment: [horizontal_flop]",
        f"3:57: data.augment.0: must be one of {AUGMENTATIONS}; "
        "got 'horizontal_flop'; did you mean 'horizontal_flip'?",
    ),
    (
        "image_size: 64",
        "augment: [blur, {name: rotat, degrees: 5}]",
        f"3:70: data.augment.1.name: must be one of {AUGMENTATIONS}; "
        "got 'rotat'; did you mean 'rotate'?",
    ),
    (
        "image_size: 64",
        "augment: [blur, {name: rotate, degres: 5}]",
        "3:78: data.augment.1.degres: unknown key 'degres'; did you mean 'degrees'?",
    ),
    (
        "image_size: 64",
        "augment: [{name: rotate, degrees: 200}]",
        "3:81: data.augment.0.degrees: must be at most 180, got 200",
    ),
    (
        "image_size: 64",
        "augment: [{name: scale, factor: [2, 1]}]",
        "3:79: data.augment.0.factor: must name the least first, got [2, 1]",
    ),
    (
        "image_size: 64",
        "augment: [{name: scale, factor: 2}]",
        "3:79: data.augment.0.factor: must be two numbers, the least and the largest, "
        "such as [0.5, 1]; got 2",
    ),
    (
        "image_size: 64",
        "augment: [{rotate: {degrees: 5}}]",
        "3:66: data.augment.0.rotate: rotate must be the value of a key `name`, with its "
        "parameters beside it: {name: rotate, …}",
    ),
    (
        "image_size: 64",
        "augment: [3]",
        "3:57: data.augment.0: must be a name, such as horizontal_flip, or a mapping with one; "
        "got 3",
    ),
    (
        "image_size: 64",
        "augment: blur",
        "3:56: data.augment: must be a list, such as [a, b], got 'blur'",
    ),
    (
        "image_size: 64",
        "augment: [{name: local_warp, strength: 0.4}]",
        "3:86: data.augment.0.strength: strength must be at most 1.6 times radius, else the "
        "picture folds over itself; got 0.4 with radius 0.15",
    ),
    (
        "image_size: 64",
        "normalize: imagnet",
        "3:58: data.normalize: must be one of imagenet; got 'imagnet'; did you mean 'imagenet'?",
    ),
    (
        "image_size: 64",
        "normalize: {mean: [0.5, 0.5, 0.5], std: [128, 1, 1]}",
        "3:88: data.normalize.std.0: must be at most 1, got 128",
    ),
    (
        "image_size: 64",
        "normalize: {mean: [0.5, 0.5], std: [1, 1, 1]}",
        "3:65: data.normalize.mean: must be three numbers, of red, green and blue; got [0.5, 0.5]",
    ),
    (
        "image_size: 64",
        "normalize: 0.5",
        "3:58: data.normalize: must be imagenet, or a mapping with `mean` and `std` of red, "
        "green and blue; got 0.5",
    ),
    (
        "name: unet",
        "name: unett",
        "4:15: model.name: unknown model 'unett'; did you mean 'unet'? "
        f"({len(MODELS)} models: visionstudy models list)",
    ),
    (
        "name: unet",
        "name: zzz",
        f"4:15: model.name: unknown model 'zzz' ({len(MODELS)} models: visionstudy models list)",
    ),
    (
        "model: {name: unet, base_channels: 8}",
        "model: unet",
        "4:8: model: must be a mapping of keys to values, got 'unet'",
    ),
    ("epochs: 2", "epochs: many", "5:20: training.epochs: must be a whole number, got 'many'"),
    (
        "epochs: 2",
        "learning_rate: 0",
        "5:27: training.learning_rate: must be greater than 0, got 0",
    ),
    ("epochs: 2", "momentum: 1", "5:22: training.momentum: must be less than 1, got 1"),
    (
        "epochs: 2",
        "learning_rate: .inf",
        "5:27: training.learning_rate: must be a finite number, got .inf; null: no limit",
    ),
    ("epochs: 2", "momentum: 0.9", f"5:22: training.momentum: {NO_MOMENTUM}"),
    (
        "epochs: 2",
        "schedule: {name: stepp}",
        "5:29: training.schedule.name: must be one of constant, step, multi_step, final_drop, "
        "plateau, cosine, polynomial, cyclical, one_cycle; got 'stepp'; did you mean 'step'?",
    ),
    (
        "epochs: 2",
        "schedule: {name: step, factr: 0.1}",
        "5:35: training.schedule.factr: unknown key 'factr'; did you mean 'factor'?",
    ),
    (
        "val/iou",
        "iou",
        "6:21: objective.metric: must be val/ or test/ and the metric's name, "
        "such as val/iou, got 'iou'",
    ),
    (
        "val/iou",
        "test/iou",
        "6:21: objective.metric: metric 'test/iou' is not of the split that select_on names; "
        "write 'val/iou', or change select_on",
    ),
    (
        "search:",
        "budget: {per_trial: {time: 12 hours}}\nsearch:",
        "7:28: budget.per_trial.time: must be a number and s, m, h or d, "
        "such as 90s or 1.5h, got '12 hours'",
    ),
    (
        SEARCH,
        "  replicates: 3\n",
        "7:1: search: search needs either `tree` or `joint`, and not both",
    ),
    (SEARCH, "", "7:1: search: 'search' must hold stages under `tree`, or a `joint` search"),
    ("{training.learning_rate: [1e-3, 1e-4]}", "{}", f"10:7: search.tree.0.vary: {NO_STAGE}"),
    ("{training.learning_rate: [1e-3, 1e-4]}", "", f"10:7: search.tree.0.vary: {NO_STAGE}"),
    (STAGE, "", f"9:7: search.tree.0: {NO_STAGE}"),
    (
        "[1e-3, 1e-4]",
        "[]",
        "10:38: search.tree.0.vary.training.learning_rate: must have at least one entry, "
        "got a list of 0",
    ),
    (
        "[1e-3, 1e-4]",
        "1e-3",
        "10:38: search.tree.0.vary.training.learning_rate: must be a list of values, such as "
        "[1, 2], or a range, such as {low: 1, high: 2}, got 0.001",
    ),
    (
        "[1e-3, 1e-4]",
        "{low: 1e-2, high: 1e-4}",
        "10:56: search.tree.0.vary.training.learning_rate.high: "
        "high (0.0001) must be greater than low (0.01)",
    ),
]
OF_THE_PARTS = [
    (
        "image_size: 64",
        "image_size: 150",
        "3:59: data.image_size: image size of unet must be a multiple of 16 (4 poolings of 2), "
        "got 150; use 144 or 160",
    ),
    (
        "[person, car]",
        "[car, car]",
        "3:38: data.classes.1: class 'car' is there twice; remove one",
    ),
    (
        "dataset: none, classes: [person, car]",
        "dataset: street_scenes, classes: [persn]",
        "3:42: data.classes.0: unknown class 'persn' of dataset 'street_scenes'; "
        "did you mean 'person'?",
    ),
    (
        "dataset: none, classes: [person, car]",
        "dataset: camvid, root: nowhere",
        "3:31: data.root: nowhere must be CamVid's folder with train.txt and val.txt, "
        "got no folder; correct data.root or download the dataset",
    ),
    (
        "val/iou",
        "val/iuo",
        "6:21: objective.metric: unknown metric 'iuo' of task semantic_segmentation; did you "
        "mean 'iou'? (known: iou, iou_image_mean, iou_with_background, dice, pixel_accuracy, "
        "class_accuracy, loss, log_loss, mae, mse, auc, average_precision, boundary_f1, "
        "rand_error, pixel_error)",
    ),
    (
        "val/iou",
        "val/loss",
        "6:21: objective.metric: a lower val/loss is better; "
        "add `direction: minimize` to the objective",
    ),
    (
        "search:",
        "baselines: [thesis/table-77]\nsearch:",
        "7:13: baselines.0: unknown baseline 'thesis/table-77'; did you mean 'thesis/table-7'? "
        f"({len(known_names())} names: visionstudy baselines list; "
        "a file of your own ends in .csv)",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), OF_THE_SCHEMA + OF_THE_PARTS)
def test_a_mistake_is_named_where_it_stands(
    problems_after: Callable[[str, str], list[str]], old: str, new: str, message: str
) -> None:
    assert problems_after(old, new) == [message]


def test_the_small_study_is_in_order(load: Callable[[str], object], study_text: str) -> None:
    load(study_text)


def test_a_mistake_under_a_misspelt_key_is_found_too(
    problems_after: Callable[[str, str], list[str]],
) -> None:
    assert problems_after("training: {epochs: 2}", "trainin: {epochs: many}") == [
        "5:1: trainin: unknown key 'trainin'; did you mean 'training'?",
        "5:19: training.epochs: must be a whole number, got 'many'",
    ]


def test_a_misspelt_model_does_not_hide_a_wrong_size(
    problems_after: Callable[[str, str], list[str]],
) -> None:
    text = "image_size: 40}\nmodel: {name: unett, base_channels: 8}"
    found = problems_after("image_size: 64}\nmodel: {name: unet, base_channels: 8}", text)

    assert [line.split(": ")[1] for line in found] == ["data.image_size", "model.name"]


def test_a_problem_shows_its_line_and_a_caret(
    load: Callable[[str], object], study_text: str
) -> None:
    with pytest.raises(ValueError, match="must be a whole number") as caught:
        load(study_text.replace("epochs: 2", "epochs: many"))

    _, line, caret = str(caught.value).split("\n")
    assert line == "    training: {epochs: many}"
    assert line[caret.index("^") :] == "many}"
