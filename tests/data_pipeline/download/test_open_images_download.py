"""Open Images by class, from a server with the official paths and real images."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.datasets.open_images import build
from data_pipeline.datasets.settings.boxes import OpenImagesData
from data_pipeline.download.errors import DownloadError
from data_pipeline.download.open_images import OpenImagesChoice, download, plan
from data_pipeline.download.terms import Outcome, Terms
from data_pipeline.errors import InvalidDataError, UnknownClassError

ROOT = Path(__file__).resolve().parents[3]
BOXES = "/openimages/v6/oidv6-train-annotations-bbox.csv"
CLASSES = "/openimages/v5/class-descriptions-boxable.csv"
IMAGES = "/openimages/2018_04/train/train-images-boxable-with-rotation.csv"
CHOICE = OpenImagesChoice(classes=("Person", "Tree"), per_class=6)


@pytest.fixture
def official(real_data: Path, server: Any) -> Any:
    """Serve the 26 real images as if all were training images, with the official files."""
    source = real_data / "openimages_mini"
    server.files[CLASSES] = (source / "class-descriptions-boxable.csv").read_bytes()
    train = (source / "train-annotations-bbox.csv").read_bytes()
    _, rest = (source / "validation-annotations-bbox.csv").read_bytes().split(b"\n", 1)
    server.files[BOXES] = train.rstrip(b"\n") + b"\n" + rest
    pictures = sorted(source.glob("train/*.jpg")) + sorted(source.glob("validation/*.jpg"))
    lines = ["ImageID,Subset,OriginalURL,License,Author,Title,Rotation"]
    for picture in pictures:
        server.files[f"/train/{picture.name}"] = picture.read_bytes()
        lines.append(f'{picture.stem},train,http://x/,https://cc/by/2.0/,"A, B","a ""b""",0.0')
    server.files[IMAGES] = "\n".join(lines).encode()
    return server


@pytest.fixture
def fetch(official: Any, terms: Terms, watcher: Any) -> Callable[..., Outcome]:
    official.asked.clear()
    return lambda **changes: download(replace(CHOICE, **changes), terms, watcher)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def pictures_asked_for(server: Any) -> list[str]:
    return [each.path for each in server.asked if each.path.endswith(".jpg")]


def label_of(real_data: Path, name: str) -> str:
    text = (real_data / "openimages_mini/class-descriptions-boxable.csv").read_text()
    return next(line.split(",")[0] for line in text.splitlines() if line.endswith(f",{name}"))


def test_the_folder_has_the_official_layout_and_opens_by_its_reader(
    fetch: Callable[..., Outcome], terms: Terms, real_data: Path
) -> None:
    outcome = fetch()
    settings = OpenImagesData(root=terms.folder)
    boxes = Counter[str]()
    ids = set()
    for split in ("train", "val"):
        dataset = build(settings, "object_detection", split)
        assert dataset is not None
        assert dataset.class_names == ("Person", "Tree")
        assert dataset.faults == ()
        ids |= set(dataset.image_ids)
        for item in dataset.items:
            boxes.update(dataset.class_names[label] for label in item.read().labels)  # type: ignore[attr-defined]
    assert len(ids) == outcome.manifest.counts["images"]
    # Counted from the pack's own files: all boxes of the two classes in these images.
    original = [
        row
        for split in ("train", "validation")
        for row in rows(real_data / f"openimages_mini/{split}-annotations-bbox.csv")
        if row["ImageID"] in ids
    ]
    for name in ("Person", "Tree"):
        label = label_of(real_data, name)
        assert boxes[name] == sum(row["LabelName"] == label for row in original) > 0


def test_rows_and_pictures_are_the_official_ones(
    fetch: Callable[..., Outcome], terms: Terms, official: Any
) -> None:
    fetch()
    lines = official.files[BOXES].decode().splitlines()
    for split in ("train", "validation"):
        written = (terms.folder / f"{split}-annotations-bbox.csv").read_text().splitlines()
        assert written[0] == lines[0]
        assert set(written[1:]) <= set(lines)
        for picture in (terms.folder / split).iterdir():
            assert picture.read_bytes() == official.files[f"/train/{picture.name}"]


