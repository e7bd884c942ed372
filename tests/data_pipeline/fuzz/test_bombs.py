"""Small files that would become huge, or run code, when read without care.

Each is read in a process of its own, whose memory is measured.
"""

import gzip
import json
import os
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

MEMORY_MB = 600  # above what a harmless dataset of the format takes; each bomb asks for GB

READ = """
import json, pathlib, re, sys
from data_pipeline.catalog import DATASETS, check_data, label_names, resolve
from data_pipeline.errors import DataError

name, task, fields = json.loads(sys.argv[1])
settings = DATASETS[name].settings.model_validate(fields)
samples = 0
try:
    check_data(settings)
    label_names(settings, task)
    dataset = resolve(DATASETS[name].builder)(settings, task, "train")
    for item in dataset.items:
        item.faults()
        try:
            item.read()
            samples += 1
        except DataError as error:
            print("refused:", error)
    for fault in dataset.faults:
        print("fault:", fault.kind, fault.message)
except DataError as error:
    print("refused:", error)
# Not getrusage: its peak holds that of the parent before exec.
status = pathlib.Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024
print(json.dumps({"samples": samples, "peak_mb": peak}))
"""


def read_apart(name: str, task: str, root: Path) -> dict[str, Any]:
    """Read a training split in a fresh process; return what it printed last, and all it said."""
    order = json.dumps([name, task, {"dataset": name, "root": str(root)}])
    run = subprocess.run(
        [sys.executable, "-c", READ, order],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"VISIONSTUDY_WORKSPACE": str(root / "workspace")},
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found | {"said": run.stdout}


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        code = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + code

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(4_000_000), 9)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _voc(root: Path, xml: str) -> None:
    for folder in ("ImageSets/Main", "Annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    for split in ("train", "val"):
        (root / "ImageSets/Main" / f"{split}.txt").write_text("000001\n")
    cv2.imwrite(str(root / "JPEGImages/000001.jpg"), np.zeros((40, 60, 3), np.uint8))
    (root / "Annotations/000001.xml").write_text(xml)


def entity_bomb(root: Path) -> tuple[str, str]:
    values = ["lol" * 10] + [f"&l{number};" * 10 for number in range(9)]
    lols = "".join(f'<!ENTITY l{number} "{value}">' for number, value in enumerate(values))
    _voc(root, f"<!DOCTYPE a [{lols}]><annotation><filename>&l9;</filename></annotation>")
    return "voc", "object_detection"


def outside_entity(root: Path) -> tuple[str, str]:
    secret = root.parent / "secret.txt"
    secret.write_text("a secret")
    _voc(
        root,
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]>'
        "<annotation><object><name>&x;</name></object></annotation>",
    )
    return "voc", "object_detection"


def picture_bomb(root: Path) -> tuple[str, str]:
    for split in ("train", "val"):
        (root / split / "ant").mkdir(parents=True)
        (root / split / "ant" / "bomb.png").write_bytes(_png(100_000, 100_000))
    return "image_folder", "image_classification"


def huge_annotated_size(root: Path) -> tuple[str, str]:
    (root / "annotations").mkdir(parents=True)
    size = [1_000_000_000, 1_000_000_000]
    content = {
        "images": [
            {"id": 1, "file_name": "1.jpg", "height": size[0], "width": size[1]},
            {"id": 2, "file_name": "1.jpg", "height": 40, "width": 60},
        ],
        "annotations": [
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [0, 0, 5, 5],
                "area": 25,
                "iscrowd": 0,
                "segmentation": {"counts": counts, "size": size},
            }
            for number, counts in ((1, [0, 10**18]), (2, [0, 10**18]))
        ],
        "categories": [{"id": 1, "name": "person"}],
    }
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir()
        cv2.imwrite(str(root / f"{split}2017/1.jpg"), np.zeros((40, 60, 3), np.uint8))
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))
    return "coco", "instance_segmentation"


def more_digits_than_there_are(root: Path) -> tuple[str, str]:
    root.mkdir()
    for name in ("train", "t10k"):
        head = struct.pack(">IIII", 2051, 2**31 - 1, 28, 28)
        (root / f"{name}-images-idx3-ubyte").write_bytes(head + bytes(784))
        labels = struct.pack(">II", 2049, 2**31 - 1)
        (root / f"{name}-labels-idx1-ubyte").write_bytes(labels + bytes(1))
    return "mnist", "image_classification"


def gzip_bomb(root: Path) -> tuple[str, str]:
    root.mkdir()
    for name in ("train", "t10k"):
        head = struct.pack(">IIII", 2051, 2, 28, 28)
        with gzip.open(root / f"{name}-images-idx3-ubyte.gz", "wb", compresslevel=1) as stream:
            stream.write(head)
            for _ in range(1500):
                stream.write(bytes(1024**2))
        labels = gzip.compress(struct.pack(">II", 2049, 2) + bytes(2))
        (root / f"{name}-labels-idx1-ubyte.gz").write_bytes(labels)
    return "mnist", "image_classification"


class _Runs:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"touch {self.file}",)


def pickle_that_runs_code(root: Path) -> tuple[str, str]:
    inside = root / "cifar-10-batches-py"
    inside.mkdir(parents=True)
    for name in [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch", "batches.meta"]:
        (inside / name).write_bytes(pickle.dumps({b"data": _Runs(root.parent / "ran")}))
    return "cifar", "image_classification"


BOMBS: Mapping[str, Callable[[Path], tuple[str, str]]] = {
    bomb.__name__: bomb
    for bomb in (
        entity_bomb,
        outside_entity,
        picture_bomb,
        huge_annotated_size,
        more_digits_than_there_are,
        gzip_bomb,
        pickle_that_runs_code,
    )
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(bomb: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    name, task = BOMBS[bomb](root)
    found = read_apart(name, task, root)
    assert found["peak_mb"] < MEMORY_MB, found
    assert found["samples"] == 0 or bomb in ("huge_annotated_size", "gzip_bomb")
    assert "refused:" in found["said"] or "fault:" in found["said"]
    assert "a secret" not in found["said"]
    assert not (tmp_path / "ran").exists()
