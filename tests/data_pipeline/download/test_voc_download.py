"""PASCAL VOC from a server with the official paths, and the real sample in its archives."""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from torchvision.datasets.voc import DATASET_YEAR_DICT  # type: ignore[import-untyped]

from data_pipeline.datasets.settings.boxes import VocData
from data_pipeline.datasets.voc import build
from data_pipeline.download import voc
from data_pipeline.download.terms import Terms
from data_pipeline.download.voc import ARCHIVES, VocChoice, download, plan

TRAINVAL = "/pascal/VOC/voc2007/VOCtrainval_06-Nov-2007.tar"


def test_addresses_and_checksums_are_those_of_torchvision() -> None:
    ours = {(url, md5) for archives in ARCHIVES.values() for url, _, md5 in archives}
    theirs = {
        (DATASET_YEAR_DICT[key]["url"], DATASET_YEAR_DICT[key]["md5"])
        for key in ("2007", "2007-test", "2012")
    }
    assert ours == theirs


@pytest.fixture
def official(real_data: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Serve the sample as the archive of 2007."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(real_data / "voc_sample" / "VOCdevkit", "VOCdevkit")
    packed = stream.getvalue()
    server.files[TRAINVAL] = packed
    known = (f"https://server{TRAINVAL}", len(packed), hashlib.md5(packed).hexdigest())
    monkeypatch.setattr(voc, "ARCHIVES", {2007: (known,)})
    return server


def test_the_archive_is_unpacked_opens_by_its_reader_and_is_removed(
    official: Any, terms: Terms, watcher: Any
) -> None:
    outcome = download(VocChoice((2007,)), terms, watcher)
    assert outcome.manifest.counts == {"images": 1}
    assert not list(terms.folder.glob(".download/*.tar"))
    datasets = [
        build(VocData(root=terms.folder), "object_detection", split) for split in ("train", "val")
    ]
    items = [item for dataset in datasets if dataset is not None for item in dataset.items]
    assert len({item.image_id for item in items}) == 1
    assert "Flickr" in outcome.manifest.licence.pictures
    official.asked.clear()
    assert download(VocChoice((2007,)), terms, watcher).was_complete
    assert official.asked == []


def test_a_truncated_archive_goes_on_where_it_ended(
    official: Any, terms: Terms, watcher: Any
) -> None:
    official.faults[TRAINVAL] = ["truncate"]
    download(VocChoice((2007,)), terms, watcher)
    sent = [each.sent for each in official.bodies(TRAINVAL)]
    assert len(sent) == 2
    assert sum(sent) == len(official.files[TRAINVAL])


def test_a_lost_file_brings_the_archive_again(official: Any, terms: Terms, watcher: Any) -> None:
    download(VocChoice((2007,)), terms, watcher)
    official.asked.clear()
    picture = next(terms.folder.glob("VOCdevkit/VOC2007/JPEGImages/*.jpg"))
    content = picture.read_bytes()
    picture.unlink()
    assert not download(VocChoice((2007,)), terms, watcher).was_complete
    assert picture.read_bytes() == content
    assert len(official.bodies(TRAINVAL)) == 1


def test_a_plan_has_the_archives_sizes(official: Any, terms: Terms) -> None:
    planned = plan(VocChoice((2007,)), terms)
    assert (planned.files, planned.size_bytes) == (1, len(official.files[TRAINVAL]))