def test_author_and_licence_of_every_picture_are_kept(
    fetch: Callable[..., Outcome], terms: Terms
) -> None:
    fetch()
    listed = rows(terms.folder / "train-images-boxable-with-rotation.csv")
    pictures = {picture.stem for picture in (terms.folder / "train").iterdir()}
    assert {row["ImageID"] for row in listed} == pictures
    assert {(row["Author"], row["Title"]) for row in listed} == {("A, B", 'a "b"')}
    licence = json.loads((terms.folder / "download.json").read_text())["licence"]
    assert "CC BY 4.0" in licence["annotations"]
    assert "CC BY 2.0" in licence["pictures"]


def test_each_class_has_no_more_images_of_its_own_than_asked_for(
    fetch: Callable[..., Outcome], terms: Terms
) -> None:
    fetch(classes=("Person",), per_class=5)
    pictures = {
        split: len(list((terms.folder / split).iterdir())) for split in ("train", "validation")
    }
    assert sum(pictures.values()) == 5


def test_a_second_run_asks_the_server_for_nothing(
    fetch: Callable[..., Outcome], official: Any
) -> None:
    first = fetch()
    assert first.files == first.manifest.counts["images"] + 3
    official.asked.clear()
    second = fetch()
    assert second.was_complete
    assert second.manifest == first.manifest
    assert official.asked == []


def test_more_images_and_classes_fetch_only_new_pictures(
    fetch: Callable[..., Outcome], official: Any, terms: Terms
) -> None:
    fetch(classes=("Person",), per_class=3)
    here = {f"/train/{picture.name}" for picture in terms.folder.glob("*/*.jpg")}
    official.asked.clear()
    fetch(per_class=6)
    asked = pictures_asked_for(official)
    assert asked
    assert not here & set(asked)
    assert not [each for each in official.asked if each.method == "GET" and "csv" in each.path]


def test_another_share_moves_pictures_and_fetches_none(
    fetch: Callable[..., Outcome], official: Any, terms: Terms
) -> None:
    first = fetch(per_class=100)
    official.asked.clear()
    second = fetch(per_class=100, train_share=0.5)
    assert pictures_asked_for(official) == []
    assert first.manifest.counts["images"] == second.manifest.counts["images"]
    assert first.manifest.counts["train"] > second.manifest.counts["train"]
    assert len(list(terms.folder.glob("train/*.jpg"))) == second.manifest.counts["train"]


def test_a_split_without_images_has_no_lists(fetch: Callable[..., Outcome], terms: Terms) -> None:
    fetch()
    assert (terms.folder / "validation-annotations-bbox.csv").exists()
    outcome = fetch(train_share=1.0)
    assert outcome.manifest.counts["validation"] == 0
    assert not list(terms.folder.glob("validation-*.csv"))
    assert not list(terms.folder.glob("validation/*.jpg"))


def test_a_missing_picture_has_no_rows(official: Any, terms: Terms, watcher: Any) -> None:
    choice = replace(CHOICE, per_class=100)
    gone = sorted(path for path in official.files if path.endswith(".jpg"))[0]
    del official.files[gone]
    outcome = download(choice, replace(terms, most_missing=0.2), watcher)
    assert outcome.manifest.counts["missing"] == len(outcome.manifest.missing) == 1
    ids = {
        row["ImageID"]
        for split in ("train", "validation")
        for row in rows(terms.folder / f"{split}-annotations-bbox.csv")
    }
    assert ids == {picture.stem for picture in terms.folder.glob("*/*.jpg")}
    assert Path(gone).stem not in ids


def test_a_server_that_lacks_most_pictures_spoils_nothing_for_the_right_one(
    fetch: Callable[..., Outcome], official: Any
) -> None:
    pictures = {path: body for path, body in official.files.items() if path.endswith(".jpg")}
    for path in pictures:
        del official.files[path]
    with pytest.raises(DownloadError, match="are not on their server"):
        fetch()
    official.files.update(pictures)
    assert not fetch().manifest.missing


