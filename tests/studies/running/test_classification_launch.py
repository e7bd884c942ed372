"""A study of whole images from the file to the report, and pictures that its winner names."""

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from studies.cli.app import app

SIDE = 24
IMAGES = {"train": 12, "val": 6, "test": 6}
STUDY: dict[str, Any] = {
    "study": "bars",
    "task": "image_classification",
    "data": {"dataset": "image_folder", "image_size": SIDE, "workers": 0},
    "model": {"name": "small_cnn", "filters": [8, 8], "hidden_units": [16]},
    "training": {"epochs": 6, "batch_size": 4, "learning_rate": 5e-3},
    "objective": {"metric": "val/log_loss", "direction": "minimize"},
    "search": {
        "tree": [
            {
                "stage": "model",
                "vary": {
                    "model": [
                        {"name": "small_cnn", "filters": [8, 8], "hidden_units": [16]},
                        {"name": "constant"},
                    ]
                },
            }
        ]
    },
}


def draw(folder: Path) -> Path:
    """Write pictures of upright and of lying bars, a folder for each class of each split."""
    random = np.random.default_rng(0)
    for split, count in IMAGES.items():
        for number in range(count):
            name = ("lying", "upright")[number % 2]
            image = random.integers(0, 90, (SIDE, SIDE, 3), dtype=np.uint8)
            place = slice(at := int(random.integers(2, SIDE - 5)), at + 3)
            image[:, place] = 240
            picture = image if name == "upright" else image.transpose(1, 0, 2)
            file = folder / split / name / f"{number:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(file), np.ascontiguousarray(picture))
    return folder


@pytest.mark.slow
def test_study_of_images_is_launched_reported_verified_and_predicted_with(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = draw(tmp_path / "pictures")
    shop = workshop({**STUDY, "data": {**STUDY["data"], "root": str(pictures)}})
    shop.launch()
    network = next(
        cell for cell in shop.record().cells.values() if cell.settings["model.name"] == "small_cnn"
    )
    assert {"val/top1", "val/auc", "val/ece", "val/f1_upright"} <= set(network.epochs[-1].metrics)
    kept = {Path(name).name for name in network.files.values()}
    assert {"predictions_val.npz", "calibration_val.json", "calibration_test.json"} <= kept
    uploaded = {file.name for file in (shop.runs / "artifacts").rglob("*") if file.is_file()}
    assert {"confusion_val.json", "class_scores_val.json", "strip.png"} <= uploaded
    (page,) = shop.runs.glob("studies/bars/report.html")
    text = page.read_text(encoding="utf-8")
    assert "expected calibration error" in text

    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(shop.runs))  # which the verbs set
    place = ("--workspace", str(shop.runs))
    verified = CliRunner().invoke(app, ["verify", str(page), *place])
    assert verified.exit_code == 0, verified.output
    out = tmp_path / "out"
    words = ["predict", "bars", str(pictures / "test"), "-o", str(out), "--device", "cpu", *place]
    predicted = CliRunner().invoke(app, words)
    assert predicted.exit_code == 0, predicted.output
    rows = list(csv.DictReader((out / "classes.csv").read_text().splitlines()))
    with np.load(network.files["predictions_test"]) as scored:
        own = dict(
            zip(scored["image_ids"].tolist(), scored["probabilities"].tolist(), strict=True)
        )
    assert len(rows) == IMAGES["test"]
    for row in rows:
        image = next(values for key, values in own.items() if Path(key).stem in row["picture"])
        assert [float(row["lying"]), float(row["upright"])] == pytest.approx(image, abs=1e-5)
        content = json.loads((out / "classes" / f"{row['picture']}.json").read_text())
        assert max(content, key=content.__getitem__) == row["class"]
        assert (out / "overlays" / f"{row['picture']}.jpg").is_file()