def test_a_misspelt_class_is_found_before_the_large_lists_are_fetched(
    fetch: Callable[..., Outcome], official: Any
) -> None:
    with pytest.raises(
        UnknownClassError,
        match=r"unknown class 'Trafic light'; did you mean 'Traffic light'\?.*601",
    ):
        fetch(classes=("Trafic light",))
    assert [each.path for each in official.asked if each.method == "GET"] == [CLASSES]


def test_a_picture_whose_checksum_is_wrong_is_fetched_afresh(
    fetch: Callable[..., Outcome], official: Any, terms: Terms
) -> None:
    path = next(path for path in official.files if path.endswith(".jpg"))
    official.faults[path] = ["damage"]
    fetch(per_class=100)
    picture = next(terms.folder.glob(f"*/{Path(path).name}"))
    assert picture.read_bytes() == official.files[path]


@pytest.mark.parametrize("image_id", ["../../evil", "/tmp/evil", "a b", "x?y"])
def test_an_id_that_is_no_id_is_refused(
    fetch: Callable[..., Outcome], official: Any, terms: Terms, real_data: Path, image_id: str
) -> None:
    header = official.files[BOXES].splitlines()[0].decode()
    label = label_of(real_data, "Person")
    values = [image_id, "xclick", label, "1", "0", "1", "0", "1", *"0" * (header.count(",") - 7)]
    official.files[BOXES] = f"{header}\n{','.join(values)}\n".encode()
    with pytest.raises(InvalidDataError, match="an image id must be letters and digits"):
        fetch()
    assert not list(terms.folder.parent.glob("**/evil*"))


def test_a_list_without_its_columns_is_named(fetch: Callable[..., Outcome], official: Any) -> None:
    official.files[BOXES] = b"a,b\n1,2\n"
    with pytest.raises(InvalidDataError, match=r"must have a column ImageID, got a, b"):
        fetch()


def test_a_plan_fetches_nothing_and_makes_no_folder(official: Any, terms: Terms) -> None:
    planned = plan(CHOICE, terms)
    lists = sum(len(official.files[path]) for path in (BOXES, CLASSES, IMAGES))
    assert planned.files == 3 + 12
    assert planned.size_bytes == lists + 12 * 300_000
    assert {each.method for each in official.asked} == {"HEAD"}
    assert not terms.folder.exists()


def test_a_plan_without_a_server_counts_what_the_lists_had_when_last_seen(terms: Terms) -> None:
    planned = plan(CHOICE, replace(terms, mirror="http://127.0.0.1:9"))
    assert planned.size_bytes > 2_258_447_590


def command(folder: Path, server: Any) -> list[str]:
    main = [sys.executable, "-c", "from studies.cli.app import main; main()", "data", "download"]
    chosen = ["--class", "Person", "--class", "Tree", "--per-class", "100"]
    how = ["--connections", "2", "--stall", "5"]
    return [*main, *how, "open-images", str(folder), *chosen, "--mirror", server.address]


def run(folder: Path, server: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(folder, server), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_the_command_goes_on_after_a_kill_and_after_ctrl_c(
    official: Any, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    official.pause_s = 0.02
    folder = tmp_path / "oi"
    process = subprocess.Popen(
        command(folder, official),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background with Ctrl-C ignored, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and len(list(folder.glob("*/*.jpg"))) < 3:
        time.sleep(0.01)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in said
    here = {f"/train/{picture.name}" for picture in folder.glob("*/*.jpg")}
    parts = {f"/train/{part.stem}": part.stat().st_size for part in folder.glob("*/*.part")}
    assert len(here) >= 3
    assert not (folder / "download.json").exists()

    official.asked.clear()
    official.pause_s = 0.0
    finished = run(folder, official)
    assert finished.returncode == 0, finished.stderr
    asked = [each for each in official.asked if each.path.endswith(".jpg")]
    # A kill may come between a picture's name and its line in the journal.
    assert len(here & {each.path for each in asked}) <= 2
    for each in asked:
        assert each.start == parts.get(each.path, 0)
    assert "images" in finished.stdout
    assert "CC BY 2.0" in finished.stdout

    official.asked.clear()
    again = run(folder, official)
    assert "is complete, nothing to fetch" in again.stdout
    assert official.asked == []
